// The checked options of one `set` or `fetch`. On the path of every call, so the usual one costs
// nothing: without options the answer is a constant made at open; a given option is read once.

import { isWellFormed, parseDuration } from "../base/mod.js";
import {
  isValidOf,
  jitterOf,
  refreshAfterOf,
  type ResolvedFreshness,
} from "./freshness-options.js";
import type { FetchOptions, SetOptions } from "./options.js";
import { RecentOptions } from "./recent-options.js";
import {
  assertOptions,
  checkedSignal,
  isOptions,
  optionRangeError,
  optionsOf,
  optionsTypeError,
  optionTypeError,
  unknownOptionError,
} from "./option-error.js";
import { checkedRevision, type RevisionOf, revisionOption } from "./writes/revision.js";

/** The options of one `set`, with every value present. */
export interface ResolvedSetOptions {
  /** More than 0; `Infinity` means no expiry. */
  readonly ttlMs: number;
  /** At least 0. */
  readonly staleForMs: number;
  /** Distinct, well-formed, within {@link tagCountMax} and {@link tagBytesMax}. */
  readonly tags: readonly string[];
  /** The caller's own order of writes, or what to ask a value for it; undefined for none. */
  readonly revision?: number | undefined;
  readonly revisionOf?: RevisionOf | undefined;
}

/** The options of one `fetch`, with every value present. */
export interface ResolvedFetchOptions extends ResolvedSetOptions, ResolvedFreshness {
  /** `Infinity` means no timeout. */
  readonly softTimeoutMs: number;
  /** `Infinity` means no timeout. */
  readonly hardTimeoutMs: number;
  /** 0 means negative answers are not remembered. */
  readonly negativeTtlMs: number;
  readonly forceRefresh: boolean;
  readonly signal: AbortSignal | undefined;
}

/** What a loader said of the value it loaded; undefined where the options of the fetch count. */
export interface EntryTimes {
  readonly ttlMs: number | undefined;
  readonly staleForMs: number | undefined;
  readonly tags: readonly string[] | undefined;
  readonly revision: number | undefined;
}

/** The part of a configuration that single operations use. Made at open, frozen. */
export interface OperationDefaults {
  /** For a `set` without options. */
  readonly setDefaults: ResolvedSetOptions;
  /** For a `fetch` without options. */
  readonly fetchDefaults: ResolvedFetchOptions;
}

/** As many tags as a record has room for (`recordTagsMax`). */
export const tagCountMax = 16;
export const tagBytesMax = 1024;
/** The longest delay that `setTimeout` takes; a longer one fires at once. */
export const timeoutMsMax = 2 ** 31 - 1;

const setOptionNames = ["ttl", "staleFor", "tags", "revision"] as const;
const fetchOptionNames = [
  ...setOptionNames,
  "timeout",
  "negativeTtl",
  "refreshAfter",
  "jitter",
  "isValid",
  "forceRefresh",
  "signal",
] as const;

const fetchNames: ReadonlySet<string> = new Set(fetchOptionNames);
const recentOptions = new RecentOptions<ResolvedFetchOptions>();

/** The options of a load that have a default. */
type LoadDefaults = Pick<
  FetchOptions<never, never>,
  "timeout" | "negativeTtl" | "refreshAfter" | "jitter" | "isValid"
>;

const plain = {
  softTimeoutMs: Infinity,
  hardTimeoutMs: Infinity,
  negativeTtlMs: 0,
  refreshAfterMs: Infinity,
  jitter: 0,
  isValid: undefined,
} as const;

/** The defaults of `fetch`, derived from those of `set` and the options for loads of a cache or a
 *  namespace. `base`: what counts where they say nothing. */
export function fetchDefaultsOf(
  set: ResolvedSetOptions,
  options: { readonly [Name in keyof LoadDefaults]?: unknown },
  base: Pick<ResolvedFetchOptions, keyof typeof plain> = plain,
): ResolvedFetchOptions {
  return Object.freeze({
    ttlMs: set.ttlMs,
    staleForMs: set.staleForMs,
    tags: set.tags,
    revisionOf: set.revisionOf,
    softTimeoutMs: softTimeoutOf(options.timeout, base.softTimeoutMs),
    hardTimeoutMs: hardTimeoutOf(options.timeout, base.hardTimeoutMs),
    negativeTtlMs: negativeTtlOf(options.negativeTtl, base.negativeTtlMs),
    refreshAfterMs: refreshAfterOf(options.refreshAfter, set.ttlMs, base.refreshAfterMs),
    jitter: jitterOf(options.jitter, base.jitter),
    isValid: isValidOf(options.isValid, base.isValid),
    forceRefresh: false,
    signal: undefined,
  });
}

