// Units of bytes and time, and parsers for sizes and durations as users write them. Called by
// config and by every room that computes with bytes. Invariant: a parsed size is a safe integer >=
// 0, a parsed duration a number >= 0.

import { assert } from "./assert.js";

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

const sizeUnits: ReadonlyMap<string, number> = new Map([
  ["b", 1],
  ["kb", KiB],
  ["mb", MiB],
  ["gb", GiB],
  ["tb", 1024 * GiB],
]);

const durationUnits: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** A number, an optional space, a unit. The bounds keep the match linear and the message short. */
const quantityPattern = /^(\d{1,20}(?:\.\d{1,20})?) ?([a-z]{1,2})$/i;

const sizeAllowed =
  'a whole number of bytes >= 0, or a string such as "512b", "64kb", "256mb", "1.5gb"';
const durationAllowed =
  'a number of milliseconds >= 0, or a string such as "250ms", "30s", "5m", "1.5h", "7d"';

/** `n` rounded up to a multiple of `to`. Both are integers, `to` > 0. */
export function alignUp(n: number, to: number): number {
  assert(to > 0, "alignment is positive");
  return Math.ceil(n / to) * to;
}

/**
 * Parses a size in bytes: an integer >= 0, or a string such as "64kb" or "1.5gb" (1 kb = 1024
 * bytes, any case). A fraction of a byte is dropped.
 *
 * @throws TypeError if `value` is neither a number nor a string, RangeError if it is not a size.
 */
export function parseSize(optionName: string, value: unknown): number {
  const size = parseQuantity(optionName, value, sizeUnits, sizeAllowed);
  const bytes = typeof value === "string" ? Math.floor(size) : size;
  if (!Number.isSafeInteger(bytes)) throw new RangeError(refusal(optionName, value, sizeAllowed));
  return bytes;
}

/**
 * Parses a duration in milliseconds: a number >= 0, `Infinity` included, or a string such as
 * "250ms", "5m", "1.5h" (any case).
 *
 * @throws TypeError if `value` is neither a number nor a string, RangeError if it is not a
 * duration.
 */
export function parseDuration(optionName: string, value: unknown): number {
  return parseQuantity(optionName, value, durationUnits, durationAllowed);
}

function parseQuantity(
  optionName: string,
  value: unknown,
  units: ReadonlyMap<string, number>,
  allowed: string,
): number {
  if (typeof value === "number") {
    // This form also rejects NaN.
    if (!(value >= 0)) throw new RangeError(refusal(optionName, value, allowed));
    return value === 0 ? 0 : value; // -0 becomes 0
  }
  if (typeof value !== "string") throw new TypeError(refusal(optionName, value, allowed));
  const match = quantityPattern.exec(value);
  const unit = units.get(match?.[2]?.toLowerCase() ?? "");
  if (match === null || unit === undefined) {
    throw new RangeError(refusal(optionName, value, allowed));
  }
  return Number(match[1]) * unit;
}

function refusal(optionName: string, value: unknown, allowed: string): string {
  const current = describe(value);
  return `Cannot use option ${optionName}: current value is ${current}; it must be ${allowed}`;
}

const describedLengthMax = 40;

/**
 * A short description of any value for an error message. Never throws, and runs no code of the
 * value except a proxy's traps.
 */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(shortened(value));
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return `${shortened(value.toString())}n`;
    case "symbol":
      return shortened(value.toString());
    case "function":
      return "a function";
    case "object":
      return describeObject(value);
    case "boolean":
    case "undefined":
      return String(value);
    default:
      return typeof value;
  }
}

function shortened(text: string): string {
  return text.length <= describedLengthMax ? text : `${text.slice(0, describedLengthMax)}...`;
}

function describeObject(value: object | null): string {
  if (value === null) return "null";
  try {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Array.prototype) return `an array of ${(value as unknown[]).length}`;
    if (prototype === Object.prototype || prototype === null) return "an object";
    // Read only data properties: a getter would run the value's code.
    const maker: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
    if (typeof maker !== "function") return "an object";
    const name: unknown = Object.getOwnPropertyDescriptor(maker, "name")?.value;
    if (typeof name !== "string" || name === "") return "an object";
    return `an instance of ${shortened(name)}`;
  } catch {
    return "an object"; // a revoked proxy, or one whose trap throws
  }
}
