// Checks the options of admission to disk. Called by config.ts. The rules run elsewhere: size and
// the user's filter in the thread that sets, the others in the janitor's flusher.

import { parseDuration, parseSize } from "../../base/mod.js";
import { optionsOf, optionRangeError, optionTypeError } from "../option-error.js";
import type { AdmissionFilter } from "../options.js";

/** The checked rules. Plain data, so that they can be posted to every thread of the cache. */
export interface AdmissionConfig {
  /** Entries with less time left than this are not written. */
  readonly minTtlMs: number;
  /** Entries with more bytes than this stay in memory; `Infinity` means no bound. */
  readonly maxBytes: number;
  /** Write only entries that were hit, or whose key was set before. */
  readonly seenBefore: boolean;
  /** Bytes that may be written in a second and in a day; `Infinity` means no bound. */
  readonly bytesPerSecond: number;
  readonly bytesPerDay: number;
  /** Whether there is a filter. If so, a thread that attaches must pass its own. */
  readonly isFiltered: boolean;
}

const defaultMinTtlMs = 1000;

/** Throws TypeError or RangeError that names the option, the value given and what is allowed. */
export function admissionOf(admission: unknown): AdmissionConfig {
  const given = optionsOf("disk.admission", admission === undefined ? {} : admission, [
    "minTtl",
    "maxSize",
    "seenBefore",
    "writeBudget",
    "filter",
  ]);
  const { minTtl, maxSize, seenBefore, filter } = given;
  if (seenBefore !== undefined && typeof seenBefore !== "boolean") {
    throw optionTypeError("disk.admission.seenBefore", seenBefore, "true or false");
  }
  if (filter !== undefined) assertFilter("disk.admission.filter", filter);
  return Object.freeze({
    minTtlMs:
      minTtl === undefined ? defaultMinTtlMs : parseDuration("disk.admission.minTtl", minTtl),
    maxBytes: bytesOf("disk.admission.maxSize", maxSize),
    seenBefore: seenBefore === true,
    ...budgetOf(given["writeBudget"]),
    isFiltered: filter !== undefined,
  });
}

function budgetOf(writeBudget: unknown): Pick<AdmissionConfig, "bytesPerSecond" | "bytesPerDay"> {
  const option = "disk.admission.writeBudget";
  const given = optionsOf(option, writeBudget === undefined ? {} : writeBudget, [
    "perSecond",
    "perDay",
  ]);
  return {
    bytesPerSecond: bytesOf(`${option}.perSecond`, given["perSecond"]),
    bytesPerDay: bytesOf(`${option}.perDay`, given["perDay"]),
  };
}

function bytesOf(option: string, size: unknown): number {
  if (size === undefined) return Infinity;
  const bytes = parseSize(option, size);
  if (bytes < 1) throw optionRangeError(option, size, "at least 1 byte");
  return bytes;
}

/** Throws TypeError unless `filter` is a function. */
export function assertFilter(option: string, filter: unknown): asserts filter is AdmissionFilter {
  if (typeof filter === "function") return;
  throw optionTypeError(option, filter, "a function of key and size that answers true or false");
}
