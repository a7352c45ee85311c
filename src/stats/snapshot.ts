// What `stats()` returns: every counter, gauge and percentile of a cache as one plain object, and the difference of two
// such objects. Called by the facade. Invariant: every counter of counters.ts has its place here (a test holds it), so
// nothing is counted in vain.

import { describe } from "../base/mod.js";
import * as counters from "./counters.js";
import {
  histogramDisk,
  histogramLoad,
  histogramMemory,
  histogramNear,
  type Percentiles,
  percentiles,
} from "./histogram.js";

/** What is measured now rather than counted: entries, bytes, limits. */
export interface StatsGauges {
  readonly memory: {
    readonly entries: number;
    readonly bytes: number;
    readonly limitBytes: number;
    readonly indexBytes: number;
    /** Segments that are not free × their size, and index and tables. */
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
  /** Thread places taken, of 64: by the opener, by workers of its pool, and by each attachment. */
  readonly threads: { readonly attached: number };
}

/** Where a snapshot's numbers come from. */
export interface StatsInput {
  readonly name: string;
  /** A counter of counters.ts, summed over all threads. */
  total(counter: number): number;
  /** The bucket counts of a histogram (histogramNear and so on), summed over all threads; copied here. */
  histogram(histogram: number): Uint32Array;
  readonly gauges: StatsGauges;
}

/**
 * The state of a cache at one moment: counters since the shared memory was made (of all threads together), gauges as
 * they are. Plain data: it may be cloned, posted and made JSON, which leaves `since` behind. Threads count without
 * waiting for each other, so numbers of different counters may be a few operations apart.
 */
export interface CacheStats {
  readonly name: string;
  /** Gets answered with a value, by where it came from. */
  readonly hits: {
    readonly near: number;
    readonly memory: number;
    readonly disk: number;
    readonly total: number;
  };
  readonly misses: number;
  /** Hits by hits and misses, 0 to 1; 0 while nothing was read. */
  readonly hitRatio: number;
  /** Lookups that met an expired entry. */
  readonly expiredHits: number;
  readonly staleServed: number;
  readonly loads: number;
  readonly loadErrors: number;
  /** Fetches that waited for another's loader, in this thread or another. */
  readonly coalescedLoads: number;
  /** Loads as the threads share them. */
  readonly flights: {
    /** Of `coalescedLoads`, those that waited for a loader in another thread. */
    readonly coalescedAcross: number;
    /** Loads begun by a thread that had waited for another's, which died or fell silent. */
    readonly takeovers: number;
    /** Loads that lost their claim to the key, as their thread's event loop stood still while others waited. */
    readonly leaseExpiries: number;
    /** Loads that ran for one thread alone, by reason: no place in the table of flights; the key's lock could not be had;
     *  the thread had an older load of the key under way; another's value was not stored, or did not last. */
    readonly alone: {
      readonly full: number;
      readonly busy: number;
      readonly twice: number;
      readonly unstored: number;
    };
  };
  /** Loads and asynchronous sets not stored, as a newer write, delete or clear came first. */
  readonly fillsSuperseded: number;
  /** Loads not stored, as too many were under way at once. */
  readonly fillsRefused: number;
  /** `set` calls by outcome; `bytes` are those of the records stored. */
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
  /** Entries evicted, by what there was no room in. */
  readonly evictions: { readonly memory: number; readonly disk: number; readonly index: number };
  readonly expirations: number;
  /** With `eviction: "auto"`: sampled requests that were taken note of and dropped, and changes of the live setting. */
  readonly tuning: { readonly samples: number; readonly dropped: number; readonly changes: number };
  /** Entries moved: within memory to the main log, from memory to disk, from disk to memory, within the disk. */
  readonly moves: {
    readonly toMain: number;
    readonly demotions: number;
    readonly promotions: number;
    readonly reinsertions: number;
  };
  /** Records written to disk (`flushed`), and those that were not by reason: with less than `minTtl` to live, overwritten
   *  or deleted first, in memory while the disk tier was down, on disk already, by the user's filter, larger than
   *  `maxSize`, neither hit nor set before, over the write budget, and gone from memory before their turn came. A record
   *  that is looked at twice may be refused twice. */
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
  /** Bytes written to the directory by record bytes of stored sets; `null` without a disk or a stored set. */
  readonly writeAmplification: number | null;
  readonly corruptRecords: number;
  readonly diskErrors: number;
  /** Disk reads that found another key. */
  readonly falseFingerprints: number;
  readonly readRetries: number;
  /** Reads given up as misses, as their slot kept changing. */
  readonly readRetriesExceeded: number;
  /** Disk reads whose entry changed meanwhile. */
  readonly staleReads: number;
  readonly locks: { readonly waits: number; readonly timeouts: number };
  /** Evictions a writer did itself. */
  readonly foregroundReclaims: number;
  /** Memory segments: `evicted` ones gave up entries, `compacted` ones only their dead bytes. And disk segments reclaimed. */
  readonly segments: StatsGauges["segments"] & {
    readonly sealed: number;
    readonly evicted: number;
    readonly compacted: number;
    readonly diskReclaimed: number;
  };
  /** Values encoded in the pool. */
  readonly encodeTasks: number;
  readonly workerRestarts: number;
  /** `recovered`: places of threads that died without detaching, freed again with all that the thread held. */
  readonly threads: StatsGauges["threads"] & { readonly recovered: number };
  readonly eventsDropped: number;
  /** Sampled latencies in nanoseconds, within 17.5 %; `null` where nothing was sampled. */
  readonly latency: {
    readonly near: Percentiles | null;
    readonly memory: Percentiles | null;
    readonly disk: Percentiles | null;
    readonly load: Percentiles | null;
  };
  /**
   * What happened between `previous` and this: counters as differences, ratios and latencies of the interval alone;
   * gauges as they are here. `previous` is an earlier `stats()` of the same cache, as it was returned: a clone, or
   * what `since` itself returned, does not do.
   *
   * @throws TypeError if `previous` is no such object, RangeError if it is of another cache or a later moment.
   */
  since(previous: CacheStats): CacheStats;
}

/** The numbers a snapshot was made of; a difference is taken of these. */
interface Readings {
  readonly name: string;
  /** Snapshots of this thread in order, to tell an earlier from a later. */
  readonly order: number;
  readonly totals: ReadonlyMap<number, number>;
  readonly histograms: readonly Uint32Array[];
  readonly gauges: StatsGauges;
}

const counterNumbers: readonly number[] = Object.values(counters);
const histogramNumbers = [histogramNear, histogramMemory, histogramDisk, histogramLoad] as const;

/** Kept beside the snapshots, not in them: they are plain data. */
const readingsOf = new WeakMap<object, Readings>();
let snapshotsMade = 0;

/** A snapshot of a cache, made of its counters, histograms and gauges. */
export function makeSnapshot(input: StatsInput): CacheStats {
  const readings: Readings = {
    name: input.name,
    order: ++snapshotsMade,
    totals: new Map(counterNumbers.map((counter) => [counter, input.total(counter)])),
    histograms: histogramNumbers.map((histogram) => Uint32Array.from(input.histogram(histogram))),
    gauges: structuredClone(input.gauges),
  };
  const stats = compose(readings);
  readingsOf.set(stats, readings);
  return stats;
}

function difference(stats: CacheStats, previous: CacheStats): CacheStats {
  const now = readingsOf.get(stats);
  if (now === undefined) {
    throw new TypeError(
      "Cannot take since() of a difference: it covers an interval already; call it on what stats() returned",
    );
  }
  const before = typeof previous === "object" ? readingsOf.get(previous) : undefined;
  if (before === undefined) {
    throw new TypeError(
      `Cannot take stats since ${describe(previous)}: it is not what stats() returned; it must be that very object`,
    );
  }
  if (before.name !== now.name) {
    throw new RangeError(
      `Cannot take stats since ${describe(before.name)}: that is another cache; it must be stats() of ${describe(now.name)}`,
    );
  }
  if (before.order > now.order) {
    throw new RangeError(
      "Cannot take stats since a later moment: the argument is newer; it must be an earlier stats()",
    );
  }
  const totals = new Map(
    counterNumbers.map((counter) => [counter, totalIn(now, counter) - totalIn(before, counter)]),
  );
  return compose({ ...now, totals, histograms: histogramsBetween(before, now) });
}

function totalIn(readings: Readings, counter: number): number {
  return readings.totals.get(counter) ?? 0;
}

/** Assigning to the u32 takes the difference modulo 2^32, so counts that came round in between are right too. */
function histogramsBetween(before: Readings, now: Readings): Uint32Array[] {
  return now.histograms.map((counts, histogram) =>
    counts.map((count, bucket) => count - (before.histograms[histogram]?.[bucket] ?? 0)),
  );
}

function compose(readings: Readings): CacheStats {
  const total = (counter: number): number => totalIn(readings, counter);
  const stats = {
    name: readings.name,
    ...composeReads(total),
    ...composeWrites(total),
    ...composeTiers(total, readings.gauges),
    ...composeTroubles(total),
    latency: {
      near: percentilesIn(readings, histogramNear),
      memory: percentilesIn(readings, histogramMemory),
      disk: percentilesIn(readings, histogramDisk),
      load: percentilesIn(readings, histogramLoad),
    },
  };
  // Not enumerable, as a function cannot be cloned.
  return Object.defineProperty(stats, "since", {
    value: (previous: CacheStats) => difference(stats as CacheStats, previous),
    enumerable: false,
  }) as CacheStats;
}

type Total = (counter: number) => number;

function percentilesIn(readings: Readings, histogram: number): Percentiles | null {
  const counts = readings.histograms[histogram];
  return counts === undefined ? null : percentiles(counts);
}

function composeReads(total: Total) {
  const near = total(counters.counterNearHits);
  const memory = total(counters.counterMemoryHits);
  const disk = total(counters.counterDiskHits);
  const misses = total(counters.counterMisses);
  const hits = near + memory + disk;
  return {
    hits: { near, memory, disk, total: hits },
    misses,
    hitRatio: hits + misses === 0 ? 0 : hits / (hits + misses),
    expiredHits: total(counters.counterExpiredHits),
    staleServed: total(counters.counterStaleServed),
    loads: total(counters.counterLoads),
    loadErrors: total(counters.counterLoadErrors),
    coalescedLoads: total(counters.counterLoadsCoalesced),
    flights: {
      coalescedAcross: total(counters.counterLoadsCoalescedAcross),
      takeovers: total(counters.counterFlightTakeovers),
      leaseExpiries: total(counters.counterFlightsExpired),
      alone: {
        full: total(counters.counterFlightsFull),
        busy: total(counters.counterFlightsBusy),
        twice: total(counters.counterFlightsTwice),
        unstored: total(counters.counterFlightsUnstored),
      },
    },
    fillsSuperseded: total(counters.counterFillsSuperseded),
    fillsRefused: total(counters.counterFlightsRefused),
  } as const;
}

function composeWrites(total: Total) {
  return {
    sets: {
      stored: total(counters.counterSetsStored),
      tooLarge: total(counters.counterSetsTooLarge),
      overloaded: total(counters.counterSetsOverloaded),
      bytes: total(counters.counterSetBytes),
    },
    deletes: total(counters.counterDeletes),
    clears: total(counters.counterClears),
    tagInvalidations: total(counters.counterTagInvalidations),
    evictions: {
      memory: total(counters.counterEvictionsMemory),
      disk: total(counters.counterEvictionsDisk),
      index: total(counters.counterEvictionsIndex),
    },
    expirations: total(counters.counterExpirations),
    tuning: {
      samples: total(counters.counterSamples),
      dropped: total(counters.counterSamplesDropped),
      changes: total(counters.counterTunings),
    },
    moves: {
      toMain: total(counters.counterMovesToMain),
      demotions: total(counters.counterDemotions),
      promotions: total(counters.counterPromotions),
      reinsertions: total(counters.counterReinsertions),
    },
    admissions: {
      flushed: total(counters.counterFlushedRecords),
      flushedBytes: total(counters.counterFlushedBytes),
      refusedExpired: total(counters.counterRefusedExpired),
      refusedDead: total(counters.counterRefusedDead),
      refusedDiskDown: total(counters.counterRefusedDiskDown),
      refusedClean: total(counters.counterRefusedClean),
      refusedFilter: total(counters.counterRefusedFilter),
      refusedSize: total(counters.counterRefusedSize),
      refusedUnseen: total(counters.counterRefusedUnseen),
      refusedBudget: total(counters.counterRefusedBudget),
      refusedQueue: total(counters.counterRefusedQueue),
    },
  } as const;
}

function composeTiers(total: Total, gauges: StatsGauges) {
  const { memory, disk, near, segments, threads } = gauges;
  const setBytes = total(counters.counterSetBytes);
  const writeBytes = total(counters.counterDiskWriteBytes);
  return {
    memory: { ...memory },
    disk:
      disk === null
        ? null
        : {
            ...disk,
            writes: total(counters.counterDiskWrites),
            writeBytes,
            reads: total(counters.counterDiskReads),
            readBytes: total(counters.counterDiskReadBytes),
            tombstones: total(counters.counterTombstones),
          },
    near: { ...near, evictions: total(counters.counterNearEvictions) },
    writeAmplification: disk === null || setBytes === 0 ? null : writeBytes / setBytes,
    segments: {
      ...segments,
      sealed: total(counters.counterSegmentsSealed),
      evicted: total(counters.counterSegmentsEvicted),
      compacted: total(counters.counterSegmentsCompacted),
      diskReclaimed: total(counters.counterDiskSegmentsReclaimed),
    },
    threads: { ...threads, recovered: total(counters.counterThreadsRecovered) },
  } as const;
}

function composeTroubles(total: Total) {
  return {
    corruptRecords: total(counters.counterCorruptRecords),
    diskErrors: total(counters.counterDiskErrors),
    falseFingerprints: total(counters.counterFalseFingerprints),
    readRetries: total(counters.counterReadRetries),
    readRetriesExceeded: total(counters.counterReadRetriesExceeded),
    staleReads: total(counters.counterStaleReads),
    locks: {
      waits: total(counters.counterLockWaits),
      timeouts: total(counters.counterLockTimeouts),
    },
    foregroundReclaims: total(counters.counterForegroundReclaims),
    encodeTasks: total(counters.counterEncodeTasks),
    workerRestarts: total(counters.counterWorkerRestarts),
    eventsDropped: total(counters.counterEventsDropped),
  } as const;
}
