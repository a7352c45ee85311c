// What a take-over may lose. Called by the tests of disk.whenLocked.
import { expect } from "vitest";

/** Values as they are expected, but for a few of the owner's: the filter of what was changed
 *  meanwhile may leave out a key that it cannot tell from another. */
export function expectMost(values: readonly unknown[], expected: readonly unknown[]): void {
  const lost = values.filter((value, at) => value === undefined && expected[at] !== undefined);
  expect(lost.length).toBeLessThanOrEqual(2);
  expect(values.map((value, at) => value ?? expected[at])).toEqual(expected);
}
