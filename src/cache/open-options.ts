// The options of `openCache` that the cache itself takes, beside the configuration: listeners that
// are there before anything happens. Called by `openCache`.
import { describe } from "../base/mod.js";
import { type CacheOptions as ConfigOptions, optionsOf } from "../config/mod.js";
import type { Tier } from "../outer-tiers/mod.js";
import { type CacheEventName, type CacheEvents, type CacheListener, eventNames } from "./events.js";

/**
 * Listeners by the name of their event, for the option `on`.
 *
 * @example
 * ```ts
 * import { type CacheListeners, openCache } from "undercroft";
 *
 * const on: CacheListeners = { "tier-down": ({ error }) => console.error(error.code) };
 * const cache = await openCache({ on });
 * await cache.close();
 * ```
 */
export type CacheListeners = {
  readonly [Name in CacheEventName]?: CacheListener<Name>;
};

/**
 * The options of `openCache`. All are optional; an unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import { type CacheOptions, openCache } from "undercroft";
 *
 * const options: CacheOptions<string> = { name: "pages", memory: "16mb", ttl: "1h" };
 * const cache = await openCache(options);
 * console.log(cache.name); // pages
 * await cache.close();
 * ```
 */
export interface CacheOptions<V = unknown> extends ConfigOptions<V> {
  /**
   * Listeners by event, added before anything happens, so they also hear what happens while the
   * cache opens: "recovered", a disk that fails. `Cache.off` removes them.
   */
  readonly on?: CacheListeners;
  /**
   * What stands behind memory and disk, at most 4, in order: asked on a miss by `get`, `getMany`,
   * `getEntry` and `fetch`, before its loader; told of every set, load, delete and invalidation of
   * any thread, in batches, in the background. `flush` waits until they are made. A tier that fails
   * is "tier-down": the cache goes on without it and keeps the changes. Default: none.
   *
   * Only the thread that opens the cache calls them; attached threads reach them through it.
   */
  readonly tiers?: readonly Tier[];
}

/** The listeners of a checked option `on`. */
type Checked = readonly (readonly [CacheEventName, CacheListener<CacheEventName>])[];

/**
 * Checks the option `on`. Throws TypeError if it is not an object of functions, RangeError if there
 * is no such event.
 */
export function listenersOf(on: unknown): Checked {
  if (on === undefined) return [];
  const given = optionsOf("on", on, Object.keys(eventNames));
  return Object.entries(given).flatMap(([event, listener]) => {
    if (listener === undefined) return [];
    if (typeof listener === "function") {
      return [[event as CacheEventName, listener as CacheListener<CacheEventName>] as const];
    }
    throw new TypeError(
      `Cannot use option on.${event}: current value is ${describe(listener)}; ` +
        "it must be a function of the event's data",
    );
  });
}

/** Adds listeners that `listenersOf` has checked. */
export function listen(events: CacheEvents, listeners: Checked): void {
  for (const [event, listener] of listeners) events.on(event, listener);
}
