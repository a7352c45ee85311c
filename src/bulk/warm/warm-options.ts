// The options of `warm`, and their check. Called by the cache.
import { describe } from "../../base/mod.js";
import {
  checkedSignal,
  type FetchOptions,
  type OperationDefaults,
  optionRangeError,
  optionsOf,
  optionTypeError,
  resolveFetchOptions,
  type ResolvedFetchOptions,
  type SetOptions,
  timeoutMsMax,
} from "../../config/mod.js";
import type {
  Loadable,
  LoadContext,
  LoadedMany,
  Loader,
  LoadManyContext,
  ManyLoader,
} from "../../fetch/mod.js";
import type { Key } from "../../kernel/mod.js";

/** Loads, or calls of `loadMany`, that are under way at once. */
const concurrencyMax = 1000;
const concurrencyDefault = 16;

/**
 * What `warm` resolves to: what became of the entries.
 *
 * @example
 * ```ts
 * import { openCache, type WarmOutcome } from "undercroft";
 *
 * const cache = await openCache<number>();
 * const outcome: WarmOutcome = await cache.warm([["a", 1]]);
 * console.log(outcome); // { loaded: 1, present: 0, failed: 0, refused: 0 }
 * await cache.close();
 * ```
 */
export interface WarmOutcome {
  /** Stored by this call. */
  readonly loaded: number;
  /** There already, or stored by another load that this one waited for. */
  readonly present: number;
  /** Without a value: the loader failed or the source has none, or the value cannot be stored. */
  readonly failed: number;
  /** Not taken by the cache: too large, written or deleted by others meanwhile, or no room came. */
  readonly refused: number;
}

/**
 * Options of `warm`: those of `fetch` for the entries, where these come from, and how.
 *
 * @example
 * ```ts
 * import { openCache, type WarmOptions } from "undercroft";
 *
 * const options: WarmOptions<string> = {
 *   load: async ({ key }) => `page ${String(key)}`,
 *   concurrency: 4,
 *   ttl: "1h",
 * };
 * const cache = await openCache<string>();
 * console.log((await cache.warm(["/", "/about"], options)).loaded); // 2
 * await cache.close();
 * ```
 */
export interface WarmOptions<V, K = Key> extends Pick<
  FetchOptions,
  "ttl" | "staleFor" | "tags" | "timeout" | "negativeTtl" | "jitter"
> {
  /** The source gives keys, and this loads each. */
  load?(context: LoadContext<V, K>): Loadable<V> | PromiseLike<Loadable<V>>;
  /** The source gives keys, and this loads 100 in one call. */
  loadMany?(
    context: LoadManyContext<K>,
  ): LoadedMany<Loadable<V>, K> | PromiseLike<LoadedMany<Loadable<V>, K>>;
  /** Loads, or calls of `loadMany`, under way at once: 1 to 1,000. Default 16. */
  readonly concurrency?: number;
  /**
   * Leaves what is there alone, and what others write meanwhile. Default: true for keys, false for
   * pairs, which are set.
   */
  readonly ifAbsent?: boolean;
  /** Told how far it is, every 64 entries or so and at the end. What it throws, `warm` throws. */
  readonly onProgress?: (progress: WarmOutcome) => void;
  /** Ends it with the signal's reason; what is stored stays. */
  readonly signal?: AbortSignal;
}

/** A loader of one key or of many, whatever its types. Where a method of a key space says no more,
 *  a key space of one type of values is one of a wider type too. */
export type AnyLoader = (context: never) => unknown;

/** The loaders of a namespace, or of a call. */
export interface BoundLoaders {
  readonly load?: AnyLoader | undefined;
  readonly loadMany?: AnyLoader | undefined;
}

