// Writes entries on one thread: set, asynchronous set, delete, and the fills of read-through.
// Called by the facade and by read-through. Invariant: whatever a write returns, no older value of
// its key is left: not in memory, for any thread, and not on disk, for any later session.
import { describe, ownText } from "../../base/mod.js";
import {
  assertKey,
  type ResolvedFetchOptions,
  type ResolvedSetOptions,
  resolveSetOptions,
  revisionFor,
  type SetOptions,
} from "../../config/mod.js";
import { codes, type HashedKey, type Key } from "../../kernel/mod.js";
import {
  type Refusal,
  type WriteCondition,
  type WriteFields,
  type WriteOutcome,
  writeValue,
} from "../../memory/mod.js";
import { movable, type StoreTask } from "../../pool/mod.js";
import { codecNegative, flagNegative } from "../../record/mod.js";
import { loadClassOf, loadClassUnknown } from "../../policy/mod.js";
import * as counter from "../../stats/mod.js";
import type { EntryReader } from "../entry-reader.js";
import { deleteInOrder, deletionOf, writeInOrder } from "./ordered-writes.js";
import { noteStore } from "../request-notes.js";
import { SegmentRoom } from "../segment-room.js";
import type { ThreadCore } from "../thread-core.js";
import type { ValueDecoder } from "../value-decoder.js";

/**
 * The outcome of a set. "stored": every thread sees the value. "too-large": the value takes more
 * than a quarter of the segments, or the key does not fit a segment. "overloaded": no memory could
 * be freed in time. In these cases an older value of the key is removed. "outdated", only for a set
 * with a revision: the key has a newer one, and nothing has changed.
 *
 * @example
 * ```ts
 * import { openCache, type SetOutcome } from "undercroft";
 *
 * const cache = await openCache<string>({ memory: "1mb" });
 * const outcomes: SetOutcome[] = [cache.set("a", "small"), cache.set("a", "x".repeat(2 ** 20))];
 * console.log(outcomes.join(), cache.has("a")); // stored,too-large false
 * await cache.close();
 * ```
 */
export type SetOutcome = "stored" | "too-large" | "overloaded" | "outdated";

/** Publishes values in workers. Undefined in a thread without a pool. */
export interface StorePool {
  /** Whether one more set may wait for a worker. Counts a refusal. */
  hasRoom(): boolean;
  /** Call at once after `hasRoom`. The worker waits for room in memory. */
  store(task: StoreTask): Promise<WriteOutcome>;
}

/** Ttl, staleFor, tags and revision of a fill. */
export type FillFields = ResolvedSetOptions;

/** How long a negative answer is remembered, more than 0 ms, and its tags. */
export type NegativeFields = Pick<ResolvedFetchOptions, "negativeTtlMs" | "tags">;

/** The result of a fill. */
export interface Filled<V> {
  readonly outcome: WriteOutcome;
  /** The value as a later hit returns it. */
  readonly value: V;
  readonly createdAt: number;
  readonly expiresAt: number;
}

const noTags = new Uint8Array(0);
const noBytes = new Uint8Array(0);

export class EntryWriter<V> {
  readonly #core: ThreadCore;
  readonly #reader: EntryReader<V>;
  readonly #decoder: ValueDecoder<V>;
  readonly #storePool: StorePool | undefined;
  readonly #cacheId: string;
  readonly #room: SegmentRoom;

  constructor(
    core: ThreadCore,
    reader: EntryReader<V>,
    decoder: ValueDecoder<V>,
    cacheId: string,
    storePool: StorePool | undefined,
  ) {
    this.#core = core;
    this.#room = new SegmentRoom(core);
    this.#reader = reader;
    this.#decoder = decoder;
    this.#cacheId = cacheId;
    this.#storePool = storePool;
  }

  set(key: Key, value: V, options: SetOptions | undefined): SetOutcome {
    const core = this.#core;
    core.assertOpen();
    const resolved = resolveSetOptions(options, core.defaults);
    assertKey(key);
    const { bytes, fields } = this.prepare(key, value, resolved);
    // The cast is right: only a fill can be superseded, and only an update finds a change.
    return this.write(key, value, bytes, fields, resolved.tags) as SetOutcome;
  }

  /** Writes what was prepared of a value, in the order of its revision if it has one and no
   *  condition of its own. Every write of a value comes by here, so that tiers are told. */
  write(
    key: Key | HashedKey,
    value: unknown,
    bytes: Uint8Array,
    fields: WriteFields,
    tags: readonly string[],
    loadMs?: number,
  ): WriteOutcome {
    const outcome = this.#write(key, value, bytes, fields, tags);
    if (outcome === "stored") noteStore(this.#core, key, bytes.length, fields, loadMs);
    return outcome;
  }

  #write(
    key: Key | HashedKey,
    value: unknown,
    bytes: Uint8Array,
    fields: WriteFields,
    tags: readonly string[],
  ): WriteOutcome {
    const { through } = this.#core;
    if (through === null) return this.#publish(key, bytes, fields);
    const publish = (hashed: HashedKey, own: Uint8Array): WriteOutcome =>
      this.#publish(hashed, own, fields);
    return through.write(key, value, bytes, fields, tags, publish);
  }

