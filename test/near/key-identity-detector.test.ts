// Whether callers intern their key strings, by a clock that the tests drive and by the real one.

import { afterEach, describe, expect, test } from "vitest";
import {
  driveHashTimes,
  freshTimes as fresh,
  type HashTimes,
  internedTimes as interned,
  restoreHashTimes,
} from "./hash-times.js";
import { KeyIdentityDetector } from "../../dist/src/near/key-identity-detector.js";

const window = 33;
const everything = { has: () => true };
const nothing = { has: () => false };

afterEach(restoreHashTimes);

/**
 * Observes until `count` keys were measured: while nothing new is found, most calls measure none.
 */
function observe(
  detector: KeyIdentityDetector,
  times: HashTimes,
  index: { has(key: string): boolean } | null = null,
  count = window,
): boolean {
  const measured = driveHashTimes(times);
  let isInterned = false;
  for (let sample = 0; measured() < count; sample++) {
    if (sample === 100_000) throw new Error("the detector does not read the driven clock");
    isInterned = detector.observe(`key:${sample}`, index);
  }
  return isInterned;
}

describe("the detector", () => {
  test("takes keys for fresh until two windows of samples in a row say otherwise", () => {
    const detector = new KeyIdentityDetector();
    expect(observe(detector, interned)).toBe(false);
    expect(observe(detector, fresh)).toBe(false);
    expect(observe(detector, interned)).toBe(false);
    expect(observe(detector, interned, null, window - 1)).toBe(false);
    expect(observe(detector, interned, null, 1)).toBe(true);
  });

  test("takes keys for fresh again after one window", () => {
    const detector = new KeyIdentityDetector();
    expect(observe(detector, interned, null, 2 * window)).toBe(true);
    expect(observe(detector, fresh, everything)).toBe(false);
  });

  test("keeps its verdict while times lie between the two shares", () => {
    const detector = new KeyIdentityDetector();
    const between = { asked: 40, fresh: 50 };
    expect(observe(detector, between, null, 3 * window)).toBe(false);
    expect(observe(detector, interned, null, 2 * window)).toBe(true);
    expect(observe(detector, between, everything)).toBe(true);
    expect(observe(detector, fresh, everything)).toBe(false);
  });

  test("ignores disturbed samples while they are fewer than a quarter", () => {
    const detector = new KeyIdentityDetector();
    for (let turn = 0; turn < 2; turn++) {
      observe(detector, { asked: 5000, fresh: 50 }, null, (window >> 2) - 1);
      const isInterned = observe(detector, interned, null, window - (window >> 2) + 1);
      expect(isInterned).toBe(turn === 1);
    }
  });

  test("keeps its verdict when the clock is too coarse", () => {
    const detector = new KeyIdentityDetector();
    const still = { asked: 0, fresh: 0 };
    expect(observe(detector, still, null, 3 * window)).toBe(false);
    expect(observe(detector, interned, null, 2 * window)).toBe(true);
    expect(observe(detector, still, everything)).toBe(true);
  });

  test("ends an index that has few of the keys, and waits before it tries again", () => {
    const detector = new KeyIdentityDetector();
    expect(observe(detector, interned, null, 2 * window)).toBe(true);
    // The first window fills the index.
    expect(observe(detector, interned, nothing)).toBe(true);
    expect(observe(detector, interned, nothing)).toBe(false);
    let windows = 1;
    while (!observe(detector, interned)) windows += 1;
    expect(windows).toBe(32);
    expect(observe(detector, interned, everything)).toBe(true);
    expect(observe(detector, interned, everything)).toBe(true);
  });

  test("samples one call in four once its verdict is settled, and every call before", () => {
    const detector = new KeyIdentityDetector();
    const calls = (times: HashTimes, index: typeof everything | null): number => {
      const measured = driveHashTimes(times);
      let count = 0;
      while (measured() < window) {
        if (count === 100_000) throw new Error("the detector does not read the driven clock");
        detector.observe(`key:${count}`, index);
        count += 1;
      }
      return count;
    };
    expect(calls(fresh, null)).toBe(window);
    expect(calls(fresh, null)).toBe(2 * window);
    for (let turn = 0; turn < 3; turn++) expect(calls(fresh, null)).toBe(4 * window);
    expect(calls(interned, null)).toBe(4 * window);
    expect(calls(interned, null)).toBe(window);
    expect(calls(interned, everything)).toBe(window);
    expect(calls(interned, everything)).toBe(2 * window);
  });
});

test("by the real clock, strings that were looked up before are told from fresh ones", () => {
  const keys = Array.from({ length: 64 }, (_, number) => `user:${number}:profile`);
  const known = new Set(keys);
  expect(known.size).toBe(64);
  const detector = new KeyIdentityDetector();
  // As in the near cache, there is an index if the last verdict said so.
  const shareOf = (keyOf: (call: number) => string): number => {
    let [internedCalls, isInterned] = [0, false];
    const calls = window * 40;
    for (let call = 0; call < calls; call++) {
      isInterned = detector.observe(keyOf(call), isInterned ? everything : null);
      if (isInterned) internedCalls += 1;
    }
    return internedCalls / calls;
  };
  // The median, because another process may take the processor during some of the runs. The first
  // run warms up.
  const medianOf = (keyOf: (call: number) => string): number => {
    const [, ...shares] = Array.from({ length: 8 }, () => shareOf(keyOf));
    return shares.toSorted((left, right) => left - right)[3] as number;
  };
  expect(medianOf((call) => keys[call % keys.length] as string)).toBeGreaterThan(0.7);
  expect(medianOf((call) => `user:${call}:profile`)).toBeLessThan(0.2);
});
