// Whether callers keep their key strings, told by a clock that these tests drive, and by the real one.

import { afterEach, describe, expect, test, vi } from "vitest";
import { KeyHabit } from "../../dist/src/cache/key-habit.js";

const window = 33;
const everything = { has: () => true };
const nothing = { has: () => false };

afterEach(() => vi.restoreAllMocks());

/** From now on a habit measures these nanoseconds: `asked` for a caller's key, `built` for the strings it builds. Answers how
 *  many keys it has measured. */
function hashTimes(times: { readonly asked: number; readonly built: number }): () => number {
  let now = 1_000_000;
  let call = 0;
  vi.spyOn(performance, "now").mockImplementation(() => {
    // Three readings for each string, before, between and after two looks: the first to warm up, then asked, then built.
    const step = call++ % 9;
    now += 0.001;
    if (step === 4) now += times.asked / 1e6;
    if (step === 7) now += times.built / 1e6;
    return now;
  });
  return () => call / 9;
}

/** Until this many keys have been measured; most calls are passed over where nothing new is found. */
function observe(
  habit: KeyHabit,
  times: { readonly asked: number; readonly built: number },
  index: { has(key: string): boolean } | null = null,
  count = window,
): boolean {
  const measured = hashTimes(times);
  let isKept = false;
  for (let sample = 0; measured() < count; sample++) {
    isKept = habit.observe(`key:${sample}`, index);
  }
  return isKept;
}

const kept = { asked: 5, built: 50 };
const built = { asked: 50, built: 50 };

describe("by times", () => {
  test("keys are taken for built until two windows of samples in a row say otherwise", () => {
    const habit = new KeyHabit();
    expect(observe(habit, kept)).toBe(false);
    expect(observe(habit, built)).toBe(false);
    expect(observe(habit, kept)).toBe(false);
    expect(observe(habit, kept, null, window - 1)).toBe(false);
    expect(observe(habit, kept, null, 1)).toBe(true);
  });

  test("one window says that they are built again", () => {
    const habit = new KeyHabit();
    expect(observe(habit, kept, null, 2 * window)).toBe(true);
    expect(observe(habit, built, everything)).toBe(false);
  });

  test("between the two shares the verdict stays as it is", () => {
    const habit = new KeyHabit();
    const between = { asked: 40, built: 50 };
    expect(observe(habit, between, null, 3 * window)).toBe(false);
    expect(observe(habit, kept, null, 2 * window)).toBe(true);
    expect(observe(habit, between, everything)).toBe(true);
    expect(observe(habit, built, everything)).toBe(false);
  });

  test("less than a quarter of the samples disturbed change nothing", () => {
    const habit = new KeyHabit();
    for (let turn = 0; turn < 2; turn++) {
      observe(habit, { asked: 5000, built: 50 }, null, (window >> 2) - 1);
      const isKept = observe(habit, kept, null, window - (window >> 2) + 1);
      expect(isKept).toBe(turn === 1);
    }
  });

  test("a clock too coarse to tell leaves the verdict alone", () => {
    const habit = new KeyHabit();
    const still = { asked: 0, built: 0 };
    expect(observe(habit, still, null, 3 * window)).toBe(false);
    expect(observe(habit, kept, null, 2 * window)).toBe(true);
    expect(observe(habit, still, everything)).toBe(true);
  });

  test("an index that has few of the keys ends, and rests before it is tried again", () => {
    const habit = new KeyHabit();
    expect(observe(habit, kept, null, 2 * window)).toBe(true);
    // The first window fills it.
    expect(observe(habit, kept, nothing)).toBe(true);
    expect(observe(habit, kept, nothing)).toBe(false);
    let windows = 1;
    while (!observe(habit, kept)) windows += 1;
    expect(windows).toBe(32);
    expect(observe(habit, kept, everything)).toBe(true);
    expect(observe(habit, kept, everything)).toBe(true);
  });

  test("a sample is taken of one call in four once nothing new is found, and of each while something is", () => {
    const habit = new KeyHabit();
    const calls = (times: typeof kept, index: typeof everything | null): number => {
      const measured = hashTimes(times);
      let count = 0;
      while (measured() < window) {
        habit.observe(`key:${count}`, index);
        count += 1;
      }
      return count;
    };
    expect(calls(built, null)).toBe(window);
    expect(calls(built, null)).toBe(2 * window);
    for (let turn = 0; turn < 3; turn++) expect(calls(built, null)).toBe(4 * window);
    expect(calls(kept, null)).toBe(4 * window);
    expect(calls(kept, null)).toBe(window);
    expect(calls(kept, everything)).toBe(window);
    expect(calls(kept, everything)).toBe(2 * window);
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
    const habit = new KeyHabit();
    // As the near cache does: there is an index when the last verdict said so. Once for the warming up and once that counts.
    const sharesOf = (keyOf: (call: number) => string): number[] =>
      [0, 1].map(() => {
        let [kept, isKept] = [0, false];
        const calls = window * 40;
        for (let call = 0; call < calls; call++) {
          isKept = habit.observe(keyOf(call), isKept ? everything : null);
          if (isKept) kept += 1;
        }
        return kept / calls;
      });
    const [, ofKept] = sharesOf((call) => keys[call % keys.length] as string);
    expect(ofKept).toBeGreaterThan(0.7);
    const [, ofBuilt] = sharesOf((call) => `user:${call}:profile`);
    expect(ofBuilt).toBeLessThan(0.2);
  },
);