  #publish(key: Key | HashedKey, bytes: Uint8Array, fields: WriteFields): WriteOutcome {
    const isOrdered = fields.revision !== undefined && fields.condition === undefined;
    if (isOrdered) return writeInOrder(this.#core, key, bytes, fields);
    return writeValue(this.#core.writer, key, bytes, fields);
  }

  /** Removes a key if the condition holds. */
  removeIf(key: Key | HashedKey, condition?: WriteCondition): "removed" | "absent" | Refusal {
    const { writer, through } = this.#core;
    return through === null
      ? writer.removeIf(key, condition)
      : through.remove(key, (hashed) => writer.removeIf(hashed, condition));
  }

  /** The encoded value, valid until the next call, and the fields of its record. */
  prepare(
    key: Key,
    value: unknown,
    options: FillFields,
    flight = -1,
    loadClass: number = loadClassUnknown,
  ): { readonly bytes: Uint8Array; readonly fields: WriteFields } {
    const revision = value === undefined ? undefined : revisionFor(options, value);
    const bytes = this.#encode(key, value);
    const isForDisk = this.#admits(key, bytes);
    return { bytes, fields: this.#fields(options, flight, loadClass, isForDisk, revision) };
  }

  /** The encoded value, valid until the next call. Check the key first, so that its error wins. */
  #encode(key: Key, value: unknown): Uint8Array {
    const { codec, admission } = this.#core;
    admission?.assertNotAsking(key);
    if (value === undefined) {
      throw new TypeError(
        `Cannot store key ${describe(key)}: the value is undefined; store null or delete the key`,
      );
    }
    return codec.encode(value, key);
  }

  #admits(key: Key, bytes: Uint8Array): boolean {
    return this.#core.admission?.admits(key, bytes.length) ?? false;
  }

