// What the replay needs of a cache, and test doubles: an honest Map, and wrappers that answer
// wrongly in one way each, which the checker must detect. Called by replay.ts and model.test.ts.

import type { Value } from "./values.js";

interface Options {
  readonly ttl?: number;
  readonly staleFor?: number;
  readonly tags?: readonly string[];
}

/** The methods that the model knows; a `Cache<Value>` has them. */
export interface CacheUnderTest {
  set(key: string, value: Value, options?: Options): string;
  getSync(key: string): Value | undefined;
  get(key: string): Promise<Value | undefined>;
  getMany(keys: readonly string[]): Promise<ReadonlyMap<string | Uint8Array, Value>>;
  has(key: string): boolean;
  delete(key: string): boolean;
  clear(): void;
  fetch(key: string, loader: () => Promise<Value>, options?: Options): Promise<Value | undefined>;
  deleteByTag(tags: readonly string[]): void;
  flush(): Promise<void>;
}

/** A cache with its clock. */
export interface Subject {
  cache: CacheUnderTest;
  readonly clock: { now(): number; advance(ms: number): void };
  /** Whether `has` and `delete` know every key exactly. With a disk they go by the index's
   *  fingerprints. */
  readonly exact: boolean;
  /** Closes the cache and opens its directory again. */
  readonly reopen?: () => Promise<CacheUnderTest>;
}

/** An honest cache that never evicts; the checker must accept it. */
export class MapCache implements CacheUnderTest {
  readonly #entries = new Map<
    string,
    { value: Value; expiresAt: number; tags: readonly string[] }
  >();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  set(key: string, value: Value, options?: Options): string {
    const expiresAt = this.#now() + (options?.ttl ?? Infinity);
    this.#entries.set(key, { value, expiresAt, tags: options?.tags ?? [] });
    return "stored";
  }

  getSync(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#now() < entry.expiresAt ? entry.value : undefined;
  }

  get(key: string): Promise<Value | undefined> {
    return Promise.resolve(this.getSync(key));
  }

  getMany(keys: readonly string[]): Promise<Map<string, Value>> {
    const found = new Map<string, Value>();
    for (const key of keys) {
      const value = this.getSync(key);
      if (value !== undefined) found.set(key, value);
    }
    return Promise.resolve(found);
  }

  has(key: string): boolean {
    return this.getSync(key) !== undefined;
  }

  delete(key: string): boolean {
    const had = this.has(key);
    this.#entries.delete(key);
    return had;
  }

  clear(): void {
    this.#entries.clear();
  }

  deleteByTag(tags: readonly string[]): void {
    for (const [key, entry] of this.#entries) {
      if (entry.tags.some((tag) => tags.includes(tag))) this.#entries.delete(key);
    }
  }

  async fetch(
    key: string,
    loader: () => Promise<Value>,
    options?: Options,
  ): Promise<Value | undefined> {
    const found = this.getSync(key);
    if (found !== undefined) return found;
    const value = await loader();
    this.set(key, value, options);
    return value;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }
}

export type Lie =
  "older" | "expired" | "another's" | "torn" | "deleted" | "invalidated" | "nothing";

/** A cache that gives a wrong answer to `getSync` and `get` once in `every` reads, and is `inner`
 *  otherwise. */
export function lyingCache(inner: CacheUnderTest, lie: Lie, every: number): CacheUnderTest {
  const newest = new Map<string, Value>();
  const previous = new Map<string, Value>();
  let reads = 0;
  let last: { key: string; value: Value } | undefined;
  const answer = (key: string, honest: Value | undefined): Value | undefined => {
    const value = ++reads % every === 0 ? lieAbout(key, honest) : honest;
    if (honest !== undefined) last = { key, value: honest };
    return value;
  };
  const lieAbout = (key: string, honest: Value | undefined): Value | undefined => {
    switch (lie) {
      case "older":
        return previous.get(key) ?? honest;
      case "expired":
      case "deleted":
        return honest ?? newest.get(key);
      case "another's":
        return last === undefined || last.key === key ? honest : last.value;
      case "torn":
        return typeof honest === "string" ? honest.slice(1) : honest;
      case "invalidated":
        return honest;
      case "nothing":
        return undefined;
    }
  };
  const set = (key: string, value: Value, options?: Options): string => {
    const before = newest.get(key);
    if (before !== undefined) previous.set(key, before);
    newest.set(key, value);
    return inner.set(key, value, options);
  };
  return {
    set,
    getSync: (key) => answer(key, inner.getSync(key)),
    get: async (key) => answer(key, await inner.get(key)),
    getMany: (keys) => inner.getMany(keys),
    has: (key) => inner.has(key),
    delete: (key) => inner.delete(key),
    clear: () => {
      inner.clear();
    },
    deleteByTag: (tags) => {
      if (lie !== "invalidated") inner.deleteByTag(tags);
    },
    fetch: (key, loader, options) => inner.fetch(key, loader, options),
    flush: () => inner.flush(),
  };
}
