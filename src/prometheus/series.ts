// Metrics as Prometheus knows them: families of time series. The names follow from the metric's by
// the rules that OpenTelemetry gives for Prometheus, and pass promtool's: dots are underscores, a
// unit is a suffix, a counter ends in _total.
import {
  boundsTold,
  cacheMetrics,
  type HistogramMetric,
  type Labels,
  type MetricsReading,
  namespaceMetrics,
  type NumberMetric,
  type Reading,
  samplesBelow,
} from "../metrics/mod.js";

/** One time series of each cache. */
export interface Series {
  /** The family's name, for a histogram with _bucket, _sum or _count. */
  readonly name: string;
  readonly labels: Labels;
  /** The upper bound of a bucket in seconds. */
  readonly le?: number;
}

export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** The unit in the name. */
  readonly unit: "" | "bytes" | "seconds";
  readonly help: string;
  /** How the numbers of several processes are put together. */
  readonly aggregator: "sum" | "min";
  readonly series: readonly Series[];
  /** For the cache, or for each of its namespaces: the labels that name it, and a number for each
   *  of `series`, from the first on: a cache may lack the last of them. */
  read(reading: MetricsReading): readonly SeriesValues[];
}

interface SeriesValues {
  readonly labels: Labels;
  readonly values: readonly number[];
}

/** What a metric is read from, of one cache. */
type ReadingsOf<S> = (reading: MetricsReading) => readonly Reading<S>[];

const suffixes: Readonly<Record<string, Family["unit"]>> = { By: "bytes", s: "seconds" };

export const families: readonly Family[] = [
  ...cacheMetrics.map((metric) => familyOf(metric, (reading) => [reading])),
  ...namespaceMetrics.map((metric) => familyOf(metric, ({ namespaces }) => namespaces)),
];

function familyOf<S>(
  metric: NumberMetric<S> | HistogramMetric<S>,
  readingsOf: ReadingsOf<S>,
): Family {
  const { help } = metric;
  const unit = suffixes[metric.unit] ?? "";
  const words = (metric.kind === "histogram" ? undefined : metric.plural) ?? metric.name;
  const name = ["undercroft", ...words.split("."), unit, metric.kind === "counter" ? "total" : ""]
    .filter((word) => word !== "")
    .join("_");
  if (metric.kind === "histogram") {
    const buckets = bucketsOf(name, metric, readingsOf);
    return { name, type: "histogram", unit, help, aggregator: "sum", ...buckets };
  }
  return {
    name,
    type: metric.kind === "counter" ? "counter" : "gauge",
    unit,
    help,
    aggregator: metric.kind === "gauge" ? "min" : "sum",
    series: metric.labels.map((labels) => ({ name, labels })),
    read: valuesBy(readingsOf, metric.read),
  };
}

function valuesBy<S>(
  readingsOf: ReadingsOf<S>,
  read: (stats: S) => readonly number[],
): Family["read"] {
  return (reading) =>
    readingsOf(reading).map(({ labels, stats }) => ({ labels, values: read(stats) }));
}

function bucketsOf<S>(
  name: string,
  metric: HistogramMetric<S>,
  readingsOf: ReadingsOf<S>,
): Pick<Family, "series" | "read"> {
  const boundsNs = boundsTold(metric);
  const seconds = boundsNs.map((boundNs) => Number((boundNs / 1e9).toPrecision(4)));
  const bucket = `${name}_bucket`;
  return {
    series: metric.labels.flatMap((labels) => [
      ...[...seconds, Infinity].map((le) => ({ name: bucket, labels, le })),
      { name: `${name}_sum`, labels },
      { name: `${name}_count`, labels },
    ]),
    read: valuesBy(readingsOf, (stats) =>
      metric.read(stats).flatMap((histogram) => {
        const { count, sumNs } = histogram;
        return [...samplesBelow(boundsNs, histogram), count, sumNs / 1e9, count];
      }),
    ),
  };
}

/** A bound as Prometheus itself writes it: `1e-07`; in OpenMetrics with a point, `1.0`. */
export function boundText(seconds: number, isOpenMetrics: boolean): string {
  if (seconds === Infinity) return "+Inf";
  const text = seconds < 1e-4 ? seconds.toExponential() : String(seconds);
  const padded = text.replace(/e-(\d)$/, "e-0$1");
  return isOpenMetrics && Number.isInteger(seconds) ? `${padded}.0` : padded;
}
