// The type of what `stats()` tells of each namespace. namespace-reading.ts makes it; each number
// says what it is, as in cache-stats.ts.

/**
 * What `Namespace.stats` returns, and each element of `CacheStats.namespaces`: the part of the
 * cache's numbers that is one namespace's. All elements together add up to the cache's.
 *
 * @example
 * ```ts
 * import { type NamespaceStats, openCache } from "undercroft";
 *
 * const cache = await openCache();
 * const users = cache.namespace<string>("users");
 * users.set("7", "Ada");
 * users.getSync("7");
 * const { requests, hits, memory }: NamespaceStats = users.stats();
 * console.log(requests, hits.total, memory.entries); // 1 1 1
 * await cache.close();
 * ```
 */
export interface NamespaceStats {
  /** Its name; "" for the cache's own keys. */
  readonly name: string;
  /** Counter: as `CacheStats.requests`, like all that follow. */
  readonly requests: number;
  readonly hits: {
    /** Counter. */
    readonly near: number;
    /** Counter. */
    readonly memory: number;
    /** Counter. */
    readonly disk: number;
    /** Counter. */
    readonly total: number;
  };
  /** Counter. */
  readonly misses: number;
  /** Ratio. */
  readonly hitRatio: number;
  /** Counter. */
  readonly expiredHits: number;
  /** Counter. */
  readonly staleServed: number;
  /** Counter. */
  readonly negativesServed: number;
  /** Counter. */
  readonly invalid: number;
  /** Counter. */
  readonly loads: number;
  /** Counter. */
  readonly loadErrors: number;
  /** Counter. */
  readonly coalescedLoads: number;
  /** Counter. */
  readonly fillsSuperseded: number;
  readonly sets: {
    /** Counter. */
    readonly stored: number;
    /** Counter. */
    readonly tooLarge: number;
    /** Counter. */
    readonly overloaded: number;
    /** Counter. */
    readonly bytes: number;
  };
  /** Counter. */
  readonly deletes: number;
  /** Without "index": a slot of the index does not tell whose entry it is. */
  readonly evictions: {
    /** Counter. */
    readonly memory: number;
    /** Counter. */
    readonly disk: number;
  };
  /** Counter. */
  readonly expirations: number;
  readonly memory: {
    /** Gauge: live entries in memory. */
    readonly entries: number;
    /** Gauge: bytes of their records. */
    readonly bytes: number;
    /** Gauge: its share of the memory in bytes, 0 if it has none. */
    readonly shareBytes: number;
  };
  readonly disk: {
    /** Gauge: its share of the disk in bytes, 0 if it has none. */
    readonly shareBytes: number;
  };
}
