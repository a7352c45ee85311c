// Assertions: what must be true if this library has no bug. Called everywhere, also on hot paths, so the message is
// a constant text: a template would be built even when all is well. Mistakes of a caller are never asserted; they
// throw TypeError or RangeError.

/** A bug in this library, never a mistake of its caller. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(`Assertion failed: ${message}`);
    this.name = "AssertionError";
  }
}

/** Throws {@link AssertionError} unless `condition` holds. `message` says what should be so, in constant text. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