/**
 * Checks the options of one `set`. Without options, returns the configuration's constant.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function resolveSetOptions(
  options: SetOptions | undefined,
  config: OperationDefaults,
): ResolvedSetOptions {
  if (options === undefined) return config.setDefaults;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw optionsTypeError("", options, setOptionNames);
  }
  let { ttlMs, staleForMs, tags, revision } = config.setDefaults;
  let isEmpty = true;
  for (const name in options) {
    isEmpty = false;
    switch (name) {
      case "ttl":
        if (options.ttl !== undefined) ttlMs = parseTtl("ttl", options.ttl);
        break;
      case "staleFor":
        if (options.staleFor !== undefined) staleForMs = parseDuration(name, options.staleFor);
        break;
      case "tags":
        if (options.tags !== undefined) tags = checkedTags(options.tags);
        break;
      case "revision":
        if (options.revision !== undefined) revision = checkedRevision(options.revision);
        break;
      default:
        throw isOptions(options)
          ? unknownOptionError("", name, setOptionNames)
          : optionsTypeError("", options, setOptionNames);
    }
  }
  if (isEmpty && !isOptions(options)) throw optionsTypeError("", options, setOptionNames);
  return { ttlMs, staleForMs, tags, revision, revisionOf: config.setDefaults.revisionOf };
}

/**
 * Checks the options of one `fetch`. Without options, returns the configuration's constant.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function resolveFetchOptions(
  options: FetchOptions<never, never> | undefined,
  config: OperationDefaults,
): ResolvedFetchOptions {
  const defaults = config.fetchDefaults;
  if (options === undefined) return defaults;
  const known = recentOptions.find(options, defaults);
  if (known !== undefined) return known;
  const resolved = resolvedNow(options, defaults);
  recentOptions.add(options, defaults, resolved);
  return resolved;
}

function resolvedNow(
  options: FetchOptions<never, never>,
  defaults: ResolvedFetchOptions,
): ResolvedFetchOptions {
  assertFetchOptions(options);
  const given: FetchOptions<never, never> = options;
  const { forceRefresh, signal, timeout } = given;
  if (forceRefresh !== undefined && typeof forceRefresh !== "boolean") {
    throw optionTypeError("forceRefresh", forceRefresh, "true or false");
  }
  const ttlMs = given.ttl === undefined ? defaults.ttlMs : parseTtl("ttl", given.ttl);
  return {
    ttlMs,
    staleForMs:
      given.staleFor === undefined
        ? defaults.staleForMs
        : parseDuration("staleFor", given.staleFor),
    tags: given.tags === undefined ? defaults.tags : checkedTags(given.tags),
    softTimeoutMs: softTimeoutOf(timeout, defaults.softTimeoutMs),
    hardTimeoutMs: hardTimeoutOf(timeout, defaults.hardTimeoutMs),
    negativeTtlMs: negativeTtlOf(given.negativeTtl, defaults.negativeTtlMs),
    refreshAfterMs: refreshAfterOf(given.refreshAfter, ttlMs, defaults.refreshAfterMs),
    jitter: jitterOf(given.jitter, defaults.jitter),
    isValid: isValidOf(given.isValid, defaults.isValid),
    forceRefresh: forceRefresh === true,
    signal: checkedSignal(signal),
    revisionOf: revisionOption(given.revision) ?? defaults.revisionOf,
  };
}

/** As `assertOptions`; lists no properties if all is well, as it is on the path of every fetch. */
function assertFetchOptions(options: object): void {
  let isKnown = false;
  for (const name in options) {
    isKnown = fetchNames.has(name);
    if (!isKnown) break;
  }
  if (!isKnown || Array.isArray(options)) assertOptions("", options, fetchOptionNames);
}

