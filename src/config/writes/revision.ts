// Revisions: the caller's own order of the writes of a key. Called where options are checked, and
// by whoever writes a value.
import { describe } from "../../base/mod.js";
import { optionRangeError, optionTypeError } from "../option-error.js";

/** Asks a value for its revision. */
export type RevisionOf = (value: unknown) => number;

const revisionAllowed = `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;

/** Throws TypeError or RangeError unless it is a revision. */
export function checkedRevision(revision: unknown): number {
  if (typeof revision !== "number") throw optionTypeError("revision", revision, revisionAllowed);
  if (Number.isSafeInteger(revision) && revision >= 0) return revision;
  throw optionRangeError("revision", revision, revisionAllowed);
}

/** The option `revision` of what loads or writes: asks for a value's revision, and checks what it
 *  is told. */
export function revisionOption(revision: unknown): RevisionOf | undefined {
  if (revision === undefined) return undefined;
  if (typeof revision !== "function") {
    throw optionTypeError("revision", revision, "a function of a value that returns its revision");
  }
  return (value) => {
    const told: unknown = Reflect.apply(revision, undefined, [value]);
    if (typeof told === "number" && Number.isSafeInteger(told) && told >= 0) return told;
    throw new TypeError(
      `Cannot store a value: revision() returned ${describe(told)}; it must return ` +
        revisionAllowed,
    );
  };
}

/** The revision of a value that is about to be written, if its options say one. */
export function revisionFor(
  options: { readonly revision?: number | undefined; readonly revisionOf?: RevisionOf | undefined },
  value: unknown,
): number | undefined {
  return options.revision ?? options.revisionOf?.(value);
}
