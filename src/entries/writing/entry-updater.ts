// Updates entries on one thread: read, compute, store if the entry is still what was read. Called
// by the facade. Invariants: no lock is held while the user's function or codec runs, and nothing
// of the record reader is used after it; the kernel compares the sequence of the record that was
// read with that of the record which is there, under the key's lock. So of all updates of a key,
// over all threads, each sees what the one before it stored.
import { types } from "node:util";
import { describe, rejecting } from "../../base/mod.js";
import {
  assertKey,
  checkedTags,
  type ResolvedSetOptions,
  type ResolvedUpdateOptions,
  resolveUpdateOptions,
} from "../../config/mod.js";
import { codes, HashedKey, type Key } from "../../kernel/mod.js";
import type { WriteCondition, WriteFields, WriteOutcome } from "../../memory/mod.js";
import { isHead, isInternal, type RecordReader } from "../../record/mod.js";
import { counterDeletes } from "../../stats/mod.js";
import type { EntryWriter } from "./entry-writer.js";
import { bringToMemory } from "./ordered-writes.js";
import type { ThreadCore } from "../thread-core.js";
import type { ValueDecoder } from "../value-decoder.js";

/** How often an update computes anew because another write came first. Each time one did, so only a
 *  key that is written all the time, faster than the function runs, takes as many. */
export const updateAttemptsMax = 1000;

/**
 * The outcome of an update. "stored": the function's answer, or `absent`, is in the cache.
 * "deleted": the function returned undefined, and the entry is gone. "absent": there is no entry in
 * memory, and nothing has changed. "too-large", "overloaded": as of a set; the entry is gone.
 * "contended": 1,000 times in a row another write came first, or `updateAsync` could not bring the
 * entry from disk to memory; nothing has changed.
 *
 * @example
 * ```ts
 * import { openCache, type UpdateOutcome } from "undercroft";
 *
 * const cache = await openCache<string[]>();
 * const add = (name: string): UpdateOutcome => cache.update("names", (names) => [...names, name]);
 * const outcomes: UpdateOutcome[] = [add("Ada")];
 * cache.set("names", ["Ada"]);
 * outcomes.push(add("Grace"));
 * console.log(outcomes.join(), cache.getSync("names")?.join()); // absent,stored Ada,Grace
 * await cache.close();
 * ```
 */
export type UpdateOutcome =
  "stored" | "deleted" | "absent" | "too-large" | "overloaded" | "contended";

/** An entry as an update saw it: a copy, which outlives the next use of the record reader. */
interface Seen {
  /** Of its record; 0 if nothing is there, not even a record without a value. */
  readonly sequence: number;
  readonly expiresMs: number;
  readonly staleUntilMs: number;
  readonly tags: readonly string[];
  readonly revision: number | undefined;
}

/** The tags of an entry that an update makes, where a namespace says them of a key. */
type TagsOfNew = () => readonly string[] | undefined;

interface UpdateRequest extends ResolvedUpdateOptions {
  readonly tagsOfNew: TagsOfNew | undefined;
}

/** Makes the new value of an old one; undefined deletes the entry. */
export type Compute<V> = (value: V) => V | undefined;

/** What a record that an update stores has of its own. */
type Times = Omit<Seen, "sequence">;

/** One look at an entry: with a value if it is fresh. */
interface Look<V> {
  readonly seen: Seen;
  readonly value: V | undefined;
}

const nothing: Seen = {
  sequence: 0,
  expiresMs: Infinity,
  staleUntilMs: Infinity,
  tags: [],
  revision: undefined,
};

export class EntryUpdater<V> {
  readonly #core: ThreadCore;
  readonly #writer: EntryWriter<V>;
  readonly #decoder: ValueDecoder<V>;

  constructor(core: ThreadCore, writer: EntryWriter<V>, decoder: ValueDecoder<V>) {
    this.#core = core;
    this.#writer = writer;
    this.#decoder = decoder;
  }

  /** Updates an entry in memory. */
  update(key: Key, compute: Compute<V>, options: unknown, tagsOfNew?: TagsOfNew): UpdateOutcome {
    const resolved = this.#check(key, compute, options, tagsOfNew);
    const outcome = this.#updateInMemory(key, compute, resolved);
    return outcome === "on-disk" ? "absent" : outcome;
  }

  /** Updates an entry that may be on disk, which is brought to memory first. */
  updateAsync(
    key: Key,
    compute: Compute<V>,
    options: unknown,
    tagsOfNew?: TagsOfNew,
  ): Promise<UpdateOutcome> {
    return rejecting(() => {
      const resolved = this.#check(key, compute, options, tagsOfNew);
      return this.#updateAnywhere(this.#hashed(key), compute, resolved);
    });
  }

