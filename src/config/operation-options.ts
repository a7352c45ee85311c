// The options of one operation, checked. Called at each `set` and `fetch`, so the usual calls cost nothing: no options
// give a constant made at open, and each option given is read once.

import { isWellFormed, parseDuration } from "../base/mod.js";
import type { FetchOptions, SetOptions } from "./options.js";
import {
  assertOptions,
  optionsOf,
  optionRangeError,
  optionTypeError,
  unknownOptionError,
} from "./option-error.js";

/** The options of one `set`, every value present. */
export interface ResolvedSetOptions {
  /** > 0; `Infinity` = no expiry. */
  readonly ttlMs: number;
  /** >= 0. */
  readonly staleForMs: number;
  /** Distinct, well-formed, within {@link tagCountMax} and {@link tagBytesMax}. */
  readonly tags: readonly string[];
}

/** The options of one `fetch`, every value present. */
export interface ResolvedFetchOptions extends ResolvedSetOptions {
  /** `Infinity` = none. */
  readonly softTimeoutMs: number;
  /** `Infinity` = none. */
  readonly hardTimeoutMs: number;
  /** 0 = none. */
  readonly negativeTtlMs: number;
  readonly forceRefresh: boolean;
  readonly signal: AbortSignal | undefined;
}

/** The part of a configuration that operations look at; made once, at open, and frozen. */
export interface OperationDefaults {
  /** What `set` without options means. */
  readonly setDefaults: ResolvedSetOptions;
  /** What `fetch` without options means. */
  readonly fetchDefaults: ResolvedFetchOptions;
}

/** As many as a record has room for (recordTagsMax). */
export const tagCountMax = 16;
export const tagBytesMax = 1024;
/** What `setTimeout` takes: beyond it, it would fire at once. */
export const timeoutMsMax = 2 ** 31 - 1;

const setOptionNames = ["ttl", "staleFor", "tags"] as const;
const fetchOptionNames = [
  ...setOptionNames,
  "timeout",
  "negativeTtl",
  "forceRefresh",
  "signal",
] as const;

/** What `fetch` without options means, given what `set` without options means. */
export function fetchDefaultsOf(set: ResolvedSetOptions): ResolvedFetchOptions {
  return Object.freeze({
    ttlMs: set.ttlMs,
    staleForMs: set.staleForMs,
    tags: set.tags,
    softTimeoutMs: Infinity,
    hardTimeoutMs: Infinity,
    negativeTtlMs: 0,
    forceRefresh: false,
    signal: undefined,
  });
}

/**
 * What the options of one `set` mean; without options, a constant of the configuration.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function resolveSetOptions(
  options: SetOptions | undefined,
  config: OperationDefaults,
): ResolvedSetOptions {
  if (options === undefined) return config.setDefaults;
  if (typeof options !== "object" || options === null) {
    throw optionTypeError("options", options, "an object of options");
  }
  let { ttlMs, staleForMs, tags } = config.setDefaults;
  for (const name in options) {
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
      default:
        throw unknownOptionError("", name, setOptionNames);
    }
  }
  return { ttlMs, staleForMs, tags };
}

/**
 * What the options of one `fetch` mean; without options, a constant of the configuration.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function resolveFetchOptions(
  options: FetchOptions | undefined,
  config: OperationDefaults,
): ResolvedFetchOptions {
  if (options === undefined) return config.fetchDefaults;
  assertOptions("", options, fetchOptionNames);
  const given: FetchOptions = options;
  const defaults = config.fetchDefaults;
  const { soft, hard } = timeoutsOf(given.timeout);
  const { forceRefresh, negativeTtl, signal } = given;
  if (forceRefresh !== undefined && typeof forceRefresh !== "boolean") {
    throw optionTypeError("forceRefresh", forceRefresh, "true or false");
  }
  return {
    ttlMs: given.ttl === undefined ? defaults.ttlMs : parseTtl("ttl", given.ttl),
    staleForMs:
      given.staleFor === undefined
        ? defaults.staleForMs
        : parseDuration("staleFor", given.staleFor),
    tags: given.tags === undefined ? defaults.tags : checkedTags(given.tags),
    softTimeoutMs: soft,
    hardTimeoutMs: hard,
    negativeTtlMs: negativeTtl === undefined ? 0 : parseDuration("negativeTtl", negativeTtl),
    forceRefresh: forceRefresh === true,
    signal: checkedSignal(signal),
  };
}

/** A time to live in milliseconds: > 0, `Infinity` for ever. Zero is refused, as libraries disagree on what it means. */
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

function timeoutsOf(timeout: unknown): { soft: number; hard: number } {
  if (timeout === undefined) return { soft: Infinity, hard: Infinity };
  if (typeof timeout !== "object")
    return { soft: Infinity, hard: parseTimeout("timeout", timeout) };
  const given = optionsOf("timeout", timeout, ["soft", "hard"]);
  const { soft, hard } = given;
  return {
    soft: soft === undefined ? Infinity : parseTimeout("timeout.soft", soft),
    hard: hard === undefined ? Infinity : parseTimeout("timeout.hard", hard),
  };
}

function parseTimeout(option: string, value: unknown): number {
  const ms = parseDuration(option, value);
  if (ms === Infinity || (ms > 0 && ms <= timeoutMsMax)) return ms;
  throw optionRangeError(
    option,
    value,
    `more than 0 and at most ${timeoutMsMax} ms, or Infinity for no limit`,
  );
}

/** The tags that a caller of `deleteByTag` names: one, or an array of any length.
 *  @throws TypeError or RangeError if they are none. */
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

function checkedTags(tags: unknown): readonly string[] {
  const allowed = `an array of at most ${tagCountMax} non-empty strings, together at most ${tagBytesMax} bytes`;
  if (!Array.isArray(tags)) throw optionTypeError("tags", tags, allowed);
  const distinct = new Set<string>();
  let bytes = 0;
  // By index, so that a hole is seen (as undefined) and refused.
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

function checkedSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  // By its members, not its class: a signal may come from another realm or a polyfill.
  const candidate = signal as Partial<AbortSignal> | null;
  if (
    typeof candidate === "object" &&
    candidate !== null &&
    typeof candidate.aborted === "boolean" &&
    typeof candidate.addEventListener === "function"
  ) {
    return signal as AbortSignal;
  }
  throw optionTypeError("signal", signal, "an AbortSignal");
}
