// The caches that one exporter reads. Invariants: a cache has its stats read once a scrape; no two
// open ones have one name, since their time series would be one; a closed cache leaves by itself.
import { describe } from "../base/mod.js";
import type { CacheStats, NamespaceStats } from "../stats/mod.js";
import type { Labels } from "./metric.js";

/**
 * What an exporter reads: a cache.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { collect, type MetricsSource } from "undercroft/prometheus";
 *
 * const cache = await openCache({ name: "users" });
 * const sources: MetricsSource[] = [cache];
 * console.log(collect(sources).includes('cache="users"')); // true
 * await cache.close();
 * ```
 */
export interface MetricsSource {
  readonly name: string;
  stats(): CacheStats;
}

/** Numbers at one moment, and the labels that tell them from others'. */
export interface Reading<S> {
  readonly labels: Labels;
  readonly stats: S;
}

/** The numbers of one cache, and of each of its namespaces, with one label more. */
export interface MetricsReading extends Reading<CacheStats> {
  readonly namespaces: readonly Reading<NamespaceStats>[];
}

export class CacheSet {
  #sources: ReadonlySet<MetricsSource> = new Set();
  #shared: readonly MetricsReading[] | undefined;

  get isEmpty(): boolean {
    return this.#sources.size === 0;
  }

  /**
   * Adds caches: all or, if it throws, none. Those that are closed are dropped.
   *
   * @throws TypeError if one is no cache; RangeError if two open ones have one name.
   */
  add(caches: MetricsSource | Iterable<MetricsSource>): void {
    const open = openOf([...this.#sources, ...sourcesOf(caches)]);
    this.#sources = new Set(open.keys());
    this.#shared = undefined;
  }

  remove(caches: readonly MetricsSource[]): void {
    this.#sources = new Set([...this.#sources].filter((source) => !caches.includes(source)));
    this.#shared = undefined;
  }

  /** Reads every open cache, and drops those that are closed. */
  read(): readonly MetricsReading[] {
    const open = openOf(this.#sources);
    this.#sources = new Set(open.keys());
    return [...open.values()];
  }

  /** As `read`, once for all calls of one turn: a registry asks each metric by itself. */
  readShared(): readonly MetricsReading[] {
    if (this.#shared === undefined) {
      this.#shared = this.read();
      void Promise.resolve().then(() => {
        this.#shared = undefined;
      });
    }
    return this.#shared;
  }
}

/** Reads caches once: those that are open. Throws TypeError if one is no cache; RangeError if two
 *  open ones have one name. */
export function readCaches(
  caches: MetricsSource | Iterable<MetricsSource>,
): readonly MetricsReading[] {
  return [...openOf(sourcesOf(caches)).values()];
}

/** The caches as an array. Throws TypeError if one is no cache. */
export function sourcesOf(caches: unknown): readonly MetricsSource[] {
  if (isSource(caches)) return [caches];
  if (typeof caches !== "object" || caches === null || !(Symbol.iterator in caches)) {
    throw notCache(caches);
  }
  return Array.from(caches as Iterable<unknown>, (source) => {
    if (!isSource(source)) throw notCache(source);
    return source;
  });
}

function openOf(sources: Iterable<MetricsSource>): Map<MetricsSource, MetricsReading> {
  const open = new Map<MetricsSource, MetricsReading>();
  const names = new Set<string>();
  for (const source of new Set(sources)) {
    const stats = statsOf(source);
    if (stats === undefined) continue;
    if (names.has(source.name)) throw sameName(source.name);
    names.add(source.name);
    open.set(source, readingOf(source.name, stats));
  }
  return open;
}

function readingOf(cache: string, stats: CacheStats): MetricsReading {
  const namespaces = stats.namespaces.map((part) => ({
    labels: { cache, namespace: part.name },
    stats: part,
  }));
  return { labels: { cache }, stats, namespaces };
}

/** `undefined` if the cache is closed. */
function statsOf(source: MetricsSource): CacheStats | undefined {
  try {
    return source.stats();
  } catch (error) {
    if ((error as { readonly code?: unknown } | null)?.code === "ERR_CACHE_CLOSED")
      return undefined;
    throw error;
  }
}

function isSource(value: unknown): value is MetricsSource {
  if (typeof value !== "object" || value === null) return false;
  const { name, stats } = value as Partial<MetricsSource>;
  return typeof name === "string" && typeof stats === "function";
}

function notCache(value: unknown): TypeError {
  return new TypeError(
    `Cannot export metrics of ${describe(value)}: it must be a cache, or several in an array`,
  );
}

function sameName(name: string): RangeError {
  return new RangeError(
    `Cannot export metrics of two caches named ${describe(name)}: each needs a name of its own; ` +
      "give one by openCache({ name })",
  );
}
