// Memoised functions: a call becomes a fetch of the key that the options give it. Called by
// `Cache.wrap`. Invariant: key and function are called with the receiver of the call.
import { describe, rejecting } from "../base/mod.js";
import {
  type FetchOptions,
  type OperationDefaults,
  type ResolvedFetchOptions,
  resolveFetchOptions,
} from "../config/mod.js";
import type { Fetched, Loadable } from "../fetch/mod.js";
import type { Key } from "../kernel/mod.js";

/**
 * Options of `wrap`: those of `fetch`, and `key`, which gives the key of a call.
 *
 * @example
 * ```ts
 * import { openCache, type WrapOptions } from "undercroft";
 *
 * const options: WrapOptions<[number]> = { key: (id) => `user:${id}`, ttl: "5m" };
 * const cache = await openCache<string>();
 * const nameOf = cache.wrap((id: number) => `Ada the ${id}th`, options);
 * console.log(await nameOf(7)); // Ada the 7th
 * await cache.close();
 * ```
 */
export interface WrapOptions<
  A extends readonly unknown[],
  T = unknown,
  K = Key,
  V = unknown,
> extends FetchOptions<V, K> {
  /** The key of a call with these arguments and this receiver; called once for each call. */
  readonly key: (this: T, ...args: A) => K;
}

/** What `wrap` takes: a function of any parameters that gives what a loader may. */
export type WrappedFunction<V> = (...args: never[]) => Loadable<V> | PromiseLike<Loadable<V>>;

/** What `wrap` returns: `fn`'s own type if that is asynchronous, generic or overloaded as it may
 *  be; else the same function with a promise of its result. */
export type Wrapped<V, F extends WrappedFunction<V>> = F extends (
  ...args: never[]
) => Promise<Fetched<V, Awaited<ReturnType<F>>>>
  ? F
  : (
      this: ThisParameterType<F>,
      ...args: Parameters<F>
    ) => Promise<Fetched<V, Awaited<ReturnType<F>>>>;

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

/** The memoised function; `fetch` is called for each call of it. */
export function memoised<K>(
  fn: unknown,
  options: unknown,
  defaults: OperationDefaults,
  fetch: (key: K, loader: () => unknown, options: ResolvedFetchOptions) => Promise<unknown>,
): AnyFunction {
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot wrap ${describe(fn)}: it must be a function`);
  }
  const { key, ...rest } = (options ?? {}) as WrapOptions<unknown[], unknown, K>;
  if (typeof key !== "function") {
    throw new TypeError(
      `Cannot use option key: current value is ${describe(key)}; ` +
        "it must be a function from the arguments of a call to its key",
    );
  }
  const resolved = resolveFetchOptions(rest, defaults);
  const loaded = fn as AnyFunction;
  const wrapped = function (this: unknown, ...args: unknown[]): Promise<unknown> {
    return rejecting(() => fetch(key.apply(this, args), () => loaded.apply(this, args), resolved));
  };
  for (const name of ["name", "length"] as const) {
    const value: unknown = Reflect.get(fn, name);
    Object.defineProperty(wrapped, name, { value, configurable: true });
  }
  return wrapped;
}
