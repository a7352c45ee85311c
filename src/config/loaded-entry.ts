// What a loader returns to say more than a value: how long it lives (`entry(value, options)`), or
// that it has not changed (`unchanged`). Called by loaders; read-through unwraps it. Invariant: its
// options were checked when it was made, so the error names the option where the caller wrote it.
import type { SetOptions } from "./options.js";
import { type EntryTimes, resolveEntryOptions } from "./operation-options.js";

/**
 * A loaded value with its own `ttl`, `staleFor` or `tags`: what `entry` returns, for a loader to
 * return.
 *
 * @example
 * ```ts
 * import { entry, type LoadedEntry, openCache } from "undercroft";
 *
 * const signIn = (): LoadedEntry<string> => entry("token-7", { ttl: "50s" });
 * const cache = await openCache<string>();
 * const token: string = await cache.fetch("token", signIn);
 * console.log(token); // token-7
 * await cache.close();
 * ```
 */
export class LoadedEntry<V> {
  readonly value: V;
  /** Internal: what `entry` was given, checked; undefined where the fetch's own option counts. */
  readonly times: EntryTimes;

  /** Internal: call `entry` instead. */
  constructor(value: V, times: EntryTimes) {
    this.value = value;
    this.times = times;
  }
}

/**
 * Returns a value for a loader to return, with how long it lives and which tags it has, when what
 * is loaded says so. What is given here goes before the options of the `fetch`; what is left out is
 * as there. `undefined` as the value means that the source has none: it is then remembered for
 * `ttl`, or for the fetch's `negativeTtl` if no `ttl` is given.
 *
 * @throws TypeError or RangeError that names a wrong option, its value and what is allowed.
 *
 * @example
 * ```ts
 * import { entry, openCache } from "undercroft";
 *
 * const signIn = async () => ({ token: "secret", expiresInMs: 3_600_000 });
 * const cache = await openCache();
 * const token = await cache.fetch("token", async () => {
 *   const answer = await signIn();
 *   return entry(answer.token, { ttl: answer.expiresInMs - 1000, tags: ["session"] });
 * });
 * const kept = await cache.getEntry("token");
 * console.log(token, (kept?.expiresAt ?? 0) - (kept?.createdAt ?? 0)); // secret 3599000
 * await cache.close();
 * ```
 */
export function entry<V>(value: V, options: SetOptions = {}): LoadedEntry<V> {
  return new LoadedEntry(value, resolveEntryOptions(options));
}

declare const brand: unique symbol;

/**
 * The type of `unchanged`: what a loader may return beside its values.
 *
 * @example
 * ```ts
 * import { type LoadContext, openCache, type Unchanged, unchanged } from "undercroft";
 *
 * const load = ({ stale }: LoadContext<string>): string | Unchanged =>
 *   stale === undefined ? "loaded" : unchanged;
 * const cache = await openCache<string>();
 * await cache.fetch("page", load);
 * console.log(await cache.fetch("page", load, { forceRefresh: true })); // loaded
 * await cache.close();
 * ```
 */
export interface Unchanged {
  /** Not there: it keeps other objects from being taken for it. */
  readonly [brand]: true;
}

/**
 * What a loader returns to say that the value it was given as `stale` is still right: the value is
 * stored again as if it had just been loaded, with the tags and the revision that it has.
 * `entry(unchanged, options)` gives it another ttl or other tags. A set, a delete or the deletion
 * of one of its tags meanwhile wins, as over any load.
 *
 * A loader that returns it without having been given a value fails with TypeError.
 *
 * @example
 * ```ts
 * import { openCache, unchanged } from "undercroft";
 *
 * const cache = await openCache<string>();
 * cache.set("page", "text", { tags: ["pages"] });
 * const load = ({ stale }: { readonly stale: string | undefined }) =>
 *   stale === undefined ? "loaded" : unchanged; // as a source does that answers 304
 * console.log(await cache.fetch("page", load, { forceRefresh: true })); // text
 * await cache.close();
 * ```
 */
export const unchanged: Unchanged = Object.freeze(
  Object.create(null, { [Symbol.toStringTag]: { value: "unchanged" } }),
) as Unchanged;
