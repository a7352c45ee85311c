// The handler of Next's option `cacheHandlers`: entries of "use cache". Next itself is not
// imported. Called by Next. Invariants: nothing it does rejects, since that would fail the request;
// a value is stored only whole; of two values of a key the one whose making began last stays (the
// revision).
import { assertSpace, patientSet, Refusals, shortName, type Space } from "../adapters/mod.js";
import { callersPreciseMs, UndercroftError } from "../base/mod.js";
import { revisionOf, TagTimes } from "./tag-times.js";
import { collected, streamOf } from "./value-stream.js";

/** An entry, as Next has it. `timestamp` is in milliseconds, other times are in seconds. */
interface NextEntry {
  value: ReadableStream<Uint8Array>;
  tags: string[];
  stale: number;
  timestamp: number;
  expire: number;
  revalidate: number;
}

/**
 * A `CacheHandler` of Next.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { type NextCacheHandler, nextCacheHandler } from "undercroft/next";
 *
 * const cache = await openCache();
 * const handler: NextCacheHandler = nextCacheHandler(cache);
 * console.log(await handler.get("key", [])); // undefined
 * await cache.close();
 * ```
 */
export interface NextCacheHandler {
  get(cacheKey: string, softTags: string[]): Promise<NextEntry | undefined>;
  set(cacheKey: string, pendingEntry: Promise<NextEntry>): Promise<void>;
  refreshTags(): Promise<void>;
  getExpiration(tags: string[]): Promise<number>;
  updateTags(tags: string[], durations?: { expire?: number }): Promise<void>;
}

/** An entry in the cache. */
interface StoredEntry extends Omit<NextEntry, "value" | "timestamp"> {
  readonly value: Uint8Array;
  /** When its making began, on the timeline of the tags. */
  readonly time: number;
}

/**
 * A handler for the option `cacheHandlers` of Next 16, over a cache or a namespace, which stays
 * yours. Give it one of its own; handlers over one space, in any thread, have the same entries and
 * tags.
 *
 * A `get` waits for a `set` of its key that is under way. What is past `revalidate` is given out
 * until `expire`, and Next renews it in the background. `updateTags` ends what has a tag at once,
 * or makes it stale and ends it after `expire` seconds, for all threads and sessions; soft tags
 * too. What the cache cannot hold, or fails to store, is a miss.
 *
 * @throws TypeError if `space` is neither a cache nor a namespace.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { nextCacheHandler } from "undercroft/next";
 *
 * const cache = await openCache();
 * const handler = nextCacheHandler(cache.namespace("next")); // the default export of its file
 *
 * const value = new Blob(["hello"]).stream(); // what Next does with it:
 * const times = { timestamp: Date.now(), stale: 30, revalidate: 60, expire: 3600 };
 * await handler.set("key", Promise.resolve({ value, tags: ["greeting"], ...times }));
 * const found = await handler.get("key", ["_N_T_/layout"]);
 * console.log(await new Response(found?.value).text()); // hello
 * await handler.updateTags(["greeting"]);
 * console.log(await handler.get("key", [])); // undefined
 * await cache.close();
 * ```
 */
export function nextCacheHandler(space: Space): NextCacheHandler {
  assertSpace("a cache handler for Next", space);
  const entries = new UseCacheEntries(space);
  return {
    get: (cacheKey, softTags) => entries.get(cacheKey, softTags),
    set: (cacheKey, pendingEntry) => entries.set(cacheKey, pendingEntry),
    // Tags are in shared memory, where `get` reads them.
    refreshTags: async () => {},
    // Says that `get` looks at the soft tags.
    getExpiration: async () => Infinity,
    updateTags: (tags, durations) => entries.updateTags(tags, durations),
  };
}

class UseCacheEntries {
  readonly #space: Space;
  readonly #tags: TagTimes;
  readonly #refusals = new Refusals("undercroft/next");
  /** The sets under way, the last of each key. */
  readonly #pending = new Map<string, Promise<void>>();

