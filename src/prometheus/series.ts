// Metrics as Prometheus knows them: families of time series. The names follow from the metric's by
// the rules that OpenTelemetry gives for Prometheus, and pass promtool's: dots are underscores, a
// unit is a suffix, a counter ends in _total.
import {
  cacheMetrics,
  cumulative,
  type HistogramMetric,
  type Labels,
  type Metric,
  type MetricsReading,
} from "../metrics/mod.js";

export interface Series {
  /** The family's name, for a histogram with _bucket, _sum or _count. */
  readonly name: string;
  readonly labels: Labels;
  /** The upper bound of a bucket in seconds. */
  readonly le?: number;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** The unit in the name. */
  readonly unit: "" | "bytes" | "seconds";
  readonly help: string;
  /** How the numbers of several processes are put together. */
  readonly aggregator: "sum" | "min";
  series(readings: readonly MetricsReading[]): readonly Series[];
}

const suffixes: Readonly<Record<string, Family["unit"]>> = { By: "bytes", s: "seconds" };

export const families: readonly Family[] = cacheMetrics.map(familyOf);

function familyOf(metric: Metric): Family {
  const unit = suffixes[metric.unit] ?? "";
  const words = (metric.kind === "histogram" ? undefined : metric.plural) ?? metric.name;
  const name = ["undercroft", ...words.split("."), unit, metric.kind === "counter" ? "total" : ""]
    .filter((word) => word !== "")
    .join("_");
  const { help } = metric;
  if (metric.kind === "histogram") {
    const series: Family["series"] = (readings) =>
      readings.flatMap((reading) => buckets(name, metric, reading));
    return { name, type: "histogram", unit, help, aggregator: "sum", series };
  }
  const series: Family["series"] = (readings) =>
    readings.flatMap((reading) =>
      metric.read(reading.stats).map(({ labels, value }) => ({
        name,
        labels: { ...reading.labels, ...labels },
        value,
      })),
    );
  const type = metric.kind === "counter" ? "counter" : "gauge";
  const aggregator = metric.kind === "gauge" ? "min" : "sum";
  return { name, type, unit, help, aggregator, series };
}

function buckets(name: string, metric: HistogramMetric, reading: MetricsReading): Series[] {
  return metric.read(reading.stats).flatMap(({ labels: own, histogram }) => {
    const labels = { ...reading.labels, ...own };
    const told: Series[] = cumulative(metric, histogram).map(({ seconds, count }) => ({
      name: `${name}_bucket`,
      labels,
      le: seconds,
      value: count,
    }));
    told.push({ name: `${name}_bucket`, labels, le: Infinity, value: histogram.count });
    told.push({ name: `${name}_sum`, labels, value: histogram.sumNs / 1e9 });
    told.push({ name: `${name}_count`, labels, value: histogram.count });
    return told;
  });
}

/** A bound as Prometheus itself writes it: `1e-07`; in OpenMetrics with a point, `1.0`. */
export function boundText(seconds: number, isOpenMetrics: boolean): string {
  if (seconds === Infinity) return "+Inf";
  const text = seconds < 1e-4 ? seconds.toExponential() : String(seconds);
  const padded = text.replace(/e-(\d)$/, "e-0$1");
  return isOpenMetrics && Number.isInteger(seconds) ? `${padded}.0` : padded;
}
