// The metrics on the caller's meter of OpenTelemetry: one callback that reads the stats of each
// cache once a collection. @opentelemetry/api itself is not imported.
import { CacheSet, type MetricsSource, sourcesOf } from "../metrics/mod.js";
import { Instruments } from "./instruments.js";
import type { BatchCallback, MetricsMeter } from "./meter.js";

export type { MetricsMeter } from "./meter.js";

interface Registration {
  readonly caches: CacheSet;
  readonly instruments: Instruments;
  readonly callback: BatchCallback;
  isObserved: boolean;
}

const registrations = new WeakMap<MetricsMeter, Registration>();

/**
 * Observes one or several caches on a meter of OpenTelemetry: counters and levels of all that
 * `stats()` counts, read once a collection. A second call for the same meter adds its caches to
 * those that are there. A cache that is closed leaves by itself. `stats()` covers all threads, so
 * observe in one thread only. No metric has a key as an attribute.
 *
 * @returns A function that removes these caches again, and with the last of them the callback.
 * @throws TypeError if `meter` or a cache is none; RangeError if two caches have one name.
 *
 * @example
 * ```ts
 * import { metrics } from "@opentelemetry/api";
 * import { openCache } from "undercroft";
 * import { observe } from "undercroft/opentelemetry";
 *
 * const cache = await openCache({ name: "users" });
 * const unregister = observe(metrics.getMeter("undercroft"), cache);
 * console.log(typeof unregister); // function
 * unregister();
 * await cache.close();
 * ```
 */
export function observe(
  meter: MetricsMeter,
  caches: MetricsSource | Iterable<MetricsSource>,
): () => void {
  assertMeter(meter);
  const sources = sourcesOf(caches);
  const registration = registrations.get(meter) ?? makeRegistration(meter);
  registration.caches.add(sources);
  registrations.set(meter, registration);
  setObserved(meter, registration, true);
  return () => {
    registration.caches.remove(sources);
    if (registration.caches.isEmpty) setObserved(meter, registration, false);
  };
}

function setObserved(meter: MetricsMeter, registration: Registration, isObserved: boolean): void {
  if (registration.isObserved === isObserved) return;
  const { callback, instruments } = registration;
  if (isObserved) meter.addBatchObservableCallback(callback, instruments.all);
  else meter.removeBatchObservableCallback(callback, instruments.all);
  registration.isObserved = isObserved;
}

function makeRegistration(meter: MetricsMeter): Registration {
  const caches = new CacheSet();
  const instruments = new Instruments(meter);
  return {
    caches,
    instruments,
    callback: (result) => {
      instruments.observe(result, caches.read());
    },
    isObserved: false,
  };
}

const methods = [
  "createObservableCounter",
  "createObservableUpDownCounter",
  "createObservableGauge",
  "addBatchObservableCallback",
  "removeBatchObservableCallback",
] as const;

function assertMeter(meter: unknown): asserts meter is MetricsMeter {
  const given = (meter ?? {}) as Partial<MetricsMeter>;
  const missing = methods.find((method) => typeof given[method] !== "function");
  if (missing === undefined) return;
  throw new TypeError(
    `Cannot observe caches: the meter has no ${missing}(); it must be a Meter of ` +
      "@opentelemetry/api 1.3 or later",
  );
}
