// The part of @opentelemetry/api's Meter that `observe` uses, by structure: the package is not
// imported. Instruments are opaque, and made and taken by the same meter.

/** What a meter is told about an instrument. */
interface InstrumentOptions {
  readonly description: string;
  readonly unit: string;
}

export type Attributes = Record<string, string | number>;

export interface BatchResult {
  observe(instrument: never, value: number, attributes?: Attributes): void;
}

export type BatchCallback = (result: BatchResult) => void;

/**
 * The part of OpenTelemetry's Meter that `observe` uses.
 *
 * @example
 * ```ts
 * import { metrics } from "@opentelemetry/api";
 * import type { MetricsMeter } from "undercroft/opentelemetry";
 *
 * const meter: MetricsMeter = metrics.getMeter("undercroft");
 * console.log(typeof meter.addBatchObservableCallback); // function
 * ```
 */
export interface MetricsMeter {
  createObservableCounter(name: string, options: InstrumentOptions): unknown;
  createObservableUpDownCounter(name: string, options: InstrumentOptions): unknown;
  createObservableGauge(name: string, options: InstrumentOptions): unknown;
  addBatchObservableCallback(callback: BatchCallback, instruments: never[]): void;
  removeBatchObservableCallback(callback: BatchCallback, instruments: never[]): void;
}
