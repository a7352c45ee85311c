// The options of `setStream` and `getStream`, and their checks. Called by the cache.
import { checkedSignal, optionRangeError, optionsOf } from "../option-error.js";
import { type OperationDefaults, resolveSetOptions } from "../operation-options.js";
import type { SetOptions } from "../options.js";

/**
 * The options of one `setStream`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import { openCache, type SetStreamOptions } from "undercroft";
 *
 * const options: SetStreamOptions = { ttl: "1h", tags: ["films"], size: 5 };
 * const cache = await openCache();
 * console.log(await cache.setStream("film:7", ["hello"], options)); // stored
 * await cache.close();
 * ```
 */
export interface SetStreamOptions extends Omit<SetOptions, "revision"> {
  /**
   * How many bytes the source has, if that is known: a value that cannot be stored is refused
   * before it is read, one that is larger than memory takes goes to disk from its first byte, and a
   * source of another length is an error. `disk.admission` is asked with it, else with Infinity.
   */
  readonly size?: number;
  /** Ends the source, and rejects the call with the signal's reason. Nothing has changed then. */
  readonly signal?: AbortSignal;
}

/**
 * The options of one `getStream`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import { type GetStreamOptions, openCache } from "undercroft";
 *
 * const options: GetStreamOptions = { start: 1, end: 3 };
 * const cache = await openCache();
 * await cache.setStream("a", ["hello"]);
 * const stream = await cache.getStream("a", options);
 * console.log(Buffer.concat((await stream?.toArray()) ?? []).toString()); // ell
 * await cache.close();
 * ```
 */
export interface GetStreamOptions {
  /** The first byte, from 0. Default 0. */
  readonly start?: number;
  /** The last byte, which is read too, as of `fs.createReadStream` and of ranges in HTTP. Default:
   *  the value's last. */
  readonly end?: number;
  /** Destroys the stream with the signal's reason, or rejects the call with it. */
  readonly signal?: AbortSignal;
}

export interface ResolvedSetStreamOptions {
  readonly ttlMs: number;
  readonly staleForMs: number;
  readonly tags: readonly string[];
  readonly size: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface ResolvedGetStreamOptions {
  readonly start: number;
  /** Infinity: to the end. */
  readonly end: number;
  readonly signal: AbortSignal | undefined;
}

/** Throws TypeError or RangeError naming the option, the value given and what is allowed. */
export function resolveSetStreamOptions(
  options: SetStreamOptions | undefined,
  defaults: OperationDefaults,
): ResolvedSetStreamOptions {
  const allowed = ["ttl", "staleFor", "tags", "size", "signal"];
  const given = optionsOf("", options ?? {}, allowed) as SetStreamOptions;
  const { size, signal, ...rest } = given;
  const { ttlMs, staleForMs, tags } = resolveSetOptions(rest, defaults);
  const bytes = size === undefined ? undefined : wholeNumber("size", size, 0);
  return { ttlMs, staleForMs, tags, size: bytes, signal: checkedSignal(signal) };
}

/** The same for `getStream`. */
export function resolveGetStreamOptions(
  options: GetStreamOptions | undefined,
): ResolvedGetStreamOptions {
  const given = optionsOf("", options ?? {}, ["start", "end", "signal"]) as GetStreamOptions;
  const { start = 0, end = Infinity, signal } = given;
  const first = wholeNumber("start", start, 0);
  const last = end === Infinity ? end : wholeNumber("end", end, first);
  return { start: first, end: last, signal: checkedSignal(signal) };
}

function wholeNumber(option: string, value: unknown, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  const allowed = `a whole number of at least ${least}`;
  throw optionRangeError(option, value, allowed);
}