  #check(
    key: Key,
    compute: unknown,
    options: unknown,
    tagsOfNew: TagsOfNew | undefined,
  ): UpdateRequest {
    this.#core.assertOpen();
    const resolved = { ...resolveUpdateOptions(options), tagsOfNew };
    assertKey(key);
    if (typeof compute === "function") return resolved;
    throw new TypeError(
      `Cannot update key ${describe(key)}: the function is ${describe(compute)}; ` +
        "it must be a function of the value",
    );
  }

  #hashed(key: Key): HashedKey {
    const { keys } = this.#core;
    keys.write(key);
    return keys.take(key);
  }

  async #updateAnywhere(
    key: HashedKey,
    compute: Compute<V>,
    options: UpdateRequest,
  ): Promise<UpdateOutcome> {
    const core = this.#core;
    for (let attempt = 0; attempt < updateAttemptsMax; attempt++) {
      const outcome = this.#updateInMemory(key, compute, options);
      if (outcome !== "on-disk") return outcome;
      // Brings it to the page cache, so that the read below does not block the thread.
      await core.disk?.read(key);
      core.assertOpen();
      const found = bringToMemory(core, key);
      if (found === undefined) break;
      const { record } = core.reader;
      if (found === "none" || !isHead(record.flags)) continue;
      const seen = seenIn(record);
      const decoded = await this.#decoder.decodeAnywhere(record, null, key);
      core.assertOpen();
      if (decoded === undefined || seen.expiresMs <= core.clock.now()) continue;
      const applied = this.#apply(key, { seen, value: decoded.value }, compute, options);
      if (applied !== "changed") return applied;
    }
    return "contended";
  }

  #updateInMemory(
    key: Key | HashedKey,
    compute: Compute<V>,
    options: UpdateRequest,
  ): UpdateOutcome | "on-disk" {
    for (let attempt = 0; attempt < updateAttemptsMax; attempt++) {
      const look = this.#look(key);
      if (look === "on-disk") return look;
      const outcome = look === "changed" ? look : this.#apply(key, look, compute, options);
      if (outcome !== "changed") return outcome;
    }
    return "contended";
  }

  #look(key: Key | HashedKey): Look<V> | "on-disk" | "changed" {
    const { reader, clock } = this.#core;
    const isHashed = key instanceof HashedKey;
    const found = isHashed ? reader.findHashed(key, true) : reader.find(key, true);
    if (found === "disk") return "on-disk";
    if (found === "none") return { seen: nothing, value: undefined };
    const seen = seenIn(reader.record);
    const isFresh = seen.expiresMs === Infinity || seen.expiresMs > clock.now();
    if (isInternal(reader.record.flags) || !isFresh) return { seen, value: undefined };
    // An object of its own: the function may change it, and a near cache must not have it.
    const decoded = this.#decoder.decode(reader.record, key);
    if (decoded === "elsewhere") return "on-disk";
    return decoded === "changed" ? decoded : { seen, value: decoded?.value };
  }

  /** Stores what follows from what was seen, unless the entry is another by now: "changed". */
  #apply(
    key: Key | HashedKey,
    { seen, value }: Look<V>,
    compute: Compute<V>,
    options: UpdateRequest,
  ): UpdateOutcome | "changed" {
    const core = this.#core;
    const name = key instanceof HashedKey ? key.toKey() : key;
    const condition = { kind: codes.conditionSequence, wanted: seen.sequence };
    if (value === undefined) {
      if (options.absent === undefined) return "absent";
      // That of a delete, or of a stale entry, still counts; of what is over it does not.
      const isOver = seen.staleUntilMs <= core.clock.now();
      const revision = isOver ? undefined : seen.revision;
      const times = { ...this.#timesOf(nothing, options), revision };
      return this.#store(key, name, options.absent, times, condition);
    }
    const next: unknown = compute(value);
    core.assertOpen();
    if (next === undefined) {
      if (this.#writer.removeIf(key, condition) !== "removed") return "changed";
      core.count(counterDeletes, 1);
      return "deleted";
    }
    if (types.isPromise(next)) throw promiseError(name, next);
    return this.#store(key, name, next, this.#timesOf(seen, options), condition);
  }

  /** What the options leave open is as the entry has it, and the cache's own if there is none. */
  #timesOf(seen: Seen, { ttlMs, staleForMs, tags, tagsOfNew }: UpdateRequest): Times {
    const { setDefaults } = this.#core.defaults;
    const now = Math.floor(this.#core.clock.now());
    const isNew = seen === nothing;
    const expiresMs =
      ttlMs === undefined && !isNew ? seen.expiresMs : now + (ttlMs ?? setDefaults.ttlMs);
    const keptMs = isNew || seen.expiresMs === Infinity ? setDefaults.staleForMs : staleForOf(seen);
    return {
      expiresMs,
      staleUntilMs: expiresMs + (staleForMs ?? keptMs),
      tags: tags ?? (isNew ? checkedTags(tagsOfNew?.() ?? setDefaults.tags) : seen.tags),
      revision: seen.revision,
    };
  }

  #store(
    key: Key | HashedKey,
    name: Key,
    value: unknown,
    { expiresMs, staleUntilMs, tags, revision }: Times,
    condition: WriteCondition,
  ): UpdateOutcome | "changed" {
    const options: ResolvedSetOptions = { ttlMs: Infinity, staleForMs: 0, tags, revision };
    const { bytes, fields } = this.#writer.prepare(name, value, options);
    const own: WriteFields = { ...fields, expiresMs, staleUntilMs, condition };
    // The cast is right: it is no fill, and its condition is no revision.
    return this.#writer.write(key, value, bytes, own, tags) as Exclude<
      WriteOutcome,
      "superseded" | "outdated"
    >;
  }
}

function staleForOf({ expiresMs, staleUntilMs }: Seen): number {
  return staleUntilMs - expiresMs;
}

function seenIn(record: RecordReader): Seen {
  const { sequence, expiresMs, staleUntilMs, revision } = record;
  return { sequence, expiresMs, staleUntilMs, tags: record.tags(), revision };
}

function promiseError(key: Key, promise: Promise<unknown>): TypeError {
  // It may reject, and nobody waits for it.
  promise.then(undefined, () => undefined);
  return new TypeError(
    `Cannot update key ${describe(key)}: the function returned a promise; it must return the ` +
      "value, since another write may come while it waits: load first, then update, or use write",
  );
}
