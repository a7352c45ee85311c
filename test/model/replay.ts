// Replays operations on a cache and on the reference side by side, and throws at the first answer
// that the reference does not accept. Called by model.test.ts.

import type { Operation } from "./operation.js";
import { Reference } from "./reference.js";
import type { Subject } from "./subject.js";
import { isValueOf, keyName, nameOfValue, valueOf, type Write } from "./values.js";

/** What happened, so that a test can tell a working cache from one that always misses. */
export interface Tally {
  operations: number;
  /** Reads of keys that an unbounded cache would have answered. */
  answerable: number;
  hits: number;
  /** Reads right after a set that stored. */
  readBacks: number;
  readBackHits: number;
  stored: number;
  refused: number;
}

export function emptyTally(): Tally {
  return {
    operations: 0,
    answerable: 0,
    hits: 0,
    readBacks: 0,
    readBackHits: 0,
    stored: 0,
    refused: 0,
  };
}

const outcomes: ReadonlySet<string> = new Set(["stored", "too-large", "rejected", "overloaded"]);
/** A value of this size fits every cache: it is never too large. */
const sizeAlwaysTaken = 1024;

/** Runs the operations in order, adding to `tally`. Throws an Error that names the operation and
 *  the fault. */
export async function replay(
  subject: Subject,
  operations: readonly Operation[],
  tally: Tally,
): Promise<void> {
  const run = new Replay(subject, tally);
  for (const [index, operation] of operations.entries()) {
    const fault = await run.step(operation);
    tally.operations++;
    if (fault !== undefined) {
      throw new Error(`Operation ${index}, ${JSON.stringify(operation)}, answered ${fault}`);
    }
  }
}

class Replay {
  readonly #subject: Subject;
  readonly #tally: Tally;
  readonly #reference = new Reference();
  #versions = 0;

  constructor(subject: Subject, tally: Tally) {
    this.#subject = subject;
    this.#tally = tally;
  }

  /** Does one operation on both; returns the fault in the cache's answer, if there is one. */
  async step(operation: Operation): Promise<string | undefined> {
    const { cache, clock, reopen } = this.#subject;
    switch (operation.kind) {
      case "set":
        return this.#set(operation);
      case "fetch":
        return this.#fetch(operation);
      case "getSync":
        return this.#read(operation.key, cache.getSync(keyName(operation.key)));
      case "get":
        return this.#read(operation.key, await cache.get(keyName(operation.key)));
      case "getMany":
        return this.#getMany(operation.keys);
      case "getDuring":
        return this.#getDuring(operation);
      case "has":
        return this.#claim("has", operation.key, cache.has(keyName(operation.key)));
      case "delete":
        return this.#delete(operation.key);
      case "clear":
        cache.clear();
        this.#reference.clear();
        return undefined;
      case "deleteByTag":
        this.#deleteByTag(operation.tags);
        return undefined;
      case "advance":
        clock.advance(operation.ms);
        return undefined;
      case "flush":
        await cache.flush();
        return undefined;
      case "reopen":
        if (reopen !== undefined) this.#subject.cache = await reopen();
        return undefined;
    }
  }

