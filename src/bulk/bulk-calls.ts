// The methods of a key space that take or give many keys. The facade extends this class. Methods
// check what users pass, and delegate.
import { types } from "node:util";
import { assertNotAborted, describe, isWellFormed, withSignal } from "../base/mod.js";
import {
  checkedSignal,
  type FetchOptions,
  type LoadedEntry,
  optionsOf,
  optionTypeError,
  resolveFetchOptions,
  type ResolvedFetchOptions,
  type SetOptions,
} from "../config/mod.js";
import type { EntryReader, SetOutcome, ThreadCore, ValueDecoder } from "../entries/mod.js";
import {
  type Fetched,
  HeldLoads,
  type Loadable,
  type LoadedMany,
  LoadGatherer,
  type LoadManyContext,
  type ManyLoader,
} from "../fetch/mod.js";
import type { Key } from "../kernel/mod.js";
import { getMany } from "./get-many.js";
import { EntryWalk } from "./walk/entry-walk.js";
import { Warming } from "./warm/warming.js";
import {
  type AnyLoader,
  assertSource,
  type BoundLoaders,
  resolveWarmOptions,
  type WarmOptions,
  type WarmOutcome,
} from "./warm/warm-options.js";

/**
 * Options of `keys` and `entries`.
 *
 * @example
 * ```ts
 * import { openCache, type WalkOptions } from "undercroft";
 *
 * const options: WalkOptions = { prefix: "user:" };
 * const cache = await openCache<string>();
 * cache.set("user:7", "Ada");
 * for await (const key of cache.keys(options)) console.log(key); // user:7
 * await cache.close();
 * ```
 */
export interface WalkOptions {
  /** How the keys begin: text, or the bytes of its UTF-8. Default: any key. */
  readonly prefix?: string | Uint8Array;
}

/** What `warm` takes: pairs, or keys for the loader of its options. */
export type WarmSource<V, K> =
  | Iterable<readonly [K, V | LoadedEntry<V>] | K>
  | AsyncIterable<readonly [K, V | LoadedEntry<V>] | K>;

/** What a walk gives, one after the other. */
export type Walked<T> = AsyncGenerator<T, undefined, undefined>;

/** The part of a key space whose calls take or give many keys. */
export abstract class BulkCalls<V, K> {
  /** Internal, like the others that are not public. */
  protected abstract readonly core: ThreadCore;
  protected abstract readonly decoder: ValueDecoder<V>;
  protected abstract readonly reader: EntryReader<V>;
  /** Also asks the tiers, if there are any; else the reader itself. */
  protected abstract readonly looks: Pick<EntryReader<V>, "get">;
  protected abstract keyOf(key: K): Key;
  protected abstract keysOf(keys: Iterable<K>): { readonly given: readonly K[]; keys: Key[] };
  protected abstract fetchNamed(
    key: K,
    loader: AnyLoader,
    options: ResolvedFetchOptions,
    looked?: () => void,
  ): Promise<V | undefined>;
  abstract has(key: K): boolean;
  abstract set(key: K, value: V, options?: SetOptions): SetOutcome;

  /** The loaders of calls that bring none. */
  protected get bound(): BoundLoaders {
    return {};
  }

  /** The loader of single fetches whose loads are one of many: those that miss in one turn of the
   *  event loop are one call of `loadMany`. */
  protected gathered(loadMany: AnyLoader): AnyLoader {
    return new LoadGatherer(loadMany as ManyLoader<V, K>, (name: K) => this.keyOf(name)).load;
  }

