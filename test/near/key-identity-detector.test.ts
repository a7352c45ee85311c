// Whether callers intern their key strings, told by a clock that these tests drive, and by the real one.

import { afterEach, describe, expect, test, vi } from "vitest";
import { KeyIdentityDetector } from "../../dist/src/near/key-identity-detector.js";

const window = 33;
const everything = { has: () => true };
const nothing = { has: () => false };

afterEach(() => vi.restoreAllMocks());

/** From now on a detector measures these nanoseconds: `asked` for a caller's key, `fresh` for the strings it builds. Answers
 *  how many keys it has measured. */
function hashTimes(times: { readonly asked: number; readonly fresh: number }): () => number {
  let now = 1_000_000;
  let call = 0;
  vi.spyOn(performance, "now").mockImplementation(() => {
    // Three readings for each string, before, between and after two looks: the first to warm up, then asked, then fresh.
    const step = call++ % 9;
    now += 0.001;
    if (step === 4) now += times.asked / 1e6;
    if (step === 7) now += times.fresh / 1e6;
    return now;
  });
  return () => call / 9;
}

/** Until this many keys have been measured; most calls are passed over where nothing new is found. */
function observe(
  detector: KeyIdentityDetector,
  times: { readonly asked: number; readonly fresh: number },
  index: { has(key: string): boolean } | null = null,
  count = window,
): boolean {
  const measured = hashTimes(times);
  let isInterned = false;
  for (let sample = 0; measured() < count; sample++) {
    isInterned = detector.observe(`key:${sample}`, index);
  }
  return isInterned;
}

const interned = { asked: 5, fresh: 50 };
const fresh = { asked: 50, fresh: 50 };

describe("by times", () => {
  test("keys are taken for fresh until two windows of samples in a row say otherwise", () => {
    const detector = new KeyIdentityDetector();
    expect(observe(detector, interned)).toBe(false);
    expect(observe(detector, fresh)).toBe(false);
    expect(observe(detector, interned)).toBe(false);
    expect(observe(detector, interned, null, window - 1)).toBe(false);
    expect(observe(detector, interned, null, 1)).toBe(true);
  });

  test("one window says that they are fresh again", () => {
    const detector = new KeyIdentityDetector();
    expect(observe(detector, interned, null, 2 * window)).toBe(true);
    expect(observe(detector, fresh, everything)).toBe(false);
  });

  test("between the two shares the verdict stays as it is", () => {
    const detector = new KeyIdentityDetector();
    const between = { asked: 40, fresh: 50 };
    expect(observe(detector, between, null, 3 * window)).toBe(false);
    expect(observe(detector, interned, null, 2 * window)).toBe(true);
    expect(observe(detector, between, everything)).toBe(true);
    expect(observe(detector, fresh, everything)).toBe(false);
  });

  test("less than a quarter of the samples disturbed change nothing", () => {
    const detector = new KeyIdentityDetector();
    for (let turn = 0; turn < 2; turn++) {
      observe(detector, { asked: 5000, fresh: 50 }, null, (window >> 2) - 1);
      const isInterned = observe(detector, interned, null, window - (window >> 2) + 1);
      expect(isInterned).toBe(turn === 1);
    }
  });

  test("a clock too coarse to tell leaves the verdict alone", () => {
    const detector = new KeyIdentityDetector();
    const still = { asked: 0, fresh: 0 };
    expect(observe(detector, still, null, 3 * window)).toBe(false);
    expect(observe(detector, interned, null, 2 * window)).toBe(true);
    expect(observe(detector, still, everything)).toBe(true);
  });

  test("an index that has few of the keys ends, and rests before it is tried again", () => {
    const detector = new KeyIdentityDetector();
    expect(observe(detector, interned, null, 2 * window)).toBe(true);
    // The first window fills it.
    expect(observe(detector, interned, nothing)).toBe(true);
    expect(observe(detector, interned, nothing)).toBe(false);
    let windows = 1;
    while (!observe(detector, interned)) windows += 1;
    expect(windows).toBe(32);
    expect(observe(detector, interned, everything)).toBe(true);
    expect(observe(detector, interned, everything)).toBe(true);
  });

  test("a sample is taken of one call in four once nothing new is found, and of each while something is", () => {
    const detector = new KeyIdentityDetector();
    const calls = (times: typeof interned, index: typeof everything | null): number => {
      const measured = hashTimes(times);
      let count = 0;
      while (measured() < window) {
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

// The clock is the machine's: where others take the processor all the time, one try in some hundred is wrong.
const tries = { retry: 3 };

test(
  "the real times tell strings that were looked up before from strings that were not",
  tries,
  () => {
    const keys = Array.from({ length: 64 }, (_, number) => `user:${number}:profile`);
    const known = new Set(keys);
    expect(known.size).toBe(64);
    const detector = new KeyIdentityDetector();
    // As the near cache does: there is an index when the last verdict said so. Once for the warming up and once that counts.
    const sharesOf = (keyOf: (call: number) => string): number[] =>
      [0, 1].map(() => {
        let [internedCalls, isInterned] = [0, false];
        const calls = window * 40;
        for (let call = 0; call < calls; call++) {
          isInterned = detector.observe(keyOf(call), isInterned ? everything : null);
          if (isInterned) internedCalls += 1;
        }
        return internedCalls / calls;
      });
    const [, ofInterned] = sharesOf((call) => keys[call % keys.length] as string);
    expect(ofInterned).toBeGreaterThan(0.7);
    const [, ofFresh] = sharesOf((call) => `user:${call}:profile`);
    expect(ofFresh).toBeLessThan(0.2);
  },
);
