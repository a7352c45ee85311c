// Writing on one thread: set, asynchronous set, delete, clear, and the fills of read-through. Called by the facade.
// Invariant: whatever a write answers, an older value of its key is gone when it returns, in memory for every thread and
// on disk for every later life.
import { describe } from "../base/mod.js";
import {
  assertKey,
  type ResolvedSetOptions,
  resolveSetOptions,
  resolveTags,
  type SetOptions,
} from "../config/mod.js";
import { layout as at } from "../kernel/mod.js";
import { type WriteFields, type WriteOutcome, writeValue } from "../memory/mod.js";
import { encodeTags, tagHash } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import type { StoreTask } from "../pool/mod.js";
import type { EntryReader } from "./entry-reader.js";
import type { Key } from "./fill-store.js";
import type { ThreadCore } from "./thread-core.js";

/** How a set came out: "stored", or why not. */
export type SetOutcome = "stored" | "too-large" | "rejected" | "overloaded";

/** Publishes a value in a worker of the pool; undefined in a thread that has none. */
export type StoreInPool = (task: StoreTask) => Promise<WriteOutcome>;

const noTags = new Uint8Array(0);

/** The moments an entry written now has. */
interface Times {
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly staleUntilMs: number;
}

export class EntryWriter<V> {
  readonly #core: ThreadCore;
  readonly #reader: EntryReader<V>;
  readonly #storeInPool: StoreInPool | undefined;
  readonly #cacheId: string;

  constructor(
    core: ThreadCore,
    reader: EntryReader<V>,
    cacheId: string,
    storeInPool: StoreInPool | undefined,
  ) {
    this.#core = core;
    this.#reader = reader;
    this.#cacheId = cacheId;
    this.#storeInPool = storeInPool;
  }

  set(key: Key, value: V, options: SetOptions | undefined): SetOutcome {
    const core = this.#core;
    core.assertOpen();
    const resolved = resolveSetOptions(options, core.config);
    const bytes = this.#encode(key, value);
    const fields = this.#fields(resolved, -1, this.#admits(key, bytes));
    return writeValue(core.store, key, bytes, fields) as SetOutcome;
  }

