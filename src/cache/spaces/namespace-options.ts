// The options of a namespace, checked when a thread first asks for it. Called by the cache.
import { describe, isWellFormed } from "../../base/mod.js";
import {
  type Duration,
  type FetchOptions,
  type IsValid,
  nameLengthMax,
  type NamespaceConfig,
  optionsOf,
  optionTypeError,
  type RefreshOptions,
  resolveNamespaceConfig,
  type Size,
} from "../../config/mod.js";
import type { Loader, ManyLoader } from "../../fetch/mod.js";
import type { Key } from "../../kernel/mod.js";
import { KeyFunctions } from "./key-functions.js";

/**
 * The options of `Cache.namespace`. All are optional; an unknown option throws RangeError. What is
 * not given is the cache's.
 *
 * @example
 * ```ts
 * import { type NamespaceOptions, openCache } from "undercroft";
 *
 * const options: NamespaceOptions<string, { user: number }> = {
 *   key: ({ user }) => `u${user}`,
 *   tags: ({ user }) => [`user:${user}`],
 *   ttl: "1h",
 * };
 * const cache = await openCache();
 * const carts = cache.namespace("carts", options);
 * carts.set({ user: 7 }, "3 mugs");
 * cache.deleteByTag("user:7");
 * console.log(carts.getSync({ user: 7 })); // undefined
 * await cache.close();
 * ```
 */
export interface NamespaceOptions<V = unknown, K = Key> extends RefreshOptions {
  /**
   * The memory that is kept for it: a size, or a number up to 1, the fraction of the cache's. It is
   * lent to others while the namespace does not use it. Default: none, it shares what no namespace
   * has for itself. The same in every thread that gives it.
   */
  readonly memory?: Size;
  /** The same for the disk. */
  readonly disk?: Size;
  /** The key of what callers name an entry by. Default: they give the key itself. */
  readonly key?: (key: K) => Key;
  /** The loader of calls that bring none, such as `fetch(key)`. */
  readonly load?: Loader<V, K>;
  /**
   * The same for many keys: the `fetch`es that miss in one turn of the event loop are one call of
   * it, with up to 10,000 keys, and so are the misses of a `fetchMany`. Goes before `load`.
   */
  readonly loadMany?: ManyLoader<V, K>;
  /** Tags of entries whose call gives none: the same for all, or made of what names the entry. */
  readonly tags?: readonly string[] | ((key: K) => readonly string[]);
  /** Time to live of entries whose call gives none, more than 0. */
  readonly ttl?: Duration;
  /** How long after its expiry an entry may be served while it is loaded again, at least 0. */
  readonly staleFor?: Duration;
  /** How long a loader's `undefined` is remembered, at least 0; 0: it is not remembered. */
  readonly negativeTtl?: Duration;
  /** How long a loader may take: see `FetchOptions`. */
  readonly timeout?: FetchOptions["timeout"];
  /**
   * The caller's own order of writes of a key, as a value says it: a whole number, at least 0. A
   * set or a load of what is older than the entry that is there is `"outdated"`, and not stored.
   */
  readonly revision?: (value: V) => number;
  /** Asked about each cached value before a fetch returns it: see `FetchOptions`. */
  readonly isValid?: IsValid<V, K>;
  /**
   * The version of what is stored, 1 to 64 characters. What was stored under another version, or
   * under none, is never served: it is dropped when the namespace is first asked for after the
   * cache was opened. The same in every thread that gives it.
   */
  readonly version?: string;
}

/** A namespace as one thread asks for it, checked. */
export interface NamespaceRequest<V, K> {
  readonly config: NamespaceConfig;
  readonly functions: KeyFunctions<V, K> | null;
  readonly load: Loader<V, K> | null;
  readonly loadMany: ManyLoader<V, K> | null;
}

const optionNames = [
  "memory",
  "disk",
  "key",
  "load",
  "loadMany",
  "tags",
  "ttl",
  "staleFor",
  "negativeTtl",
  "timeout",
  "revision",
  "isValid",
  "refreshAfter",
  "jitter",
  "version",
] as const;

/** Throws TypeError or RangeError unless it is a name for a namespace. */
export function assertNamespaceName(name: unknown): asserts name is string {
  const allowed = `a string of 1 to ${nameLengthMax} characters, without lone surrogates`;
  const text = `Cannot use namespace ${describe(name)}: its name must be ${allowed}`;
  if (typeof name !== "string") throw new TypeError(text);
  const isOfLength = name.length > 0 && name.length <= nameLengthMax;
  if (!isOfLength || !isWellFormed(name)) throw new RangeError(text);
}

/**
 * Checks the options of a namespace.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function requestOf<V, K>(
  options: NamespaceOptions<V, K> | undefined,
  cache: Parameters<typeof resolveNamespaceConfig>[1],
): NamespaceRequest<V, K> {
  const given = options === undefined ? {} : optionsOf("", options, optionNames);
  const keyOf = functionOf<(key: K) => Key>("key", given["key"]);
  const load = functionOf<Loader<V, K>>("load", given["load"]);
  const loadMany = functionOf<ManyLoader<V, K>>("loadMany", given["loadMany"]);
  const { tags } = given;
  const tagsOf = typeof tags === "function" ? (tags as (key: K) => readonly string[]) : null;
  const functions =
    keyOf === null && tagsOf === null ? null : new KeyFunctions<V, K>(keyOf, tagsOf);
  const config = resolveNamespaceConfig({ ...given, tags: tagsOf === null ? tags : [] }, cache);
  return { config, functions, load, loadMany };
}

function functionOf<F>(option: string, value: unknown): F | null {
  if (value === undefined) return null;
  if (typeof value === "function") return value as F;
  throw optionTypeError(option, value, "a function");
}
