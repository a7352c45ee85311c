// The type of what `stats()` returns, and which counter is which of its numbers; snapshot.ts makes
// it. Each number says what it is: a counter (a total since the cache was opened, over all threads)
// or a gauge (its value now). A test holds the words to what `since` does with the number, and
// docs/statistics.md to the words.

import * as counter from "./counters.js";
import type { StatsGauges } from "./gauges.js";
import type { LatencyHistogram, Percentiles } from "./histogram.js";
import type { NamespaceStats } from "./namespace-stats.js";
import type { ProcessTotals } from "./process-totals.js";
import type { TierTotals } from "./tier-totals.js";

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
 * const { hits, misses, requests } = cache.stats().since(before);
 * console.log(before.hits.total, hits.total, misses, requests); // 1 0 1 1
 * await cache.close();
 * ```
 */
export interface CacheStats {
  /** The name of the cache. */
  readonly name: string;
  /** Each namespace's part of these numbers, the cache's own key space first, under the name "". */
  readonly namespaces: readonly NamespaceStats[];
  /** Counter: calls of the user that asked for a value, each once: `getSync`, `get`, `getEntry`,
   *  `getStream`, each key of `getMany`, and `fetch` (or a wrapped function), whether it hits,
   *  joins a load or loads. It is `hits.total` plus `misses`. A call that throws before it looks
   *  (a wrong key, a closed cache, an aborted signal) is none; nor is `has`. */
  readonly requests: number;
  /** Requests that were answered from the cache, by the tier the value came from. */
  readonly hits: {
    /** Counter: answered by the near cache of the thread. */
    readonly near: number;
    /** Counter: answered from shared memory. */
    readonly memory: number;
    /** Counter: answered from disk. */
    readonly disk: number;
    /** Counter: the sum of the three. */
    readonly total: number;
  };
  /** Counter: requests that found no fresh value. Stale answers, forced refreshes and fetches that
   *  joined a load are among them. */
  readonly misses: number;
  /** Ratio: hits divided by requests, 0 to 1; 0 before the first request. */
  readonly hitRatio: number;
  /** Counter: lookups that found an expired entry. */
  readonly expiredHits: number;
  /** Counter: expired values served within their `staleFor`. */
  readonly staleServed: number;
  /** Counter: fetches answered by a remembered negative answer; each is a miss too. */
  readonly negativesServed: number;
  /** Counter: fetches for which `isValid` refused a value; each is a miss too. */
  readonly invalid: number;
  /** Counter: loaders run. */
  readonly loads: number;
  /** Counter: loaders that threw, timed out or were aborted. */
  readonly loadErrors: number;
  /** Counter: fetches that waited for another fetch's loader, in this thread or another. */
  readonly coalescedLoads: number;
  /** How threads share loads. */
  readonly flights: {
    /** Counter: the part of `coalescedLoads` that waited for a loader in another thread. */
    readonly coalescedAcross: number;
    /** Counter: loads begun by a follower after its leader died or let its lease run out. */
    readonly takeovers: number;
    /** Counter: loads that lost their lease: their thread's event loop was blocked while others
     *  waited. */
    readonly leaseExpiries: number;
    /** Counter: loads that waited in their thread for a free flight. */
    readonly queued: number;
    /** Counter: fetches of loaders refused with ERR_LOADER_CYCLE. */
    readonly cycles: number;
    /** Loads that other threads could not join, by reason. */
    readonly alone: {
      /** Counter: no flight was free for a load that a loader waits for, or for 30 s, or too many
       *  loads waited for one; or no segment had room to hash the key. */
      readonly full: number;
      /** Counter: the key's lock stayed busy. */
      readonly busy: number;
      /** Counter: the thread already had a load of the key under way. */
      readonly twice: number;
      /** Counter: another thread's value was not stored, or did not last. */
      readonly unstored: number;
    };
  };
  /** Counter: loads and asynchronous sets not stored because a newer write, delete or clear came
   *  first. */
  readonly fillsSuperseded: number;
  /** Counter: loads not stored, and asynchronous sets stored at once, because no flight was
   *  free. */
  readonly fillsRefused: number;
  /** Sets, loads and asynchronous sets by outcome. */
  readonly sets: {
    /** Counter: stored. */
    readonly stored: number;
    /** Counter: refused, larger than the cache can hold. */
    readonly tooLarge: number;
    /** Counter: refused, no free segment or too many sets queued. */
    readonly overloaded: number;
    /** Counter: bytes of the records stored. */
    readonly bytes: number;
  };
  /** Counter: deletes that removed an entry. */
  readonly deletes: number;
  /** Counter: calls of `clear`. */
  readonly clears: number;
  /** A tag is remembered until a sweep has removed everything that its invalidation voids. */
  readonly tags: StatsGauges["tags"] & {
    /** Counter: tags invalidated by `deleteByTag`. */
    readonly invalidated: number;
    /** Counter: sweeps after which tags were forgotten. */
    readonly sweeps: number;
    /** Counter: calls that waited for a sweep, because there was no room for their tag. */
    readonly waits: number;
    /** Counter: tags that got no room in time. Each removed older entries of other tags too. */
    readonly overflows: number;
  };
  /** Entries evicted, by what had no room for them. */
  readonly evictions: {
    /** Counter: left memory and had no copy on disk. */
    readonly memory: number;
    /** Counter: left with a reclaimed disk segment. */
    readonly disk: number;
    /** Counter: their index buckets were full. */
    readonly index: number;
  };
  /** Counter: expired entries removed. */
  readonly expirations: number;
  /** With `eviction: "auto"`. */
  readonly tuning: {
    /** Counter: sampled requests used. */
    readonly samples: number;
    /** Counter: sampled requests dropped, since the thread's ring was full. */
    readonly dropped: number;
    /** Counter: changes of the live setting. */
    readonly changes: number;
  };
  /** Entries moved. */
  readonly moves: {
    /** Counter: to the main log, or within it. */
    readonly toMain: number;
    /** Counter: from memory to their disk copy. */
    readonly demotions: number;
    /** Counter: from disk back to memory. */
    readonly promotions: number;
    /** Counter: written again within the disk. */
    readonly reinsertions: number;
    /** Counter: from disk to memory after open, before anybody asked. */
    readonly preloads: number;
  };
  /** Entries written to disk, and entries refused, by reason. An entry that is considered twice may
   *  be refused twice. */
  readonly admissions: {
    /** Counter: records written. */
    readonly flushed: number;
    /** Counter: their bytes. */
    readonly flushedBytes: number;
    /** Counter: less than `minTtl` to live. */
    readonly refusedExpired: number;
    /** Counter: overwritten or deleted first. */
    readonly refusedDead: number;
    /** Counter: the disk tier was down. */
    readonly refusedDiskDown: number;
    /** Counter: already on disk. */
    readonly refusedClean: number;
    /** Counter: by the user's filter. */
    readonly refusedFilter: number;
    /** Counter: larger than `maxSize`. */
    readonly refusedSize: number;
    /** Counter: neither hit nor set before. */
    readonly refusedUnseen: number;
    /** Counter: over the write budget. */
    readonly refusedBudget: number;
    /** Counter: evicted before the flusher reached them. */
    readonly refusedQueue: number;
  };
  readonly memory: StatsGauges["memory"];
  /** `null` for a cache in memory only. */
  readonly disk:
    | (NonNullable<StatsGauges["disk"]> & {
        /** Counter: batches written. */
        readonly writes: number;
        /** Counter: their bytes. */
        readonly writeBytes: number;
        /** Counter: reads by lookups. */
        readonly reads: number;
        /** Counter: their bytes. */
        readonly readBytes: number;
        /** Counter: tombstones written. */
        readonly tombstones: number;
        /** Counter: bytes of the records that were brought to memory after open. */
        readonly preloadedBytes: number;
      })
    | null;
  /** `null` without `tiers`. What they answer is a miss of the cache in `misses`. */
  readonly tiers: TierTotals | null;
  /** `null` unless `disk.share` is "host". */
  readonly processes: ProcessTotals | null;
  readonly near: StatsGauges["near"] & {
    /** Counter: values dropped from the near caches of all threads for room. */
    readonly evictions: number;
  };
  /** Ratio: bytes of batches written to disk, divided by the record bytes of stored sets; `null`
   *  without a disk tier or a stored set. */
  readonly writeAmplification: number | null;
  /** Counter: records on disk that failed their checksum, and values that did not decode. */
  readonly corruptRecords: number;
  /** Counter: values too large for one record that a read found without one of their chunks, and
   *  dropped: the chunk gave way to another key in a full index, or was damaged on disk. */
  readonly chunksMissing: number;
  /** Counter: values that a custom codec could not decode (see the event `error`). */
  readonly codecErrors: number;
  /** Counter: reads and writes of files that failed. */
  readonly diskErrors: number;
  /** Counter: disk reads that found another key. */
  readonly falseFingerprints: number;
  /** Counter: reads of a slot that changed under the reader. */
  readonly readRetries: number;
  /** Counter: reads given up as misses because their slot kept changing. */
  readonly readRetriesExceeded: number;
  /** Counter: disk reads whose entry changed during the read. */
  readonly staleReads: number;
  readonly locks: {
    /** Counter: waits for a bucket lock beyond the spin. */
    readonly waits: number;
    /** Counter: bucket locks not had within the bound. */
    readonly timeouts: number;
  };
  /** Counter: times that a writer found no free segment and reclaimed one itself. */
  readonly foregroundReclaims: number;
  readonly segments: StatsGauges["segments"] & {
    /** Counter: memory segments sealed. */
    readonly sealed: number;
    /** Counter: memory segments that the policy gave up. */
    readonly evicted: number;
    /** Counter: memory segments that only their dead bytes left. */
    readonly compacted: number;
    /** Counter: segments of the disk log reclaimed. */
    readonly diskReclaimed: number;
  };
  /** Counter: asynchronous sets handed to a worker of the pool. */
  readonly encodeTasks: number;
  /** Counter: workers replaced after they died. */
  readonly workerRestarts: number;
  readonly threads: StatsGauges["threads"] & {
    /** Counter: threads that died without detaching, and whose thread id and locks were freed. */
    readonly recovered: number;
  };
  /** Counter: events dropped, since too many waited or no thread could tell them. */
  readonly eventsDropped: number;
  /** Percentiles of the samples in `histograms`, in nanoseconds, within 17.9 %; `null` without
   *  samples. */
  readonly latency: {
    /** Percentiles: of hits in the near cache. */
    readonly near: Percentiles | null;
    /** Percentiles: of hits in shared memory. */
    readonly memory: Percentiles | null;
    /** Percentiles: of hits on disk. */
    readonly disk: Percentiles | null;
    /** Percentiles: of loads. */
    readonly load: Percentiles | null;
  };
  /** Latencies of all threads, which can be added up over processes and compared over time. */
  readonly histograms: {
    /** Histogram: of hits in the near cache: of one `getSync` in 1,024, at first one in 64. */
    readonly near: LatencyHistogram;
    /** Histogram: of hits in shared memory, sampled in the same way. */
    readonly memory: LatencyHistogram;
    /** Histogram: of all hits on disk. */
    readonly disk: LatencyHistogram;
    /** Histogram: of all loaders that ended. */
    readonly load: LatencyHistogram;
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

/** The paths of the numbers of `T`, such as "hits.near". */
type NumberPath<T> = {
  [Key in keyof T & string]: NonNullable<T[Key]> extends number
    ? Key
    : NonNullable<T[Key]> extends readonly unknown[] | ((...values: never[]) => unknown)
      ? never
      : NonNullable<T[Key]> extends object
        ? `${Key}.${NumberPath<NonNullable<T[Key]>>}`
        : never;
}[keyof T & string];

/** Which number of `CacheStats` each counter is. `NamespaceStats` has them under the same paths. */
export const reported: ReadonlyMap<number, NumberPath<CacheStats>> = new Map([
  [counter.counterNearHits, "hits.near"],
  [counter.counterMemoryHits, "hits.memory"],
  [counter.counterDiskHits, "hits.disk"],
  [counter.counterMisses, "misses"],
  [counter.counterExpiredHits, "expiredHits"],
  [counter.counterStaleServed, "staleServed"],
  [counter.counterNegativesServed, "negativesServed"],
  [counter.counterInvalid, "invalid"],
  [counter.counterLoads, "loads"],
  [counter.counterLoadErrors, "loadErrors"],
  [counter.counterLoadsCoalesced, "coalescedLoads"],
  [counter.counterLoadsCoalescedAcross, "flights.coalescedAcross"],
  [counter.counterFlightTakeovers, "flights.takeovers"],
  [counter.counterFlightsExpired, "flights.leaseExpiries"],
  [counter.counterFlightsQueued, "flights.queued"],
  [counter.counterLoaderCycles, "flights.cycles"],
  [counter.counterFlightsFull, "flights.alone.full"],
  [counter.counterFlightsBusy, "flights.alone.busy"],
  [counter.counterFlightsTwice, "flights.alone.twice"],
  [counter.counterFlightsUnstored, "flights.alone.unstored"],
  [counter.counterFillsSuperseded, "fillsSuperseded"],
  [counter.counterFlightsRefused, "fillsRefused"],
  [counter.counterSetsStored, "sets.stored"],
  [counter.counterSetsTooLarge, "sets.tooLarge"],
  [counter.counterSetsOverloaded, "sets.overloaded"],
  [counter.counterSetBytes, "sets.bytes"],
  [counter.counterDeletes, "deletes"],
  [counter.counterClears, "clears"],
  [counter.counterTagInvalidations, "tags.invalidated"],
  [counter.counterTagSweeps, "tags.sweeps"],
  [counter.counterTagWaits, "tags.waits"],
  [counter.counterTagOverflows, "tags.overflows"],
  [counter.counterEvictionsMemory, "evictions.memory"],
  [counter.counterEvictionsDisk, "evictions.disk"],
  [counter.counterEvictionsIndex, "evictions.index"],
  [counter.counterExpirations, "expirations"],
  [counter.counterSamples, "tuning.samples"],
  [counter.counterSamplesDropped, "tuning.dropped"],
  [counter.counterTunings, "tuning.changes"],
  [counter.counterMovesToMain, "moves.toMain"],
  [counter.counterDemotions, "moves.demotions"],
  [counter.counterPromotions, "moves.promotions"],
  [counter.counterReinsertions, "moves.reinsertions"],
  [counter.counterPreloads, "moves.preloads"],
  [counter.counterFlushedRecords, "admissions.flushed"],
  [counter.counterFlushedBytes, "admissions.flushedBytes"],
  [counter.counterRefusedExpired, "admissions.refusedExpired"],
  [counter.counterRefusedDead, "admissions.refusedDead"],
  [counter.counterRefusedDiskDown, "admissions.refusedDiskDown"],
  [counter.counterRefusedClean, "admissions.refusedClean"],
  [counter.counterRefusedFilter, "admissions.refusedFilter"],
  [counter.counterRefusedSize, "admissions.refusedSize"],
  [counter.counterRefusedUnseen, "admissions.refusedUnseen"],
  [counter.counterRefusedBudget, "admissions.refusedBudget"],
  [counter.counterRefusedQueue, "admissions.refusedQueue"],
  [counter.counterDiskWrites, "disk.writes"],
  [counter.counterDiskWriteBytes, "disk.writeBytes"],
  [counter.counterDiskReads, "disk.reads"],
  [counter.counterDiskReadBytes, "disk.readBytes"],
  [counter.counterTombstones, "disk.tombstones"],
  [counter.counterPreloadedBytes, "disk.preloadedBytes"],
  [counter.counterNearEvictions, "near.evictions"],
  [counter.counterCorruptRecords, "corruptRecords"],
  [counter.counterChunksMissing, "chunksMissing"],
  [counter.counterCodecErrors, "codecErrors"],
  [counter.counterDiskErrors, "diskErrors"],
  [counter.counterFalseFingerprints, "falseFingerprints"],
  [counter.counterReadRetries, "readRetries"],
  [counter.counterReadRetriesExceeded, "readRetriesExceeded"],
  [counter.counterStaleReads, "staleReads"],
  [counter.counterLockWaits, "locks.waits"],
  [counter.counterLockTimeouts, "locks.timeouts"],
  [counter.counterForegroundReclaims, "foregroundReclaims"],
  [counter.counterSegmentsSealed, "segments.sealed"],
  [counter.counterSegmentsEvicted, "segments.evicted"],
  [counter.counterSegmentsCompacted, "segments.compacted"],
  [counter.counterDiskSegmentsReclaimed, "segments.diskReclaimed"],
  [counter.counterEncodeTasks, "encodeTasks"],
  [counter.counterWorkerRestarts, "workerRestarts"],
  [counter.counterThreadsRecovered, "threads.recovered"],
  [counter.counterEventsDropped, "eventsDropped"],
]);