  constructor(space: Space) {
    this.#space = space;
    this.#tags = new TagTimes(space);
  }

  async get(cacheKey: string, softTags: readonly string[] = []): Promise<NextEntry | undefined> {
    try {
      await this.#pending.get(cacheKey);
      return await this.#find(cacheKey, softTags);
    } catch (error) {
      this.#told("a look-up failed", error);
      return undefined;
    }
  }

  async #find(cacheKey: string, softTags: readonly string[]): Promise<NextEntry | undefined> {
    const origin = await this.#tags.origin();
    if (origin === undefined) return undefined;
    const stored = (await this.#space.get(keyOf(origin.id, cacheKey))) as StoredEntry | undefined;
    if (stored === undefined) return undefined;
    const { time, value, tags, stale, expire, revalidate } = stored;
    const verdict = await this.#tags.verdict(origin, [...tags, ...softTags], time);
    if (verdict === "gone") return undefined;
    return {
      value: streamOf(value),
      tags: [...tags],
      stale,
      timestamp: time + origin.startMs,
      expire,
      // The past, at any time: Next gives the value out once more and renews it.
      revalidate: verdict === "stale" ? -1 : revalidate,
    };
  }

  async set(cacheKey: string, pendingEntry: Promise<NextEntry>): Promise<void> {
    const ended = this.#store(cacheKey, pendingEntry).catch((error: unknown) => {
      this.#told("a value was not stored", error);
    });
    this.#pending.set(cacheKey, ended);
    await ended;
    if (this.#pending.get(cacheKey) === ended) this.#pending.delete(cacheKey);
  }

  async #store(cacheKey: string, pendingEntry: Promise<NextEntry>): Promise<void> {
    const made = await whole(pendingEntry);
    if (made === undefined) return; // what failed is Next's to tell, and what was there stays
    const { value } = made;
    const { tags, stale, expire, revalidate, timestamp } = made.entry;
    const origin = await this.#tags.origin();
    if (origin === undefined) return;
    const time = timestamp - origin.startMs;
    // Its tags may have been invalidated when the marks were lost.
    if (origin.isLater && time <= 0) return;
    const key = keyOf(origin.id, cacheKey);
    const revision = revisionOf(time);
    const ttl = timestamp + expire * 1000 - callersPreciseMs();
    if (value === "too-large" || !(ttl > 0)) {
      // It is not to be served again, and what it replaces neither.
      this.#space.delete(key, { revision });
      return;
    }
    const stored: StoredEntry = { value, time, tags: [...tags], stale, expire, revalidate };
    await patientSet(this.#space, key, stored, { ttl, staleFor: 0, tags: [], revision });
  }

  async updateTags(
    tags: readonly string[],
    durations: { readonly expire?: number } | undefined,
  ): Promise<void> {
    try {
      await this.#tags.mark(tags, lifeOf(durations));
    } catch (error) {
      this.#told("tags were not invalidated", error);
    }
  }

  /** A closed cache serves nothing, so there is nothing to tell. */
  #told(kind: string, error: unknown): void {
    if (error instanceof UndercroftError && error.code === "ERR_CACHE_CLOSED") return;
    this.#refusals.tell(kind, error);
  }
}

/** An entry with its bytes; undefined if it could not be made. */
async function whole(
  pendingEntry: Promise<NextEntry>,
): Promise<{ readonly entry: NextEntry; readonly value: Uint8Array | "too-large" } | undefined> {
  try {
    const entry = await pendingEntry;
    return { entry, value: await collected(entry.value) };
  } catch {
    return undefined;
  }
}

/** How long what there is may be served as stale after an invalidation, in milliseconds. */
export function lifeOf(durations: { readonly expire?: number } | undefined): number {
  return durations === undefined ? 0 : (durations.expire ?? Infinity) * 1000;
}

function keyOf(origin: string, cacheKey: string): string {
  return `next:${origin}:use:${shortName(cacheKey)}`;
}
