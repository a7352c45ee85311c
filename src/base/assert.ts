// Assertions check what must be true if this library has no bug. Hot paths call them too, so a
// message is constant text: a template would be built on every call. A caller's mistake is never
// asserted; it throws TypeError or RangeError.

/** A bug in this library, never a caller's mistake. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(`Assertion failed: ${message}`);
    this.name = "AssertionError";
  }
}

/**
 * Throws {@link AssertionError} unless `condition` holds. `message` is constant text that states
 * the condition.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