/** Checked options. */
export interface ResolvedWarmOptions<V, K> {
  readonly load: Loader<V, K> | undefined;
  readonly loadMany: ManyLoader<V, K> | undefined;
  /** The loader is the namespace's: the source may give pairs all the same. */
  readonly isBound: boolean;
  readonly concurrency: number;
  /** Of pairs. */
  readonly ifAbsent: boolean;
  readonly onProgress: ((progress: WarmOutcome) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  /** For pairs that are set. */
  readonly set: SetOptions;
  /** For what is fetched: it waits for a load rather than take a stale value. */
  readonly fetch: ResolvedFetchOptions;
  /** Keys are loaded anew. */
  readonly isAnew: boolean;
}

const ownNames = ["load", "loadMany", "concurrency", "ifAbsent", "onProgress", "signal"] as const;
const fetchNames = ["ttl", "staleFor", "tags", "timeout", "negativeTtl", "jitter"] as const;

/** @throws TypeError or RangeError naming the option, the value given and what is allowed. */
export function resolveWarmOptions<V, K>(
  options: unknown,
  config: OperationDefaults,
  bound: BoundLoaders,
): ResolvedWarmOptions<V, K> {
  const given = options === undefined ? {} : optionsOf("", options, [...ownNames, ...fetchNames]);
  const { load, loadMany } = loadersOf(given, bound);
  const { ifAbsent } = given;
  if (ifAbsent !== undefined && typeof ifAbsent !== "boolean") {
    throw optionTypeError("ifAbsent", ifAbsent, "true or false");
  }
  const chosen = fetchNames.flatMap((name) => (name in given ? [[name, given[name]]] : []));
  const forLoads = Object.fromEntries(chosen) as FetchOptions;
  const { ttl, staleFor, tags } = forLoads;
  return {
    load: load as Loader<V, K> | undefined,
    loadMany: loadMany as ManyLoader<V, K> | undefined,
    isBound: given["load"] === undefined && given["loadMany"] === undefined,
    concurrency: concurrencyOf(given["concurrency"]),
    ifAbsent: ifAbsent === true,
    onProgress: functionOf("onProgress", given["onProgress"]),
    signal: checkedSignal(given["signal"]),
    set: {
      ...(ttl === undefined ? {} : { ttl }),
      ...(staleFor === undefined ? {} : { staleFor }),
      ...(tags === undefined ? {} : { tags }),
    },
    fetch: {
      ...resolveFetchOptions(forLoads, config),
      softTimeoutMs: timeoutMsMax,
    },
    isAnew: ifAbsent === false,
  };
}

/** The loaders of the options; if there is none, the bound ones. One of `loadMany` goes first. */
function loadersOf(given: Readonly<Record<string, unknown>>, bound: BoundLoaders): BoundLoaders {
  const load = functionOf<AnyLoader>("load", given["load"]);
  const loadMany = functionOf<AnyLoader>("loadMany", given["loadMany"]);
  if (load !== undefined && loadMany !== undefined) {
    throw optionTypeError("loadMany", given["loadMany"], "left out where load is given");
  }
  if (load !== undefined || loadMany !== undefined) return { load, loadMany };
  return bound.loadMany === undefined ? bound : { loadMany: bound.loadMany };
}

function functionOf<F>(option: string, value: unknown): F | undefined {
  if (value === undefined || typeof value === "function") return value as F | undefined;
  throw optionTypeError(option, value, "a function");
}

function concurrencyOf(value: unknown): number {
  if (value === undefined) return concurrencyDefault;
  const allowed = `a whole number from 1 to ${concurrencyMax}`;
  if (typeof value !== "number") throw optionTypeError("concurrency", value, allowed);
  const isAllowed = Number.isInteger(value) && value >= 1 && value <= concurrencyMax;
  if (!isAllowed) throw optionRangeError("concurrency", value, allowed);
  return value;
}

/** Throws TypeError unless a source can be iterated, and is not itself a key. */
export function assertSource(source: unknown): asserts source is AsyncIterable<unknown> {
  const isObject = typeof source === "object" && source !== null;
  const has = (symbol: symbol): boolean =>
    isObject && typeof Reflect.get(source, symbol) === "function";
  const isBytes = ArrayBuffer.isView(source);
  if (!isBytes && (has(Symbol.iterator) || has(Symbol.asyncIterator))) return;
  throw new TypeError(
    `Cannot warm the cache: the source is ${describe(source)}; it must be an iterable or async ` +
      "iterable of [key, value] pairs, or of keys with option load or loadMany",
  );
}
