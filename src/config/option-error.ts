// The errors of wrong options, all with one wording. Called in this room, and by the cache for the
// options of `attachCache`.

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
  return new RangeError(
    `Cannot use option ${full}: there is no such option; allowed are ${allowed.join(", ")}`,
  );
}

/** Throws unless `value` is an object (not an array) with no property outside `allowed`. */
export function assertOptions(owner: string, value: unknown, allowed: readonly string[]): void {
  void optionsOf(owner, value, allowed);
}

/** Like `assertOptions`, and returns `value` as an object of options. */
export function optionsOf(
  owner: string,
  value: unknown,
  allowed: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw optionTypeError(owner === "" ? "options" : owner, value, "an object of options");
  }
  for (const name of Object.keys(value)) {
    if (!allowed.includes(name)) throw unknownOptionError(owner, name, allowed);
  }
  return value as Readonly<Record<string, unknown>>;
}

/** `value` if it is one of `allowed`; `fallback` if it is undefined. Throws otherwise. */
export function oneOf<T extends string>(
  option: string,
  value: unknown,
  allowed: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback;
  const found = allowed.find((name) => name === value);
  if (found !== undefined) return found;
  const list = allowed.map((name) => JSON.stringify(name)).join(" or ");
  throw typeof value === "string"
    ? optionRangeError(option, value, list)
    : optionTypeError(option, value, list);
}
