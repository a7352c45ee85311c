// The metrics as OpenTelemetry's instruments. Names are the metrics' own after the package's; units
// are UCUM's. No instrument may observe a histogram, so of each there are its sum, its count, and
// quantiles of what came since the last collection. Invariant: with each collection every histogram
// is compared with the one that the collection before saw, and no others are kept.
import {
  cacheMetrics,
  type HistogramMetric,
  type Labels,
  type MetricsReading,
  type NumberMetric,
} from "../metrics/mod.js";
import { type LatencyHistogram, percentiles } from "../stats/mod.js";
import type { Attributes, BatchResult, MetricsMeter } from "./meter.js";

/** Observes one metric of one cache. */
type Observe = (result: BatchResult, reading: MetricsReading) => void;

export class Instruments {
  readonly all: never[] = [];
  readonly #observers: Observe[] = [];
  readonly #meter: MetricsMeter;
  /** The counts of each histogram by its labels: at the last collection, and at this one. */
  #before = new Map<string, readonly number[]>();
  #now = new Map<string, readonly number[]>();

  constructor(meter: MetricsMeter) {
    this.#meter = meter;
    for (const metric of cacheMetrics) {
      if (metric.kind === "histogram") this.#addHistogram(metric);
      else this.#addNumber(metric);
    }
  }

  observe(result: BatchResult, readings: readonly MetricsReading[]): void {
    this.#now = new Map();
    for (const reading of readings) {
      for (const observeOne of this.#observers) observeOne(result, reading);
    }
    this.#before = this.#now;
  }

  #addNumber(metric: NumberMetric): void {
    const instrument = this.#create(metric.kind, metric.name, metric);
    this.#observers.push((result, reading) => {
      for (const [index, value] of metric.read(reading.stats).entries()) {
        const labels = metric.labels[index] as Labels;
        result.observe(instrument, value, attributesOf(reading.labels, labels));
      }
    });
  }

  #addHistogram(metric: HistogramMetric): void {
    const { name, help } = metric;
    const sum = this.#create("counter", `${name}.sum`, { unit: "s", help: `${help} Their sum.` });
    const count = this.#create("counter", `${name}.count`, {
      unit: "{sample}",
      help: `${help} Their number.`,
    });
    const quantile = this.#create("gauge", `${name}.quantile`, {
      unit: "s",
      help: `${help} Quantiles since the last collection.`,
    });
    this.#observers.push((result, reading) => {
      for (const [index, histogram] of metric.read(reading.stats).entries()) {
        const attributes = attributesOf(reading.labels, metric.labels[index] as Labels);
        result.observe(sum, histogram.sumNs / 1e9, attributes);
        result.observe(count, histogram.count, attributes);
        const key = JSON.stringify([name, attributes]);
        for (const [share, ns] of this.#quantiles(key, histogram)) {
          result.observe(quantile, ns / 1e9, { ...attributes, "undercroft.quantile": share });
        }
      }
    });
  }

  /** Quantiles of the samples since the last collection, in nanoseconds; none without samples. */
  #quantiles(key: string, { counts }: LatencyHistogram): [string, number][] {
    const before = this.#before.get(key);
    this.#now.set(key, counts);
    const grown = counts.map((count, bucket) => count - (before?.[bucket] ?? 0));
    // A cache that was closed and opened again begins at 0.
    const isNew = grown.some((count) => count < 0);
    const told = percentiles(isNew ? counts : grown);
    if (told === null) return [];
    return [
      ["0.5", told.p50],
      ["0.99", told.p99],
      ["0.999", told.p999],
    ];
  }

  #create(
    kind: NumberMetric["kind"],
    name: string,
    { help, unit }: { readonly help: string; readonly unit: string },
  ): never {
    const instrument = this.#make(kind, `undercroft.${name}`, { description: help, unit }) as never;
    this.all.push(instrument);
    return instrument;
  }

  #make(
    kind: NumberMetric["kind"],
    name: string,
    options: { readonly description: string; readonly unit: string },
  ): unknown {
    switch (kind) {
      case "counter":
        return this.#meter.createObservableCounter(name, options);
      case "level":
        return this.#meter.createObservableUpDownCounter(name, options);
      case "gauge":
        return this.#meter.createObservableGauge(name, options);
    }
  }
}

/** Labels for which OpenTelemetry has attributes; the others are named after the package. */
const knownAttributes: Readonly<Record<string, string>> = {
  direction: "disk.io.direction",
  thread: "thread.id",
};

function attributesOf(...parts: readonly Labels[]): Attributes {
  const attributes: Attributes = {};
  for (const labels of parts) {
    for (const [label, value] of Object.entries(labels)) {
      const name = knownAttributes[label] ?? `undercroft.${label}`;
      attributes[name] = label === "thread" ? Number(value) : value;
    }
  }
  return attributes;
}
