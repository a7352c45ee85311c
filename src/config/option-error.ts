// The errors of wrong options, all with one wording. Called in this room, and by the cache and the
// shared map for the options of their calls.

import { describe } from "../base/mod.js";

/** The error for a value of the right type that is not allowed. */
export function optionRangeError(option: string, value: unknown, allowed: string): RangeError {
  return new RangeError(text(option, value, allowed));
}

/** The error for a value of the wrong type. */
export function optionTypeError(option: string, value: unknown, allowed: string): TypeError {
  return new TypeError(text(option, value, allowed));
}

function text(option: string, value: unknown, allowed: string): string {
  return `Cannot use option ${option}: current value is ${describe(value)}; it must be ${allowed}`;
}

/** The error for an unknown option. `owner` is the option that holds it, or "" for none. */
export function unknownOptionError(
  owner: string,
  name: string,
  allowed: readonly string[],
): RangeError {
  const full = owner === "" ? name : `${owner}.${name}`;
  const list = `${allowed.length === 1 ? "is" : "are"} ${allowed.join(", ")}`;
  return new RangeError(`Cannot use option ${full}: there is no such option; allowed ${list}`);
}

/** Throws unless `value` is an object of options with no property outside `allowed`. */
export function assertOptions(owner: string, value: unknown, allowed: readonly string[]): void {
  void optionsOf(owner, value, allowed);
}

/**
 * Like `assertOptions`, and returns `value` as an object of options. `or` says what else the option
 * may be.
 */
export function optionsOf(
  owner: string,
  value: unknown,
  allowed: readonly string[],
  or = "",
): Readonly<Record<string, unknown>> {
  if (!isOptions(value)) throw optionsTypeError(owner, value, allowed, or);
  for (const name of Object.keys(value)) {
    if (!allowed.includes(name)) throw unknownOptionError(owner, name, allowed);
  }
  return value as Readonly<Record<string, unknown>>;
}

/**
 * Whether a value can be an object of options. Not an array, nor an object of another kind (a Map,
 * a Promise, a signal), which has no options and would be taken for none.
 */
export function isOptions(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return (
    Object.keys(value).length > 0 || Object.prototype.toString.call(value) === "[object Object]"
  );
}

/** The error for a value that is no object of options; says how it may have been meant. */
export function optionsTypeError(
  owner: string,
  value: unknown,
  allowed: readonly string[],
  or = "",
): TypeError {
  const hint = meantBy(value, allowed);
  const example = hint === undefined ? ` { ${allowed.join(", ")} }` : `, such as ${hint}`;
  const wanted = `${or}an object of options${example}`;
  return optionTypeError(owner === "" ? "options" : owner, value, wanted);
}

/** What callers used to other libraries mean by a bare value. */
function meantBy(value: unknown, allowed: readonly string[]): string | undefined {
  const takes = (name: string): boolean => allowed.includes(name);
  const text = typeof value === "string" ? describe(value) : undefined;
  if (text !== undefined && takes("path")) return `{ path: ${text} }`;
  if (text !== undefined && takes("mode")) return `{ mode: ${text} }`;
  if (typeof value === "boolean" && takes("fsync")) return `{ fsync: ${value} }`;
  if (isSignal(value) && takes("signal")) return "{ signal }";
  if (!takes("ttl") || takes("memory")) return undefined; // not the options of one call
  if (Array.isArray(value)) return '{ tags: ["a"] }';
  return typeof value === "number" ? `{ ttl: ${value} }` : text && `{ ttl: ${text} }`;
}

/** Duck-typed: a signal may come from another realm or a polyfill. */
export function isSignal(value: unknown): value is AbortSignal {
  const signal = value as Partial<AbortSignal> | null;
  return (
    typeof signal === "object" &&
    signal !== null &&
    typeof signal.aborted === "boolean" &&
    typeof signal.addEventListener === "function"
  );
}

/** The option `signal`. Throws TypeError if it is not a signal. */
export function checkedSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || isSignal(signal)) return signal;
  throw optionTypeError("signal", signal, "an AbortSignal");
}

/**
 * `value` if it is one of `allowed`; `fallback` if it is undefined. Throws otherwise; `or` says
 * what else the option may be.
 */
export function oneOf<T extends string>(
  option: string,
  value: unknown,
  allowed: readonly T[],
  fallback: T,
  or = "",
): T {
  if (value === undefined) return fallback;
  const found = allowed.find((name) => name === value);
  if (found !== undefined) return found;
  const list = allowed.map((name) => JSON.stringify(name)).join(" or ") + or;
  throw typeof value === "string"
    ? optionRangeError(option, value, list)
    : optionTypeError(option, value, list);
}