  #fields(
    options: FillFields,
    flight: number,
    loadClass: number,
    forDisk: boolean,
    revision: number | undefined,
  ): WriteFields {
    // Records keep whole milliseconds.
    const createdMs = Math.floor(this.#core.clock.now());
    const expiresMs = createdMs + options.ttlMs;
    return {
      codecId: this.#core.codec.lastCodecId,
      loadClass,
      flags: 0,
      createdMs,
      expiresMs,
      staleUntilMs: expiresMs + options.staleForMs,
      tags: options.tags.length === 0 ? noTags : this.#core.kernel.tags.encode(options.tags),
      flight,
      forDisk,
      revision,
    };
  }

  /** Encodes the value here, since cloning it for a worker costs more
   *  (docs/internals/decisions/0002). The pool compresses and publishes it. One with a revision is
   *  published here, where the older value stays until it is known to be older. */
  async setAsync(key: Key, value: V, options: SetOptions | undefined): Promise<SetOutcome> {
    const core = this.#core;
    core.assertOpen();
    const resolved = resolveSetOptions(options, core.defaults);
    assertKey(key);
    const { bytes, fields } = this.prepare(key, value, resolved);
    const storePool = this.#storePool;
    const isAtOnce = storePool === undefined && this.#hasRoom(bytes.length);
    // The tiers would hear of what a worker publishes too late: it is written here.
    if (isAtOnce || core.through !== null || fields.revision !== undefined) {
      return this.write(key, value, bytes, fields, resolved.tags) as SetOutcome;
    }
    const moved = movable(bytes, value);
    const hashed = this.#reader.readKey(key);
    // An unhashed key cannot have a flight, so no later write could supersede this one.
    if (!hashed.isHashed) return writeValue(core.writer, key, moved, fields) as SetOutcome;
    core.writer.remove(hashed);
    // Asked first: sets that are refused take no flight, so a burst of sets leaves them to loads.
    if (storePool?.hasRoom() === false) return "overloaded";
    const flight = this.#beginFlight(hashed);
    if (flight < 0) {
      // No flight is free. Write now: a synchronous write cannot be superseded.
      core.kernel.count(counter.counterFlightsRefused, 1);
      return writeValue(core.writer, hashed, moved, fields) as SetOutcome;
    }
    try {
      const { codecId, createdMs, expiresMs, staleUntilMs, forDisk } = fields;
      const task = {
        handle: core.handle,
        cacheId: this.#cacheId,
        space: core.keys.space,
        // A copy: the task may wait, and the caller may change the bytes of a key meanwhile.
        key: hashed.toKey(),
        codecId,
        bytes: moved,
        createdMs,
        expiresMs,
        staleUntilMs,
        tags: resolved.tags.map(ownText),
        flight,
        forDisk,
      };
      const here = (): WriteOutcome =>
        writeValue(core.writer, hashed, moved, { ...fields, flight });
      const outcome = await (storePool?.store(task) ?? this.#room.wait(moved.length).then(here));
      if (outcome === "stored") noteStore(core, hashed, moved.length, fields, undefined);
      if (outcome !== "superseded") return outcome as SetOutcome;
      // A later write won. To every observer this value was stored and then replaced.
      core.count(counter.counterFillsSuperseded, 1);
      return "stored";
    } catch (error) {
      // If the cache was closed, report that instead of the worker's end.
      core.assertOpen();
      throw error;
    } finally {
      core.kernel.verbs.endFlight(flight, codes.flightAgain, 0);
    }
  }

  /** False while memory is full of what is not on disk yet. */
  #hasRoom(bytes: number): boolean {
    return this.#core.disk === null || this.#room.has(bytes);
  }

  #beginFlight({ hashLow, hashHigh }: HashedKey): number {
    const { kernel, keys } = this.#core;
    return kernel.verbs.beginFlight(hashLow, hashHigh, keys.space);
  }

  /** For read-through: publishes unless superseded, and returns the value as a later hit does. */
  fill(
    key: HashedKey,
    value: unknown,
    options: FillFields,
    flight: number,
    loadMs?: number,
  ): Filled<V> {
    const { kernel, writer } = this.#core;
    this.#core.assertOpen();
    const name = key.toKey();
    const loadClass = loadMs === undefined ? loadClassUnknown : loadClassOf(loadMs);
    const { bytes, fields } = this.prepare(name, value, options, flight, loadClass);
    // Read before publishing: a later invalidation of its tags must also end the value kept near.
    const tagEpoch = fields.tags.length === 0 ? null : kernel.control.tagEpoch();
    // A copy: the user's codec may call the cache while it decodes, which reuses the scratch.
    const buffer = Buffer.from(bytes);
    const decoded = this.#decoder.decodeFill(fields.codecId, buffer, key);
    // A fill without a flight could overwrite a newer write, so it is not published.
    const { tags } = options;
    const outcome =
      flight < 0 ? "superseded" : this.write(key, value, buffer, fields, tags, loadMs);
    const { slotLow: low, slotHigh: high } = kernel.results;
    if (outcome === "stored") {
      const { expiresMs } = fields;
      const size = writer.sizeOf(key.bytes.length, buffer.length, fields);
      const stored = { low, high, tagEpoch, expiresMs, size };
      this.#reader.keepNear(key, decoded ?? this.#decoder.undecoded(value), stored);
    }
    // What cannot be decoded is told, and returned as it was loaded.
    const { createdMs: createdAt, expiresMs: expiresAt } = fields;
    const shown = decoded === undefined ? (value as V) : decoded.value;
    const told = outcome === "outdated" ? "superseded" : outcome;
    return { outcome: told, value: shown, createdAt, expiresAt };
  }

  /** For read-through: remembers for all threads that the source has no value, as a record of the
   *  key, so that whatever ends a value ends it too. False if it was superseded or there was no
   *  room: then nothing has changed. */
  fillNegative(key: HashedKey, { negativeTtlMs, tags }: NegativeFields, flight: number): boolean {
    const { writer, clock } = this.#core;
    this.#core.assertOpen();
    if (flight < 0) return false;
    const createdMs = Math.floor(clock.now());
    const expiresMs = createdMs + negativeTtlMs;
    // A delete with a revision goes on to count, behind the answer. One that comes after this look
    // supersedes the flight.
    const deletion = deletionOf(this.#core, key);
    const fields: WriteFields = {
      codecId: codecNegative,
      flags: flagNegative,
      createdMs,
      expiresMs,
      staleUntilMs: Math.max(expiresMs, deletion?.untilMs ?? 0),
      tags: tags.length === 0 ? noTags : this.#core.kernel.tags.encode(tags),
      flight,
      forDisk: false,
      revision: deletion?.revision,
    };
    const append = (): boolean => writer.append(key, noBytes, fields) === "stored";
    const { through } = this.#core;
    return through === null ? append() : through.remove(key, append);
  }

  /** For read-through: as `delete`, and counts nothing. */
  remove(key: HashedKey): void {
    this.removeIf(key);
  }

  delete(key: Key, revision?: number): boolean {
    const { kernel, clock, through } = this.#core;
    this.#core.assertOpen();
    if (revision !== undefined) {
      const deletes = (): boolean => deleteInOrder(this.#core, key, revision);
      if (!(through === null ? deletes() : through.remove(key, deletes))) return false;
    } else {
      if (this.removeIf(key) !== "removed") return false;
      const expiresMs = kernel.results.expires;
      if (expiresMs !== 0 && expiresMs <= clock.now()) return false;
    }
    this.#core.count(counter.counterDeletes, 1);
    return true;
  }
}
