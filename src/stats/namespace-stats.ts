// What `stats()` tells of each namespace. snapshot.ts makes it; each number says what it is, as in
// cache-stats.ts.
import { requestCounts, writeCounts } from "./call-counts.js";
import * as counters from "./counters.js";

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

/** The numbers behind them. */
export interface NamespaceReading {
  readonly name: string;
  /** By the numbers of spaceCounters and removalCounters. */
  readonly totals: ReadonlyMap<number, number>;
  readonly memory: NamespaceStats["memory"];
  readonly disk: NamespaceStats["disk"];
}

/** The reading of an interval: what the counters have grown by, and the gauges now. */
export function readingBetween(
  before: NamespaceReading | undefined,
  now: NamespaceReading,
): NamespaceReading {
  const totals = new Map<number, number>();
  for (const [counter, total] of now.totals) {
    totals.set(counter, total - (before?.totals.get(counter) ?? 0));
  }
  return { ...now, totals };
}

/** What is left of the cache's numbers for its own key space. The cache's counters are sums of its
 *  own and of those that are given, so these are whole again: they never fall. */
export function ownReading(
  cache: (counter: number) => number,
  memory: { readonly entries: number; readonly bytes: number },
  namespaces: readonly NamespaceReading[],
  known: readonly number[],
): NamespaceReading {
  const sumOf = (read: (reading: NamespaceReading) => number): number =>
    namespaces.reduce((sum, reading) => sum + read(reading), 0);
  const totals = new Map(
    known.map((counter) => [
      counter,
      cache(counter) - sumOf((reading) => reading.totals.get(counter) ?? 0),
    ]),
  );
  const entries = Math.max(0, memory.entries - sumOf((reading) => reading.memory.entries));
  const bytes = Math.max(0, memory.bytes - sumOf((reading) => reading.memory.bytes));
  return { name: "", totals, memory: { entries, bytes, shareBytes: 0 }, disk: { shareBytes: 0 } };
}

/** A reading as users see it. */
export function namespaceStatsOf({ name, totals, memory, disk }: NamespaceReading): NamespaceStats {
  const total = (counter: number): number => totals.get(counter) ?? 0;
  return {
    name,
    ...requestCounts(total),
    fillsSuperseded: total(counters.counterFillsSuperseded),
    ...writeCounts(total),
    evictions: {
      memory: total(counters.counterEvictionsMemory),
      disk: total(counters.counterEvictionsDisk),
    },
    expirations: total(counters.counterExpirations),
    memory: { ...memory },
    disk: { ...disk },
  };
}
