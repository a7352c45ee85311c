// How users write sizes and time spans. Parsed by base/units.ts.

/**
 * A size in bytes: a number, or a string such as "64kb", "256mb" or "1.5gb" (1 kb = 1024 bytes).
 *
 * @example
 * ```ts
 * import { openCache, type Size } from "undercroft";
 *
 * const memory: Size = "16mb";
 * const cache = await openCache({ memory });
 * console.log(cache.stats().memory.limitBytes); // 16777216
 * await cache.close();
 * ```
 */
export type Size = number | string;

/**
 * A time span: a number of milliseconds, or a string such as "250ms", "30s", "5m", "1h" or "7d".
 * `Infinity` means for ever.
 *
 * @example
 * ```ts
 * import { type Duration, openCache } from "undercroft";
 *
 * const halfAnHour: Duration = "30m";
 * const cache = await openCache<string>({ ttl: halfAnHour });
 * cache.set("a", "half an hour");
 * cache.set("b", "one second", { ttl: 1000 });
 * await cache.close();
 * ```
 */
export type Duration = number | string;
