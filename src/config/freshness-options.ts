// The options that say how long a loaded value counts as good, beside its ttl: `isValid`,
// `refreshAfter` and `jitter`. Checked by operation-options.ts for one fetch and for the defaults
// of whatever has some. A default with a function (`isValid`) belongs to one thread: it is never
// part of a posted configuration.
import { parseDuration } from "../base/mod.js";
import type { Duration } from "./quantities.js";
import { optionRangeError, optionTypeError } from "./option-error.js";

/**
 * What `isValid` is told of a value, beside the value. Times are wall-clock milliseconds since
 * 1970; `Infinity` means never.
 *
 * @example
 * ```ts
 * import { openCache, type ValidityContext } from "undercroft";
 *
 * const since = Date.now();
 * const isNew = (_: string, { createdAt }: ValidityContext): boolean => createdAt >= since;
 * const cache = await openCache<string>();
 * console.log(await cache.fetch("a", () => "text", { isValid: isNew })); // text
 * await cache.close();
 * ```
 */
export interface ValidityContext<K = string | Uint8Array> {
  /** The key as the fetch was given it. */
  readonly key: K;
  /** When the value was stored. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly tags: readonly string[];
}

/**
 * Says whether a cached value may still be returned. It must answer true or false synchronously and
 * must not change the value.
 *
 * @example
 * ```ts
 * import { type IsValid, openCache } from "undercroft";
 *
 * interface Agent {
 *   readonly prompt: string;
 * }
 * const isValid: IsValid<Agent> = ({ prompt }) => prompt === "new";
 * const cache = await openCache<Agent>();
 * cache.set("helper", { prompt: "old" });
 * const agent = await cache.fetch("helper", () => ({ prompt: "new" }), { isValid });
 * console.log(agent.prompt, cache.stats().invalid); // new 1
 * await cache.close();
 * ```
 */
export type IsValid<V, K = string | Uint8Array> = (
  value: V,
  context: ValidityContext<K>,
) => boolean;

/** The options of a load that a cache may give defaults for. */
export interface RefreshOptions {
  /**
   * How old a fresh value may be, counted from when it was stored, before a `fetch` that hits it
   * also loads it anew in the background, one load over all threads. More than 0 and less than the
   * ttl, or `Infinity` (default) for never. A load that fails is an `error` event (ERR_LOADER), and
   * the next one comes after 1 s, then 2 s, and so on up to a minute.
   */
  readonly refreshAfter?: Duration;
  /**
   * Spreads the expiry of what loads store: the ttl is multiplied by a random number between
   * 1 - jitter and 1 + jitter. A number of at least 0 and less than 1. Default 0. A ttl that the
   * loader gives by `entry` stays as it is, and so does `negativeTtl`.
   */
  readonly jitter?: number;
}

/** Checked, with every value present. */
export interface ResolvedFreshness {
  /** More than 0; `Infinity` means never. */
  readonly refreshAfterMs: number;
  /** At least 0, less than 1. */
  readonly jitter: number;
  /** Called with the values, and what entries are named by, of the key space that the options are
   *  for. */
  readonly isValid: IsValid<never, never> | undefined;
}

/** The option `refreshAfter` beside a ttl of so many milliseconds. One that is not given here is as
 *  by default; then it may exceed the ttl, and the value expires first. */
export function refreshAfterOf(refreshAfter: unknown, ttlMs: number, defaultMs: number): number {
  if (refreshAfter === undefined) return defaultMs;
  const ms = parseDuration("refreshAfter", refreshAfter);
  if (ms === Infinity || (ms > 0 && ms < ttlMs)) return ms;
  const below = ttlMs === Infinity ? "" : ` and less than the ttl, which is ${ttlMs} ms`;
  throw optionRangeError(
    "refreshAfter",
    refreshAfter,
    `more than 0${below} (Infinity for no refresh before the value expires)`,
  );
}

export function jitterOf(jitter: unknown, defaultJitter: number): number {
  if (jitter === undefined) return defaultJitter;
  const allowed = "a number of at least 0 and less than 1, such as 0.1 for ttl ± 10 %";
  if (typeof jitter !== "number") throw optionTypeError("jitter", jitter, allowed);
  if (jitter >= 0 && jitter < 1) return jitter;
  throw optionRangeError("jitter", jitter, allowed);
}

export function isValidOf(
  isValid: unknown,
  defaultIsValid: IsValid<never, never> | undefined,
): IsValid<never, never> | undefined {
  if (isValid === undefined) return defaultIsValid;
  if (typeof isValid === "function") return isValid as IsValid<never, never>;
  throw optionTypeError(
    "isValid",
    isValid,
    "a function (value, { key, createdAt, expiresAt, tags }) that returns true or false",
  );
}