  #set(operation: Operation & { kind: "set" }): string | undefined {
    const write = this.#newWrite(operation);
    const fault = this.#store(write, timesOf(operation));
    if (fault !== undefined || !operation.readBack) return fault;
    const stored = this.#reference.mayHit(write.key, this.#subject.clock.now());
    const value = this.#subject.cache.getSync(keyName(write.key));
    if (stored) {
      this.#tally.readBacks++;
      if (value !== undefined) this.#tally.readBackHits++;
    }
    return this.#read(write.key, value);
  }

  /** Sets on both. Whatever the outcome, the older value may not be read any more. */
  #store(write: Write, times: { ttl?: number; staleFor?: number }): string | undefined {
    const { tags } = write;
    const outcome = this.#subject.cache.set(keyName(write.key), valueOf(write), { ...times, tags });
    this.#reference.accept(write.key, outcome === "stored" ? [write] : []);
    if (outcome === "stored") this.#tally.stored++;
    else this.#tally.refused++;
    if (!outcomes.has(outcome)) return `the outcome ${outcome}`;
    if (outcome === "too-large" && write.size <= sizeAlwaysTaken) return "too-large";
    return undefined;
  }

  #read(key: number, value: unknown): string | undefined {
    const now = this.#subject.clock.now();
    if (this.#reference.mustHit(key, now)) {
      this.#tally.answerable++;
      if (value !== undefined) this.#tally.hits++;
    }
    return this.#reference.faultOf(key, value, now);
  }

  async #getMany(keys: readonly number[]): Promise<string | undefined> {
    const found = await this.#subject.cache.getMany(keys.map(keyName));
    const names = new Set<string | Uint8Array>(keys.map(keyName));
    for (const name of found.keys()) {
      if (!names.has(name)) return `a key that was not asked for, ${nameOfValue(name)}`;
    }
    for (const key of new Set(keys)) {
      const fault = this.#read(key, found.get(keyName(key)));
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** A get with a write, delete or clear while it is under way: it may return either value, later
   *  reads only the last. */
  async #getDuring(operation: Operation & { kind: "getDuring" }): Promise<string | undefined> {
    const { cache, clock } = this.#subject;
    const { key } = operation;
    const before = this.#reference.acceptable(key);
    const getting = cache.get(keyName(key));
    const fault = this.#change(operation);
    const value = await getting;
    if (fault !== undefined) return fault;
    const mayBe = [...before, ...this.#reference.acceptable(key)];
    const write = mayBe.find((each) => isValueOf(value, each));
    if (value !== undefined && (write === undefined || clock.now() >= write.expiresAt)) {
      return `${nameOfValue(value)} for ${keyName(key)}, neither what was there nor what came`;
    }
    return this.#read(key, cache.getSync(keyName(key)));
  }

  #change(operation: Operation & { kind: "getDuring" }): string | undefined {
    switch (operation.change) {
      case "set":
        return this.#store(
          this.#newWrite({ ...operation, ttl: undefined, staleFor: undefined, tags: [] }),
          {},
        );
      case "delete":
        return this.#delete(operation.key);
      case "deleteByTag":
        this.#deleteByTag([operation.tag]);
        return undefined;
      case "clear":
        this.#subject.cache.clear();
        this.#reference.clear();
        return undefined;
    }
  }

  #deleteByTag(tags: readonly string[]): void {
    this.#subject.cache.deleteByTag(tags);
    this.#reference.deleteByTag(tags);
  }

  #delete(key: number): string | undefined {
    const fault = this.#claim("delete", key, this.#subject.cache.delete(keyName(key)));
    this.#reference.accept(key, []);
    return fault;
  }

  /** `has` and `delete` may deny an entry that the cache evicted, but not claim one that was never
   *  there. */
  #claim(method: string, key: number, claimed: boolean): string | undefined {
    const now = this.#subject.clock.now();
    const possible =
      method === "has"
        ? this.#reference.mayHit(key, now)
        : this.#reference.acceptable(key).length > 0;
    if (!claimed || possible || !this.#subject.exact) return undefined;
    return `that ${keyName(key)} is there, which has nothing (${method})`;
  }

  async #fetch(operation: Operation & { kind: "fetch" }): Promise<string | undefined> {
    const { cache, clock } = this.#subject;
    const { key } = operation;
    const loaded = this.#newWrite(operation);
    const now = clock.now();
    const value = await cache.fetch(keyName(key), async () => Promise.resolve(valueOf(loaded)), {
      ...timesOf(operation),
      tags: operation.tags,
    });
    if (isValueOf(value, loaded)) {
      this.#reference.accept(key, [loaded]);
      return undefined;
    }
    const found = this.#reference.acceptable(key).find((write) => isValueOf(value, write));
    if (found !== undefined && now < found.staleUntil && mayRunBehind(found, now)) {
      // The loader runs on after the answer, so it is not known when it stores its value and when
      // that expires.
      const later = { ...loaded, expiresAt: Infinity, staleUntil: Infinity };
      this.#reference.accept(key, [found, later]);
      return undefined;
    }
    if (value === undefined) return "nothing, though its loader gives a value";
    return this.#read(key, value);
  }

  #newWrite(from: {
    key: number;
    size: number;
    ttl: number | undefined;
    staleFor: number | undefined;
    tags: readonly string[];
  }): Write {
    const expiresAt = this.#subject.clock.now() + (from.ttl ?? Infinity);
    const staleUntil = expiresAt + (from.staleFor ?? 0);
    const { key, size, tags } = from;
    return { key, version: ++this.#versions, size, expiresAt, staleUntil, tags };
  }
}

/** True if a fetch that returned `write` may load in the background: it is stale, or nobody knows
 *  when it expires. */
function mayRunBehind(write: Write, now: number): boolean {
  return now >= write.expiresAt || write.staleUntil === Infinity;
}

function timesOf(operation: { ttl: number | undefined; staleFor: number | undefined }): {
  ttl?: number;
  staleFor?: number;
} {
  const { ttl, staleFor } = operation;
  return {
    ...(ttl === undefined ? {} : { ttl }),
    ...(staleFor === undefined ? {} : { staleFor }),
  };
}