  /** Checks the key before it encodes, so that the message is about the key. */
  #encode(key: Key, value: unknown): Uint8Array {
    const { codec, admission } = this.#core;
    assertKey(key);
    admission?.assertNotAsking(key);
    if (value === undefined) {
      throw new TypeError(
        `Cannot store key ${describe(key)}: the value is undefined, which means absent; null can be stored`,
      );
    }
    return codec.encode(value, key);
  }

  #admits(key: Key, bytes: Uint8Array): boolean {
    return this.#core.admission?.admits(key, bytes.length) ?? false;
  }

  #times(options: ResolvedSetOptions): Times {
    // Whole milliseconds, as records keep them.
    const createdMs = Math.floor(this.#core.clock.now());
    const expiresMs = createdMs + options.ttlMs;
    return { createdMs, expiresMs, staleUntilMs: expiresMs + options.staleForMs };
  }

  #fields(options: ResolvedSetOptions, flight: number, forDisk: boolean): WriteFields {
    const times = this.#times(options);
    return {
      codecId: this.#core.codec.lastCodecId,
      flags: 0,
      createdMs: times.createdMs,
      expiresMs: times.expiresMs,
      staleUntilMs: times.staleUntilMs,
      tags: options.tags.length === 0 ? noTags : encodeTags(options.tags),
      flight,
      forDisk,
    };
  }

  /** The value is encoded here, since cloning it for a worker costs more than that (docs/decisions/0002), and
   *  compressed and published in the pool. */
  async setAsync(key: Key, value: V, options: SetOptions | undefined): Promise<SetOutcome> {
    const core = this.#core;
    core.assertOpen();
    const resolved = resolveSetOptions(options, core.config);
    const bytes = this.#encode(key, value);
    const forDisk = this.#admits(key, bytes);
    const { codecId, ...fields } = this.#fields(resolved, -1, forDisk);
    if (this.#storeInPool === undefined) {
      return writeValue(core.store, key, bytes, { codecId, ...fields }) as SetOutcome;
    }
    const moved = movable(bytes, value);
    const keyBytes = core.store.keys.write(key);
    // Without a place for the key there is no hash by which a later write could supersede this one.
    if (keyBytes < 0)
      return writeValue(core.store, key, moved, { codecId, ...fields }) as SetOutcome;
    core.store.remove(keyBytes);
    core.kernel.verbs.hashKey(core.store.keys.at, keyBytes);
    const flight = core.kernel.verbs.beginFlight();
    if (flight < 0) {
      // No place for one more fill that could be superseded: write it at once, which cannot be.
      core.kernel.count(counter.counterFlightsRefused, 1);
      return writeValue(core.store, key, moved, { codecId, ...fields }) as SetOutcome;
    }
    try {
      const { createdMs, expiresMs, staleUntilMs } = fields;
      const outcome = await this.#storeInPool({
        handle: core.handle,
        cacheId: this.#cacheId,
        key,
        codecId,
        bytes: moved,
        createdMs,
        expiresMs,
        staleUntilMs,
        tags: resolved.tags,
        flight,
        forDisk,
      });
      if (outcome !== "superseded") return outcome;
      // A later write won: this value was stored and replaced, as far as anybody can tell.
      core.kernel.count(counter.counterFillsSuperseded, 1);
      return "stored";
    } catch (error) {
      // A worker that ended because the cache was closed is no fault of the worker.
      core.assertOpen();
      throw error;
    } finally {
      core.kernel.verbs.endFlight(flight, at.flightAgain, 0);
    }
  }

  /** For read-through: publishes unless superseded, and gives the value as a later hit will. */
  fill(
    key: Key,
    value: unknown,
    options: ResolvedSetOptions,
    flight: number,
  ): { readonly outcome: WriteOutcome; readonly value: V } {
    const core = this.#core;
    core.assertOpen();
    const bytes = this.#encode(key, value);
    const { lastCodecId } = core.codec;
    const fields = this.#fields(options, flight, this.#admits(key, bytes));
    // A fill without a place in the flight table could bury a newer write, so it is not published.
    const outcome = flight < 0 ? "superseded" : writeValue(core.store, key, bytes, fields);
    const stored = outcome === "stored" ? this.#reader.peek(key, true) : undefined;
    if (stored !== undefined) return { outcome, value: stored.value };
    const copy = Buffer.from(bytes);
    const decoded = core.codec.decode(lastCodecId, copy, 0, copy.length);
    return { outcome, value: this.#reader.present(decoded) };
  }

  delete(key: Key): boolean {
    const { store, kernel, clock } = this.#core;
    this.#core.assertOpen();
    const wasThere = store.remove(store.keys.write(key));
    if (!wasThere) return false;
    const word = (kernel.block + at.resultExpires) / 8;
    const expiresMs = kernel.views.f64[word] as number;
    if (expiresMs !== 0 && expiresMs <= clock.now()) return false;
    kernel.count(counter.counterDeletes, 1);
    return true;
  }

  clear(): void {
    const { kernel, tier } = this.#core;
    this.#core.assertOpen();
    this.#rememberCounts();
    const epoch = kernel.verbs.clear();
    tier?.writeClear(epoch);
    kernel.verbs.ring();
  }

  /** Every entry with one of these tags is gone when this returns, for every thread and every later life. */
  deleteByTag(tags: string | readonly string[]): void {
    const { kernel, tier } = this.#core;
    this.#core.assertOpen();
    for (const tag of resolveTags(tags)) {
      const sequence = kernel.verbs.invalidateTag(tagHash(Buffer.from(tag, "utf8")));
      tier?.writeTag(sequence);
    }
  }

  /** The counts of live entries begin anew at a clear: cleared entries leave their slots later and uncounted. */
  #rememberCounts(): void {
    const { kernel } = this.#core;
    const { f64 } = kernel.views;
    f64[at.controlClearedMemoryEntries / 8] = kernel.total(counter.counterMemoryEntries);
    f64[at.controlClearedMemoryBytes / 8] = kernel.total(counter.counterMemoryBytes);
    f64[at.controlClearedDiskEntries / 8] = kernel.total(counter.counterDiskEntries);
  }
}

/** Bytes that are the task's alone from now on. A caller's own whole buffer is moved, at once, so that what the caller
 *  does while the task waits for a worker is not stored; anything else, a codec's scratch too, is copied. */
function movable(bytes: Uint8Array, value: unknown): Uint8Array {
  const { buffer } = bytes;
  const isWhole = bytes.byteOffset === 0 && bytes.byteLength === buffer.byteLength;
  if (bytes === value && isWhole && buffer instanceof ArrayBuffer && !Buffer.isBuffer(bytes)) {
    try {
      return new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
    } catch {
      // A buffer that cannot be moved, such as a WebAssembly memory's, is copied.
    }
  }
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}
