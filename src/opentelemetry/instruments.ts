// The metrics as OpenTelemetry's instruments. Names are the metrics' own after the package's; units
// are UCUM's. No instrument may observe a histogram, so of each there are its sum, its count, and
// the count below each bound, all of them counters, which can be added up and taken over a time.
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
import type { Attributes, BatchResult, MetricsMeter } from "./meter.js";

/** Observes one metric of one cache, or of each of its namespaces. */
type Observe = (result: BatchResult, reading: MetricsReading) => void;

export class Instruments {
  readonly all: never[] = [];
  readonly #observers: Observe[] = [];
  readonly #meter: MetricsMeter;

  constructor(meter: MetricsMeter) {
    this.#meter = meter;
    for (const metric of cacheMetrics) {
      if (metric.kind === "histogram") this.#addHistogram(metric);
      else this.#addNumber(metric, (reading) => [reading]);
    }
    for (const metric of namespaceMetrics) this.#addNumber(metric, ({ namespaces }) => namespaces);
  }

  observe(result: BatchResult, readings: readonly MetricsReading[]): void {
    for (const reading of readings) {
      for (const observeOne of this.#observers) observeOne(result, reading);
    }
  }

  /** `readingsOf`: what the metric is read from, of one cache. */
  #addNumber<S>(
    metric: NumberMetric<S>,
    readingsOf: (reading: MetricsReading) => readonly Reading<S>[],
  ): void {
    const instrument = this.#create(metric.kind, metric.name, metric.help, metric.unit);
    this.#observers.push((result, reading) => {
      for (const { labels, stats } of readingsOf(reading)) {
        for (const [index, value] of metric.read(stats).entries()) {
          const own = metric.labels[index] as Labels;
          result.observe(instrument, value, attributesOf(labels, own));
        }
      }
    });
  }

  #addHistogram(metric: HistogramMetric): void {
    const { name, help } = metric;
    const sum = this.#create("counter", `${name}.sum`, `${help} Their sum.`, "s");
    const count = this.#create("counter", `${name}.count`, `${help} Their number.`, "{sample}");
    const told = `${help} The number of those below a bound in seconds.`;
    const bucket = this.#create("counter", `${name}.bucket`, told, "{sample}");
    const boundsNs = boundsTold(metric);
    const bounds = boundsNs.map((boundNs) => String(Number((boundNs / 1e9).toPrecision(4))));
    this.#observers.push((result, reading) => {
      for (const [index, histogram] of metric.read(reading.stats).entries()) {
        const attributes = attributesOf(reading.labels, metric.labels[index] as Labels);
        result.observe(sum, histogram.sumNs / 1e9, attributes);
        result.observe(count, histogram.count, attributes);
        for (const [bound, below] of samplesBelow(boundsNs, histogram).entries()) {
          const le = bounds[bound] as string;
          result.observe(bucket, below, { ...attributes, "undercroft.le": le });
        }
      }
    });
  }

  #create(kind: NumberMetric["kind"], name: string, description: string, unit: string): never {
    const options = { description, unit };
    const instrument = this.#make(kind, `undercroft.${name}`, options) as never;
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
