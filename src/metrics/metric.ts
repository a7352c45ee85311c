// What a metric is, whatever system it is exported to: a name in dotted words, a unit, a sentence,
// and how it is read from what `stats()` returned. cache-metrics.ts lists them; the exporters make
// their own names of these. Invariant: a counter is a counter of stats() itself, never a difference
// of two, which may fall when threads count meanwhile and would look like a restart.
import {
  bucketsPerDecade,
  type CacheStats,
  latencyBoundsNs,
  type LatencyHistogram,
} from "../stats/mod.js";

export type Labels = Readonly<Record<string, string>>;

interface Named {
  /** Dotted words without the package's name. */
  readonly name: string;
  /** A sentence for people. */
  readonly help: string;
  /** The labels of each of its samples, in the order in which `read` gives them. The label that
   *  names the cache comes on top. */
  readonly labels: readonly Labels[];
}

/** `S` is what it is read from: the stats of a cache, or of a namespace. */
export interface NumberMetric<S = CacheStats> extends Named {
  /** A `counter` only grows while the cache is open. A `level` can be added up over caches, as
   *  bytes can; a `gauge` cannot. */
  readonly kind: "counter" | "level" | "gauge";
  /** As UCUM writes it: bytes, a plain number, or what is counted. */
  readonly unit: "By" | "1" | `{${string}}`;
  /** The name in Prometheus, where OpenTelemetry's rules want one that Prometheus's forbid. */
  readonly plural?: string;
  /** A number for each of `labels`, or none. */
  readonly read: (stats: S) => readonly number[];
}

export interface HistogramMetric<S = CacheStats> extends Named {
  readonly kind: "histogram";
  readonly unit: "s";
  /** The lowest and the highest bound that is worth a time series. */
  readonly fromNs: number;
  readonly toNs: number;
  /** A histogram for each of `labels`. */
  readonly read: (stats: S) => readonly LatencyHistogram[];
}

export type Metric = NumberMetric | HistogramMetric;

type Read<S> = NumberMetric<S>["read"];
type Unit = NumberMetric["unit"];

/** The labels of a metric that has one sample. */
export const none: readonly Labels[] = [Object.freeze({})];

/** The labels of samples that one label tells apart. */
export function by(label: string, values: readonly string[]): readonly Labels[] {
  return values.map((value) => Object.freeze({ [label]: value }));
}

export function counter<S = CacheStats>(
  name: string,
  unit: Unit,
  help: string,
  read: Read<S>,
  labels = none,
): NumberMetric<S> {
  return { name, kind: "counter", unit, help, labels, read };
}

export function level<S = CacheStats>(
  name: string,
  unit: Unit,
  help: string,
  read: Read<S>,
  labels = none,
): NumberMetric<S> {
  return { name, kind: "level", unit, help, labels, read };
}

/** A level that counts things: OpenTelemetry ends its name in `.count`, Prometheus has a plural. */
export function countOf<S = CacheStats>(
  name: string,
  plural: string,
  unit: Unit,
  help: string,
  read: Read<S>,
  labels = none,
): NumberMetric<S> {
  return { name: `${name}.count`, plural, kind: "level", unit, help, labels, read };
}

/** Of the seven buckets to a decade, those that end at 1, 1.93 and 5.18 times a power of ten. */
const stepsTold: ReadonlySet<number> = new Set([0, 5, 2]);

/** The bounds of a histogram that are worth a time series: a decade in three. */
export function boundsTold({
  fromNs,
  toNs,
}: Pick<HistogramMetric, "fromNs" | "toNs">): readonly number[] {
  return latencyBoundsNs.filter((boundNs, index) => {
    const step = (latencyBoundsNs.length - 1 - index) % bucketsPerDecade;
    return stepsTold.has(step) && boundNs >= fromNs && boundNs <= toNs;
  });
}

/** The samples below each of `boundsNs`, which are bounds of the histogram. */
export function samplesBelow(
  boundsNs: readonly number[],
  { counts }: LatencyHistogram,
): readonly number[] {
  let bucket = 0;
  let below = 0;
  return boundsNs.map((boundNs) => {
    for (; (latencyBoundsNs[bucket] as number) <= boundNs; bucket++) {
      below += counts[bucket] as number;
    }
    return below;
  });
}
