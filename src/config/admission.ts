// Admission to disk as users configure it: which entries are worth a write. Called by config.ts; the rules themselves run
// in the janitor (the flusher) and, for size and the user's filter, in the thread that sets.

import { parseDuration, parseSize } from "../base/mod.js";
import { optionsOf, optionRangeError, optionTypeError } from "./option-error.js";
import type { AdmissionFilter } from "./options.js";

/** The checked rules; plain data, so that every thread of the cache knows them. */
export interface AdmissionConfig {
  /** An entry with less time left is not written. */
  readonly minTtlMs: number;
  /** An entry of more bytes is kept in memory only; `Infinity` = no such bound. */
  readonly maxBytes: number;
  /** Only entries that were hit, or set before, are written. */
  readonly seenBefore: boolean;
  /** Bytes that may be written in a second, and in a day; `Infinity` = no bound. */
  readonly bytesPerSecond: number;
  readonly bytesPerDay: number;
  /** There is a filter: a thread that attaches has to bring it. */
  readonly isFiltered: boolean;
}

const defaultMinTtlMs = 1000;

/** @throws TypeError or RangeError naming the option, the value given and what is allowed. */
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

/** @throws TypeError unless `filter` is a function. */
export function assertFilter(option: string, filter: unknown): asserts filter is AdmissionFilter {
  if (typeof filter === "function") return;
  throw optionTypeError(option, filter, "a function of key and size that answers true or false");
}
