// What a metric is, whatever system it is exported to: a name in dotted words, a unit, a sentence,
// and how it is read from what `stats()` returned. cache-metrics.ts lists them; the exporters make
// their own names of these. Invariant: a counter is a counter of stats() itself, never a difference
// of two, which may fall when threads count meanwhile and would look like a restart.
import { bucketsPerDecade, type CacheStats, type LatencyHistogram } from "../stats/mod.js";

export type Labels = Readonly<Record<string, string>>;

/** One number of a metric. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramSample {
  readonly labels: Labels;
  readonly histogram: LatencyHistogram;
}

interface Named {
  /** Dotted words without the package's name. */
  readonly name: string;
  /** A sentence for people. */
  readonly help: string;
  /** The names of the labels of its samples; "cache" comes on top. */
  readonly labels: readonly string[];
}

export interface NumberMetric extends Named {
  /** A `counter` only grows while the cache is open. A `level` can be added up over caches, as
   *  bytes can; a `gauge` cannot. */
  readonly kind: "counter" | "level" | "gauge";
  /** As UCUM writes it: bytes, seconds, a plain number, or what is counted. */
  readonly unit: "By" | "s" | "1" | `{${string}}`;
  /** The name in Prometheus, where OpenTelemetry's rules want one that Prometheus's forbid. */
  readonly plural?: string;
  read(stats: CacheStats): readonly Sample[];
}

export interface HistogramMetric extends Named {
  readonly kind: "histogram";
  readonly unit: "s";
  /** The lowest and the highest bound that is worth a time series. */
  readonly fromNs: number;
  readonly toNs: number;
  read(stats: CacheStats): readonly HistogramSample[];
}

export type Metric = NumberMetric | HistogramMetric;

type Read = NumberMetric["read"];
type Unit = Exclude<NumberMetric["unit"], "1" | "s">;

export function counter(
  name: string,
  unit: Unit,
  help: string,
  read: Read,
  labels: readonly string[] = [],
): NumberMetric {
  return { name, kind: "counter", unit, help, labels, read };
}

export function level(
  name: string,
  unit: Unit,
  help: string,
  read: Read,
  labels: readonly string[] = [],
): NumberMetric {
  return { name, kind: "level", unit, help, labels, read };
}

const none: Labels = Object.freeze({});

/** The one sample of a metric without labels. */
export function one(value: number): readonly Sample[] {
  return [{ labels: none, value }];
}

/** A sample for each value of a label. */
export function each(
  label: string,
  values: Readonly<Record<string, number>>,
  others: Labels = none,
): readonly Sample[] {
  return Object.entries(values).map(([name, value]) => ({
    labels: { ...others, [label]: name },
    value,
  }));
}

/** The bounds of a histogram that are worth a time series, with the samples below each: a decade in
 *  three, up to the highest. The rest of the samples is above. */
export function cumulative(
  metric: HistogramMetric,
  { boundsNs, counts }: LatencyHistogram,
): readonly { readonly seconds: number; readonly count: number }[] {
  const steps: { seconds: number; count: number }[] = [];
  let count = 0;
  for (const [index, boundNs] of boundsNs.entries()) {
    count += counts[index] as number;
    const step = (boundsNs.length - 1 - index) % bucketsPerDecade;
    if (!stepsTold.has(step) || boundNs < metric.fromNs || boundNs > metric.toNs) continue;
    steps.push({ seconds: Number((boundNs / 1e9).toPrecision(4)), count });
  }
  return steps;
}

/** Of the seven buckets to a decade, those that end at 1, 1.93 and 5.18 times a power of ten. */
const stepsTold: ReadonlySet<number> = new Set([0, 5, 2]);
