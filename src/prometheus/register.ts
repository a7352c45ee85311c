// The metrics in the caller's registry of prom-client, whose door for metrics made elsewhere is
// `registerMetric`: prom-client itself is not imported. Invariant: a scrape reads the stats of each
// cache once, whatever the number of metrics.
import { CacheSet, type MetricsSource, sourcesOf } from "../metrics/mod.js";
import { boundText, families, type Family, type Series } from "./series.js";

/**
 * The part of prom-client's Registry that `register` uses.
 *
 * @example
 * ```ts
 * import { Registry } from "prom-client";
 * import type { MetricsRegistry } from "undercroft/prometheus";
 *
 * const registry: MetricsRegistry = new Registry();
 * console.log(registry.getSingleMetric("undercroft_loads_total")); // undefined
 * ```
 */
export interface MetricsRegistry {
  readonly contentType?: string;
  registerMetric(metric: never): void;
  getSingleMetric(name: string): unknown;
  removeSingleMetric(name: string): void;
}

/** A metric as a registry of prom-client asks for it. */
interface RegistryValue {
  readonly metricName: string;
  readonly labels: Record<string, string>;
  readonly value: number;
}

/** A family as a metric of prom-client. */
class FamilyMetric {
  /** Registries in OpenMetrics take the suffix _total away. */
  name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly #family: Family;
  readonly #registry: MetricsRegistry;
  readonly #caches: CacheSet;

  constructor(family: Family, registry: MetricsRegistry, caches: CacheSet) {
    this.name = family.name;
    this.help = family.help;
    this.type = family.type;
    this.aggregator = family.aggregator;
    this.#family = family;
    this.#registry = registry;
    this.#caches = caches;
  }

  async get(): Promise<object> {
    const family = this.#family;
    const isOpenMetrics = this.#registry.contentType?.includes("openmetrics") === true;
    // A registry in OpenMetrics puts _total back behind a counter's name.
    const name = isOpenMetrics ? this.name : family.name;
    const values: RegistryValue[] = [];
    const readings = this.#caches.readShared().flatMap((reading) => family.read(reading));
    for (const { labels: source, values: numbers } of readings) {
      for (const [index, value] of numbers.entries()) {
        const series = family.series[index] as Series;
        const bound = series.le === undefined ? {} : { le: boundText(series.le, isOpenMetrics) };
        const metricName = series.name === family.name ? name : series.name;
        values.push({ metricName, labels: { ...source, ...series.labels, ...bound }, value });
      }
    }
    return { name, help: this.help, type: this.type, aggregator: this.aggregator, values };
  }

  /** What a cache has counted is not the registry's to reset. */
  reset(): void {}
}

interface Registration {
  readonly caches: CacheSet;
  readonly metrics: readonly (readonly [name: string, metric: FamilyMetric])[];
}

const registrations = new WeakMap<MetricsRegistry, Registration>();

/**
 * Adds the metrics of one or several caches to a registry of prom-client, which reads them at each
 * scrape. A second call for the same registry adds its caches to those that are there. A cache that
 * is closed leaves by itself. `stats()` covers all threads, so register in one thread only.
 *
 * @returns A function that removes these caches again, and with the last of them the metrics.
 * @throws TypeError if `registry` or a cache is none; RangeError if two caches have one name. What
 *   the registry throws if it has another metric of the same name. Nothing is added then.
 *
 * @example
 * ```ts
 * import { Registry } from "prom-client";
 * import { openCache } from "undercroft";
 * import { register } from "undercroft/prometheus";
 *
 * const registry = new Registry();
 * const cache = await openCache<string>({ name: "users" });
 * const unregister = register(registry, cache);
 * await cache.fetch("user:7", () => "Ada");
 * const text = await registry.metrics();
 * console.log(text.includes('undercroft_loads_total{cache="users"} 1')); // true
 * unregister();
 * await cache.close();
 * ```
 */
export function register(
  registry: MetricsRegistry,
  caches: MetricsSource | Iterable<MetricsSource>,
): () => void {
  assertRegistry(registry);
  const sources = sourcesOf(caches);
  const registration = registrations.get(registry) ?? makeRegistration(registry);
  registration.caches.add(sources);
  addMetrics(registry, registration, sources);
  registrations.set(registry, registration);
  return () => {
    registration.caches.remove(sources);
    if (registration.caches.isEmpty) removeMetrics(registry, registration);
  };
}

function makeRegistration(registry: MetricsRegistry): Registration {
  const caches = new CacheSet();
  const metrics = families.map(
    (family) => [family.name, new FamilyMetric(family, registry, caches)] as const,
  );
  return { caches, metrics };
}

/** Adds the metrics, unless they are there: the registry may have been cleared. */
function addMetrics(
  registry: MetricsRegistry,
  registration: Registration,
  sources: readonly MetricsSource[],
): void {
  try {
    for (const [name, metric] of registration.metrics) {
      if (registry.getSingleMetric(name) !== metric) registry.registerMetric(metric as never);
    }
  } catch (error) {
    registration.caches.remove(sources);
    if (registration.caches.isEmpty) removeMetrics(registry, registration);
    throw error;
  }
}

function removeMetrics(registry: MetricsRegistry, { metrics }: Registration): void {
  for (const [name, metric] of metrics) {
    if (registry.getSingleMetric(name) === metric) registry.removeSingleMetric(name);
  }
}

function assertRegistry(registry: unknown): asserts registry is MetricsRegistry {
  const { registerMetric, getSingleMetric, removeSingleMetric } = (registry ??
    {}) as Partial<MetricsRegistry>;
  for (const method of [registerMetric, getSingleMetric, removeSingleMetric]) {
    if (typeof method === "function") continue;
    throw new TypeError(
      "Cannot register metrics: the registry must be a Registry of prom-client, with " +
        "registerMetric(), getSingleMetric() and removeSingleMetric()",
    );
  }
}