/**
 * Checks the options of `entry`.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function resolveEntryOptions(options: unknown): EntryTimes {
  const { ttl, staleFor, tags, revision } = optionsOf("", options, setOptionNames);
  return {
    ttlMs: ttl === undefined ? undefined : parseTtl("ttl", ttl),
    staleForMs: staleFor === undefined ? undefined : parseDuration("staleFor", staleFor),
    tags: tags === undefined ? undefined : checkedTags(tags),
    revision: revision === undefined ? undefined : checkedRevision(revision),
  };
}

/**
 * A time to live in milliseconds, more than 0; `Infinity` means no expiry. 0 is refused because
 * libraries disagree on its meaning.
 */
export function parseTtl(option: string, value: unknown): number {
  if (typeof value === "number" && value > 0) return value;
  const ms = parseDuration(option, value);
  if (ms > 0) return ms;
  throw optionRangeError(
    option,
    value,
    "more than 0 (Infinity for no expiry; to store nothing, do not call set)",
  );
}

const timeoutAllowed =
  `a duration of more than 0 and at most ${timeoutMsMax} ms (a number of milliseconds, or a ` +
  'string such as "250ms", "30s" or "5m"), or Infinity for no limit';

/** The part `soft` of a `timeout` option; what is not given is as by default. */
function softTimeoutOf(timeout: unknown, defaultMs: number): number {
  if (timeout === undefined || isDuration(timeout)) return defaultMs;
  const { soft } = timeoutsOf(timeout);
  return soft === undefined ? defaultMs : parseTimeout("timeout.soft", soft);
}

/** The part `hard`, or a duration. */
function hardTimeoutOf(timeout: unknown, defaultMs: number): number {
  if (timeout === undefined) return defaultMs;
  if (isDuration(timeout)) return parseTimeout("timeout", timeout);
  const { hard } = timeoutsOf(timeout);
  return hard === undefined ? defaultMs : parseTimeout("timeout.hard", hard);
}

function negativeTtlOf(negativeTtl: unknown, defaultMs: number): number {
  return negativeTtl === undefined ? defaultMs : parseDuration("negativeTtl", negativeTtl);
}

function isDuration(timeout: unknown): boolean {
  return typeof timeout === "number" || typeof timeout === "string";
}

function timeoutsOf(timeout: unknown): { readonly soft?: unknown; readonly hard?: unknown } {
  return optionsOf("timeout", timeout, ["soft", "hard"], `${timeoutAllowed}, or `);
}

function parseTimeout(option: string, value: unknown): number {
  if (!isDuration(value)) throw optionTypeError(option, value, timeoutAllowed);
  const ms = parseDuration(option, value);
  if (ms === Infinity || (ms > 0 && ms <= timeoutMsMax)) return ms;
  throw optionRangeError(option, value, timeoutAllowed);
}

/**
 * The tags given to `deleteByTag`: one string, or an array of any length.
 *
 * @throws TypeError or RangeError if one of them is not a tag.
 */
export function resolveTags(given: unknown): readonly string[] {
  const tags: readonly unknown[] = Array.isArray(given) ? given : [given];
  for (let index = 0; index < tags.length; index++) {
    assertTag(Array.isArray(given) ? `tags[${index}]` : "tag", tags[index]);
  }
  return tags as readonly string[];
}

function assertTag(option: string, tag: unknown): asserts tag is string {
  if (typeof tag !== "string") throw optionTypeError(option, tag, "a non-empty string");
  if (tag === "") throw optionRangeError(option, tag, "a non-empty string");
  if (!isWellFormed(tag)) {
    throw optionTypeError(option, tag, "well-formed, without a lone surrogate");
  }
}

/** The tags of an entry. Throws TypeError or RangeError. */
export function checkedTags(tags: unknown): readonly string[] {
  const allowed =
    `an array of at most ${tagCountMax} non-empty strings, ` +
    `together at most ${tagBytesMax} bytes`;
  if (!Array.isArray(tags)) throw optionTypeError("tags", tags, allowed);
  const distinct = new Set<string>();
  let bytes = 0;
  // By index, so that a hole is seen as undefined and refused.
  for (let index = 0; index < tags.length; index++) {
    const tag: unknown = tags[index];
    assertTag(`tags[${index}]`, tag);
    if (distinct.has(tag)) continue;
    distinct.add(tag);
    if (distinct.size > tagCountMax) throw optionRangeError("tags", tags, allowed);
    bytes += Buffer.byteLength(tag, "utf8");
    if (bytes > tagBytesMax) throw optionRangeError("tags", tags, allowed);
  }
  return Object.freeze([...distinct]);
}
