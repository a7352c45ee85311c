// What `stats()` returns: all counters, gauges and latencies of a cache as one plain object, and
// the difference of two such objects. Called by the facade. Invariant: every counter of counters.ts
// is reported here, except those from which gauges are made; a test checks it.

import { describe } from "../base/mod.js";
import type { CacheStats } from "./cache-stats.js";
import { composeCounts } from "./compose.js";
import * as counters from "./counters.js";
import type { StatsGauges } from "./gauges.js";
import {
  type NamespaceReading,
  namespaceStatsOf,
  ownReading,
  readingBetween,
} from "./namespace-reading.js";
import { processCounters } from "./process-totals.js";
import { removalCounters, spaceCounters } from "./space-counters.js";
import { tierCounters } from "./tier-totals.js";
import {
  histogramDisk,
  histogramLoad,
  histogramMemory,
  histogramNear,
  type HistogramTotals,
  latencyHistogram,
  type LatencyHistogram,
  type Percentiles,
  percentiles,
} from "./histogram.js";

export interface StatsInput {
  readonly name: string;
  /** The sum over all threads and key spaces of a counter of counters.ts. */
  total(counter: number): number;
  /** A histogram (such as histogramNear) summed over all threads. The snapshot copies it. */
  histogram(histogram: number): HistogramTotals;
  readonly gauges: StatsGauges;
  /** Without the cache's own key space, which has the rest. */
  readonly namespaces?: readonly NamespaceReading[];
}

/** The numbers behind a snapshot, from which differences are computed. */
interface Readings {
  readonly name: string;
  /** Counts the snapshots made in this thread, to tell an earlier one from a later one. */
  readonly order: number;
  readonly totals: ReadonlyMap<number, number>;
  readonly histograms: readonly LatencyHistogram[];
  readonly gauges: StatsGauges;
  /** The cache's own key space first. */
  readonly namespaces: readonly NamespaceReading[];
}

const counterNumbers: readonly number[] = Object.values(counters);
const histogramNumbers = [histogramNear, histogramMemory, histogramDisk, histogramLoad] as const;

/** Kept outside the snapshots so that they stay plain data. */
const readingsOf = new WeakMap<object, Readings>();
let snapshotsMade = 0;

export function makeSnapshot(input: StatsInput): CacheStats {
  const readings: Readings = {
    name: input.name,
    order: ++snapshotsMade,
    totals: new Map(counterNumbers.map((counter) => [counter, input.total(counter)])),
    histograms: histogramNumbers.map((histogram) => latencyHistogram(input.histogram(histogram))),
    gauges: structuredClone(input.gauges),
    namespaces: namespacesOf(input),
  };
  const stats = compose(readings);
  readingsOf.set(stats, readings);
  return stats;
}

function namespacesOf(input: StatsInput): NamespaceReading[] {
  const { gauges, namespaces = [] } = input;
  const total = (counter: number): number => input.total(counter);
  const known = [...spaceCounters, ...removalCounters];
  const own = ownReading(total, gauges.memory, namespaces, known);
  return [own, ...namespaces];
}

function difference(stats: CacheStats, previous: CacheStats): CacheStats {
  const now = readingsOf.get(stats);
  if (now === undefined) {
    throw new TypeError(
      "Cannot take since() of a difference: it covers an interval already; " +
        "call since() on what stats() returned",
    );
  }
  const before = typeof previous === "object" ? readingsOf.get(previous) : undefined;
  if (before === undefined) {
    throw new TypeError(
      `Cannot take stats since ${describe(previous)}: it is not what stats() returned; ` +
        "pass the very object, not a clone or a difference",
    );
  }
  if (before.name !== now.name) {
    throw new RangeError(
      `Cannot take stats since ${describe(before.name)}: that is another cache; ` +
        `pass an earlier stats() of ${describe(now.name)}`,
    );
  }
  if (before.order > now.order) {
    throw new RangeError(
      "Cannot take stats since a later moment: the argument is newer; pass an earlier stats()",
    );
  }
  const totals = new Map(
    counterNumbers.map((counter) => [counter, totalIn(now, counter) - totalIn(before, counter)]),
  );
  const namespaces = now.namespaces.map((reading) => {
    const earlier = before.namespaces.find(({ name }) => name === reading.name);
    return readingBetween(earlier, reading);
  });
  const { tiers, processes } = before.gauges;
  const gauges = {
    ...now.gauges,
    tiers: grownBy(tierCounters, tiers, now.gauges.tiers),
    processes: grownBy(processCounters, processes, now.gauges.processes),
  };
  const histograms = histogramsBetween(before, now);
  return compose({ ...now, totals, histograms, gauges, namespaces });
}

/** The growth of the named counters; what else is there, gauges, stays. */
function grownBy<Name extends string, T extends Readonly<Record<Name, number>>>(
  names: readonly Name[],
  before: T | null,
  now: T | null,
): T | null {
  if (before === null || now === null) return now;
  return { ...now, ...Object.fromEntries(names.map((name) => [name, now[name] - before[name]])) };
}

function totalIn(readings: Readings, counter: number): number {
  return readings.totals.get(counter) ?? 0;
}

function histogramsBetween(before: Readings, now: Readings): LatencyHistogram[] {
  return now.histograms.map(({ counts, sumNs }, histogram) => {
    const earlier = before.histograms[histogram];
    return latencyHistogram({
      counts: counts.map((count, bucket) => count - (earlier?.counts[bucket] ?? 0)),
      sumNs: sumNs - (earlier?.sumNs ?? 0),
    });
  });
}

function compose(readings: Readings): CacheStats {
  const { name, totals, gauges } = readings;
  const stats = {
    name,
    ...composeCounts(totals, gauges),
    writeAmplification: writeAmplification(readings),
    ...composeLatencies(readings.histograms),
    namespaces: readings.namespaces.map(namespaceStatsOf),
  };
  // Not enumerable: structured clone refuses a function.
  const whole = stats as unknown as CacheStats;
  Object.defineProperty(whole, "since", {
    value: (previous: CacheStats) => difference(whole, previous),
    enumerable: false,
  });
  return whole;
}

function writeAmplification(readings: Readings): number | null {
  const setBytes = totalIn(readings, counters.counterSetBytes);
  if (readings.gauges.disk === null || setBytes === 0) return null;
  return totalIn(readings, counters.counterDiskWriteBytes) / setBytes;
}

function composeLatencies(histograms: readonly LatencyHistogram[]) {
  const of = (histogram: number): LatencyHistogram => histograms[histogram] as LatencyHistogram;
  const told = (histogram: number): Percentiles | null => percentiles(of(histogram).counts);
  return {
    latency: {
      near: told(histogramNear),
      memory: told(histogramMemory),
      disk: told(histogramDisk),
      load: told(histogramLoad),
    },
    histograms: {
      near: of(histogramNear),
      memory: of(histogramMemory),
      disk: of(histogramDisk),
      load: of(histogramLoad),
    },
  } as const;
}
