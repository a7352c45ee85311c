// The type of what `stats()` returns. snapshot.ts makes it.

import type { Percentiles } from "./histogram.js";

/** Values measured now, not counted since the start: entries, bytes, limits. */
export interface StatsGauges {
  readonly memory: {
    readonly entries: number;
    readonly bytes: number;
    readonly limitBytes: number;
    readonly indexBytes: number;
    /** Bytes of the segments that are not free, plus the index and tables. */
    readonly usedBytes: number;
  };
  /** `null` for a cache in memory only. */
  readonly disk: {
    readonly entries: number;
    readonly bytes: number;
    readonly limitBytes: number;
    readonly state: "up" | "down";
    readonly segments: number;
  } | null;
  /** Of the calling thread; zeros without a near cache. */
  readonly near: { readonly entries: number; readonly bytes: number };
  /** Memory segments. */
  readonly segments: { readonly free: number; readonly total: number };
  /** Thread ids taken, of 64: the opener and each attached thread. The pool has ids of its own. */
  readonly threads: { readonly attached: number };
}

/**
 * What `stats` returns: the state of a cache at one moment. Counters are totals of all threads
 * since the cache was opened; gauges are current values. It is plain data that can be cloned,
 * posted or serialized as JSON, which drops `since`. Threads count without locks, so two counters
 * may be a few operations apart.
 *
 * @example
 * ```ts
 * import { type CacheStats, openCache } from "undercroft";
 *
 * const cache = await openCache<number>();
 * cache.set("a", 1);
 * cache.getSync("a");
 * const before: CacheStats = cache.stats();
 * cache.getSync("b");
 * const { hits, misses } = cache.stats().since(before);
 * console.log(before.hits.total, hits.total, misses); // 1 0 1
 * await cache.close();
 * ```
 */
