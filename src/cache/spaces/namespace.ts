// A namespace as one thread has it: what `Cache.namespace` returns.
import { assert, describe } from "../../base/mod.js";
import type { AnyLoader, BoundLoaders } from "../../bulk/mod.js";
import type { FetchOptions } from "../../config/mod.js";
import type {
  Fetched,
  Loadable,
  LoadContext,
  LoadedMany,
  Loader,
  LoadManyContext,
  ManyLoader,
} from "../../fetch/mod.js";
import type { Key } from "../../kernel/mod.js";
import { type NamespaceStats, namespaceStatsOf } from "../../stats/mod.js";
import { namespaceReading } from "../statistics.js";
import { KeySpace } from "./key-space.js";
import type { NamespaceRequest } from "./namespace-options.js";
import type { SpaceParts } from "./space-parts.js";

/**
 * A part of a cache with its own keys: what one namespace stores under a key, no other and not the
 * cache itself finds under it. It has the cache's calls for keys and values, with defaults and
 * functions of its own; tags, threads, memory and directory are the cache's.
 *
 * @example
 * ```ts
 * import { type Namespace, openCache } from "undercroft";
 *
 * const cache = await openCache();
 * const users: Namespace<string> = cache.namespace<string>("users", { ttl: "1h" });
 * users.set("7", "Ada");
 * console.log(users.getSync("7"), cache.getSync("7")); // Ada undefined
 * await cache.close();
 * ```
 */
export class Namespace<V = unknown, K = Key> extends KeySpace<V, K> {
  readonly #bound: BoundLoaders;
  /** Loads the key of a single fetch. */
  readonly #load: AnyLoader | null;

  /** Internal: call `Cache.namespace` instead. */
  constructor(parts: SpaceParts, request: NamespaceRequest<V, K>) {
    super(parts, request.functions);
    const { load, loadMany } = request;
    this.#bound = { load: load ?? undefined, loadMany: loadMany ?? undefined };
    this.#load = loadMany === null ? load : (this.gathered(loadMany) as Loader<V, K>);
  }

  protected override get bound(): BoundLoaders {
    return this.#bound;
  }

  /** Its name in the cache. */
  get name(): string {
    return this.core.namespace?.name ?? "";
  }

  /**
   * As `Cache.fetch`. Without a loader it is the namespace's own, its option `load`.
   *
   * @throws Rejects with TypeError if there is neither.
   */
  override fetch<R extends Loadable<V>>(
    key: K,
    loader: (context: LoadContext<V, K>) => R | PromiseLike<R>,
    options?: FetchOptions<Fetched<V, R>, K>,
  ): Promise<Fetched<V, R>>;
  override fetch(key: K, options?: FetchOptions<V, K>): Promise<V | undefined>;
  override fetch(
    key: K,
    loader?: Loader<V, K> | FetchOptions<V, K>,
    options?: FetchOptions<V, K>,
  ): Promise<V | undefined> {
    if (typeof loader === "function") return this.fetchBy(key, loader, options);
    const load = this.#load;
    return load === null ? this.#noLoader() : this.fetchBy(key, load, loader ?? options);
  }

  /** As `Cache.getOrFetch`. Without a loader it is the namespace's own, as for `fetch`. */
  override getOrFetch<R extends Loadable<V>>(
    key: K,
    loader: (context: LoadContext<V, K>) => R | PromiseLike<R>,
    options?: FetchOptions<Fetched<V, R>, K>,
  ): Fetched<V, R> | Promise<Fetched<V, R>>;
  override getOrFetch(key: K, options?: FetchOptions<V, K>): V | Promise<V | undefined>;
  override getOrFetch(
    key: K,
    loader?: Loader<V, K> | FetchOptions<V, K>,
    options?: FetchOptions<V, K>,
  ): V | Promise<V | undefined> {
    if (typeof loader === "function") return this.getOrFetchBy(key, loader, options);
    const load = this.#load;
    return load === null ? this.#noLoader() : this.getOrFetchBy(key, load, loader ?? options);
  }

  #noLoader(): Promise<never> {
    const text = `Cannot fetch from namespace ${describe(this.name)}: it was made without a loader`;
    return Promise.reject(new TypeError(`${text}; give one here, or as its option load`));
  }

  /** Returns the part of the cache's numbers that is the namespace's, summed over all threads. */
  stats(): NamespaceStats {
    this.core.assertOpen();
    const { namespace } = this.core;
    assert(namespace !== null, "a namespace has an id");
    return namespaceStatsOf(namespaceReading(this.core, namespace.id));
  }

  /**
   * As `Cache.fetchMany`. Without a loader it is the namespace's own.
   *
   * @throws Rejects with TypeError if there is neither.
   */
  override fetchMany<R extends Loadable<V>>(
    keys: Iterable<K>,
    loadMany: (context: LoadManyContext<K>) => LoadedMany<R, K> | PromiseLike<LoadedMany<R, K>>,
    options?: FetchOptions<Fetched<V, R>, K>,
  ): Promise<Map<K, Exclude<Fetched<V, R>, undefined>>>;
  override fetchMany(keys: Iterable<K>, options?: FetchOptions<V, K>): Promise<Map<K, V>>;
  override fetchMany(
    keys: Iterable<K>,
    loader?: ManyLoader<V, K> | FetchOptions<V, K>,
    options?: FetchOptions<V, K>,
  ): Promise<Map<K, V>> {
    if (typeof loader === "function") {
      return this.fetchManyBy(keys, { loadMany: loader }, options);
    }
    const { bound } = this;
    const isBound = bound.load !== undefined || bound.loadMany !== undefined;
    return isBound ? this.fetchManyBy(keys, bound, loader ?? options) : this.#noLoader();
  }

  /**
   * Removes every entry of the namespace for every thread, now and after a restart. Takes the same
   * time however many entries there are.
   */
  clear(): void {
    this.invalidator.clear();
    this.readThrough.forgetAll();
  }
}