  /** The fetches of many keys, in their order; one call of `loadMany` loads those that miss. */
  #fetchEach(
    keys: readonly K[],
    loadMany: ManyLoader<V, K>,
    options: ResolvedFetchOptions,
  ): Promise<V | undefined>[] {
    const held = new HeldLoads<V, K>(loadMany, (key: K) => this.keyOf(key));
    const values = keys.map((key) =>
      held.add((load, looked) => this.fetchNamed(key, load, options, looked)),
    );
    held.end();
    return values;
  }

  /**
   * Resolves to the values found in memory or on disk, by key and in the order of the keys. Absent
   * keys are left out. Reads from disk file by file, up to 64 reads at once. `signal` as for `get`.
   */
  async getMany(
    keys: Iterable<K>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Map<K, V>> {
    this.core.assertOpen();
    const signal =
      options === undefined
        ? undefined
        : checkedSignal(optionsOf("", options, ["signal"])["signal"]);
    assertNotAborted(signal);
    const wanted = this.keysOf(keys);
    const { reader, looks } = this;
    // What one turn asks of the tiers is one question to them.
    const reading =
      looks === reader
        ? getMany(reader, wanted.keys, signal)
        : Promise.all(wanted.keys.map(async (key) => looks.get(key)));
    const waits = signal !== undefined && reading instanceof Promise;
    return byName(wanted.given, await (waits ? withSignal(signal, reading) : reading));
  }

  /**
   * Like `fetch` for many keys: resolves to the values by key, in the order of the keys. Those that
   * are not in the cache and that nobody is loading are loaded by one call of `loadMany` (by more
   * than one above 10,000 keys); keys that another fetch of any thread is loading wait for that
   * one. What `loadMany` leaves out has no value: it is left out of the answer, and remembered for
   * `negativeTtl`.
   *
   * If a load fails, rejects with its error, unless a stale value may be served for each of its
   * keys; what was loaded is stored all the same. A value that cannot be stored rejects with
   * TypeError. Options as for `fetch`; each key counts as a request of its own.
   *
   * @throws TypeError if `loadMany` is not a function or gives neither a Map nor pairs.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache<string>();
   * cache.set("user:1", "Ada");
   * const users = await cache.fetchMany(["user:1", "user:2", "user:3"], async ({ keys }) => {
   *   console.log(keys); // [ 'user:2', 'user:3' ]
   *   return new Map([["user:2", "Grace"]]); // the source has no user 3
   * });
   * console.log(users); // Map(2) { 'user:1' => 'Ada', 'user:2' => 'Grace' }
   * await cache.close();
   * ```
   */
  async fetchMany<R extends Loadable<V>>(
    keys: Iterable<K>,
    loadMany: (context: LoadManyContext<K>) => LoadedMany<R, K> | PromiseLike<LoadedMany<R, K>>,
    options?: FetchOptions<Fetched<V, R>, K>,
  ): Promise<Map<K, Exclude<Fetched<V, R>, undefined>>> {
    if (typeof loadMany !== "function") {
      throw new TypeError(
        `Cannot fetch keys: loadMany is ${describe(loadMany)}; it must be a function of ` +
          "{ keys, signal } that gives a Map or [key, value] pairs",
      );
    }
    const found = this.fetchManyBy(keys, { loadMany }, options);
    return found as Promise<Map<K, Exclude<Fetched<V, R>, undefined>>>;
  }

  /** Internal: `fetchMany` with a loader of its own or a bound one, of many keys or of one. */
  protected async fetchManyBy(
    keys: Iterable<K>,
    { load, loadMany }: BoundLoaders,
    options: FetchOptions<never, never> | undefined,
  ): Promise<Map<K, V>> {
    this.core.assertOpen();
    const resolved = resolveFetchOptions(options, this.core.defaults);
    const { given } = this.keysOf(keys);
    const fetches =
      loadMany === undefined
        ? given.map(async (key) => this.fetchNamed(key, load as AnyLoader, resolved))
        : this.#fetchEach(given, loadMany as ManyLoader<V, K>, resolved);
    return byName(given, await Promise.all(fetches));
  }

  /**
   * Iterates over the keys of all entries, in memory and on disk, in no order; with `prefix` over
   * those that begin with it. A key that lives while the iteration lasts comes once, also if it is
   * set meanwhile. One that is set, deleted, evicted or expires meanwhile may come or not, but none
   * comes twice, and none that was gone when it was asked for.
   *
   * Keys on disk are read there, 128 at a time, and that is all that is held. Counts no hits. Ends
   * with ERR_CACHE_CLOSED when the cache closes.
   *
   * @throws TypeError if `prefix` is no string and no bytes.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache<number>();
   * for (const key of ["user:1", "user:2", "cart:1"]) cache.set(key, 1);
   * for await (const key of cache.keys({ prefix: "user:" })) cache.delete(key);
   * console.log(cache.has("user:1"), cache.has("cart:1")); // false true
   * await cache.close();
   * ```
   */
  keys(options?: WalkOptions): AsyncGenerator<Key, undefined, undefined> {
    return this.answerable(this.#walk(options).keys());
  }

  /**
   * Like `keys`, with the value of each: what it is when the pair is asked for.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache<number>();
   * cache.set("a", 1);
   * for await (const [key, value] of cache.entries()) console.log(key, value); // a 1
   * await cache.close();
   * ```
   */
  entries(options?: WalkOptions): AsyncGenerator<[Key, V], undefined, undefined> {
    return this.answerable(this.#walk(options).entries());
  }

  /** Internal: of what a walk finds, what may be answered. */
  protected answerable<T>(walk: Walked<T>): Walked<T> {
    return walk;
  }

  /**
   * Fills the cache from an iterable or async iterable of `[key, value]`, or of keys with a loader,
   * and resolves to what became of them. It takes no more than there is room for: while the disk
   * is behind it waits, rather than push out what is not written yet. Pairs are set, or with
   * `ifAbsent` stored only where nothing is; keys are fetched, so that nothing is loaded that is
   * there. A value may be an `entry` with its own `ttl` and tags. Where the loader is a namespace's
   * own, an array of two is a pair, unless the call gives the loader once more.
   *
   * A load that fails, or a value that cannot be stored, is counted and is an "error" event
   * (ERR_LOADER). A source that throws or gives something else rejects; what is stored stays. It
   * does not `flush`.
   *
   * @throws TypeError or RangeError for a wrong source or option, or an item that is neither a pair
   *   nor a key.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache<string>();
   * await cache.warm(new Map([["user:1", "Ada"]]), { ttl: "1h" });
   * const outcome = await cache.warm(["user:1", "user:2"], {
   *   loadMany: async ({ keys }) => keys.map((key) => [key, "Grace"] as const),
   * });
   * console.log(outcome); // { loaded: 1, present: 1, failed: 0, refused: 0 }
   * await cache.close();
   * ```
   */
  async warm(source: WarmSource<V, K>, options?: WarmOptions<V, K>): Promise<WarmOutcome> {
    const { core } = this;
    core.assertOpen();
    const resolved = resolveWarmOptions<V, K>(options, core.defaults, this.bound);
    assertSource(source);
    const { signal } = resolved;
    assertNotAborted(signal);
    const warming = new Warming<V, K>(
      {
        core,
        keyOf: (key) => this.keyOf(key),
        has: (key) => this.has(key),
        set: (key, value, given) => this.set(key, value, given),
        fetch: (key, load, given) => this.fetchNamed(key, load, given),
        fetchEach: (keys, loadMany, given) => this.#fetchEach(keys, loadMany, given),
      },
      resolved,
    );
    const warmed = warming.run(source);
    return signal === undefined ? warmed : withSignal(signal, warmed);
  }

  #walk(options: WalkOptions | undefined): EntryWalk<V> {
    this.core.assertOpen();
    return new EntryWalk(this.core, this.decoder, prefixOf(options));
  }
}

/** The values that are there, by what the caller named them by. */
function byName<K, V>(names: readonly K[], values: readonly (V | undefined)[]): Map<K, V> {
  const found = new Map<K, V>();
  for (const [position, value] of values.entries()) {
    if (value !== undefined) found.set(names[position] as K, value);
  }
  return found;
}

/** The bytes of the option `prefix`; none if it is not given. */
function prefixOf(options: unknown): Buffer {
  const { prefix = "" } = options === undefined ? {} : optionsOf("", options, ["prefix"]);
  if (typeof prefix === "string" && isWellFormed(prefix)) return Buffer.from(prefix, "utf8");
  if (types.isUint8Array(prefix)) return Buffer.from(prefix);
  throw optionTypeError("prefix", prefix, "a well-formed string or a Uint8Array");
}