export interface CacheStats {
  readonly name: string;
  /** Gets that returned a value, by the tier it came from. */
  readonly hits: {
    readonly near: number;
    readonly memory: number;
    readonly disk: number;
    readonly total: number;
  };
  readonly misses: number;
  /** Hits divided by hits plus misses, 0 to 1; 0 before the first read. */
  readonly hitRatio: number;
  /** Lookups that found an expired entry. */
  readonly expiredHits: number;
  readonly staleServed: number;
  readonly loads: number;
  readonly loadErrors: number;
  /** Fetches that waited for another fetch's loader, in this thread or another. */
  readonly coalescedLoads: number;
  /** How threads share loads. */
  readonly flights: {
    /** The part of `coalescedLoads` that waited for a loader in another thread. */
    readonly coalescedAcross: number;
    /** Loads begun by a follower after its leader died or let its lease run out. */
    readonly takeovers: number;
    /** Loads that lost their lease: their thread's event loop was blocked while others waited. */
    readonly leaseExpiries: number;
    /** Loads that other threads could not join, by reason. `full`: the flight table was full, or
     *  no segment had room to hash the key. `busy`: the key's lock stayed busy. `twice`: the
     *  thread already had a load of the key under way. `unstored`: another thread's value was
     *  not stored, or did not last. */
    readonly alone: {
      readonly full: number;
      readonly busy: number;
      readonly twice: number;
      readonly unstored: number;
    };
  };
  /** Loads and asynchronous sets not stored because a newer write, delete or clear came first. */
  readonly fillsSuperseded: number;
  /** Loads not stored, and asynchronous sets stored at once, because the flight table was full. */
  readonly fillsRefused: number;
  /** `set` calls by outcome; `bytes` counts the records stored. */
  readonly sets: {
    readonly stored: number;
    readonly tooLarge: number;
    readonly overloaded: number;
    readonly bytes: number;
  };
  readonly deletes: number;
  readonly clears: number;
  /** Tags invalidated by `deleteByTag`. */
  readonly tagInvalidations: number;
  /** Entries evicted, by what had no room for them. */
  readonly evictions: { readonly memory: number; readonly disk: number; readonly index: number };
  readonly expirations: number;
  /** With `eviction: "auto"`: sampled requests used, sampled requests dropped, and changes of the
   *  live setting. */
  readonly tuning: { readonly samples: number; readonly dropped: number; readonly changes: number };
  /** Entries moved: `toMain` to the main log or within it, `demotions` from memory to disk,
   *  `promotions` from disk to memory, `reinsertions` within the disk. */
  readonly moves: {
    readonly toMain: number;
    readonly demotions: number;
    readonly promotions: number;
    readonly reinsertions: number;
  };
  /** Records written to disk (`flushed`), and records refused, by reason: less than `minTtl` to
   *  live; overwritten or deleted first; the disk tier was down; already on disk; the user's
   *  filter; larger than `maxSize`; neither hit nor set before; over the write budget; evicted
   *  before the flusher reached them. A record that is considered twice may be refused twice. */
  readonly admissions: {
    readonly flushed: number;
    readonly flushedBytes: number;
    readonly refusedExpired: number;
    readonly refusedDead: number;
    readonly refusedDiskDown: number;
    readonly refusedClean: number;
    readonly refusedFilter: number;
    readonly refusedSize: number;
    readonly refusedUnseen: number;
    readonly refusedBudget: number;
    readonly refusedQueue: number;
  };
  readonly memory: StatsGauges["memory"];
  /** `null` for a cache in memory only. */
  readonly disk:
    | (NonNullable<StatsGauges["disk"]> & {
        readonly writes: number;
        readonly writeBytes: number;
        readonly reads: number;
        readonly readBytes: number;
        readonly tombstones: number;
      })
    | null;
  /** The near cache: `entries` and `bytes` of the calling thread, `evictions` of all. */
  readonly near: StatsGauges["near"] & { readonly evictions: number };
  /** Bytes of batches written to disk, divided by the record bytes of stored sets; `null` without a
   *  disk tier or a stored set. */
  readonly writeAmplification: number | null;
  readonly corruptRecords: number;
  readonly diskErrors: number;
  /** Disk reads that found another key. */
  readonly falseFingerprints: number;
  readonly readRetries: number;
  /** Reads given up as misses because their slot kept changing. */
  readonly readRetriesExceeded: number;
  /** Disk reads whose entry changed during the read. */
  readonly staleReads: number;
  readonly locks: { readonly waits: number; readonly timeouts: number };
  /** Times that a writer found no free segment and reclaimed one itself. */
  readonly foregroundReclaims: number;
  /** Memory segments. `evicted`: the policy gave them up. `compacted`: only their dead bytes went.
   *  `diskReclaimed` counts segments of the disk log. */
  readonly segments: StatsGauges["segments"] & {
    readonly sealed: number;
    readonly evicted: number;
    readonly compacted: number;
    readonly diskReclaimed: number;
  };
  /** Asynchronous sets handed to a worker of the pool. */
  readonly encodeTasks: number;
  readonly workerRestarts: number;
  /** `recovered`: threads that died without detaching, and whose thread id and locks were freed. */
  readonly threads: StatsGauges["threads"] & { readonly recovered: number };
  readonly eventsDropped: number;
  /** Sampled latencies in nanoseconds, within 17.5 %; `null` without samples. */
  readonly latency: {
    readonly near: Percentiles | null;
    readonly memory: Percentiles | null;
    readonly disk: Percentiles | null;
    readonly load: Percentiles | null;
  };
  /**
   * What happened between `previous` and this snapshot. Counters are differences, ratios and
   * latencies cover the interval, gauges are those of this snapshot. `previous` must be the very
   * object that an earlier `stats()` of the same cache returned, not a clone or a difference.
   *
   * @throws TypeError if `previous` is not such an object.
   * @throws RangeError if `previous` is of another cache or is newer.
   */
  since(previous: CacheStats): CacheStats;
}
