// Whether callers keep their key strings, told by a clock that these tests drive, and by the real one.

import { afterEach, describe, expect, test, vi } from "vitest";
import { KeyHabit } from "../../dist/src/cache/key-habit.js";

const window = 33;
const everything = { has: () => true };
const nothing = { has: () => false };

afterEach(() => vi.restoreAllMocks());

/** From now on a habit measures these nanoseconds: `asked` for a caller's key, `built` for the strings it builds. */
function hashTimes(times: { readonly asked: number; readonly built: number }): void {
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
}

function observe(
  habit: KeyHabit,
  times: { readonly asked: number; readonly built: number },
  index: { has(key: string): boolean } | null = null,
  count = window,
): boolean {
  hashTimes(times);
  let isKept = false;
  for (let sample = 0; sample < count; sample++) isKept = habit.observe(`key:${sample}`, index);
  return isKept;
}

describe("by times", () => {
  test("keys are taken for built until a window of samples says otherwise", () => {
    const habit = new KeyHabit();
    expect(observe(habit, { asked: 5, built: 50 }, null, window - 1)).toBe(false);
    expect(observe(habit, { asked: 5, built: 50 }, null, 1)).toBe(true);
  });

  test("between the two shares the verdict stays as it is", () => {
    const habit = new KeyHabit();
    expect(observe(habit, { asked: 40, built: 50 })).toBe(false);
    expect(observe(habit, { asked: 5, built: 50 })).toBe(true);
    expect(observe(habit, { asked: 40, built: 50 }, everything)).toBe(true);
    expect(observe(habit, { asked: 50, built: 50 }, everything)).toBe(false);
  });

  test("less than a quarter of the samples disturbed change nothing", () => {
    const habit = new KeyHabit();
    observe(habit, { asked: 5000, built: 50 }, null, (window >> 2) - 1);
    expect(observe(habit, { asked: 5, built: 50 }, null, window - (window >> 2) + 1)).toBe(true);
  });

  test("a clock too coarse to tell leaves the verdict alone", () => {
    const habit = new KeyHabit();
    expect(observe(habit, { asked: 0, built: 0 })).toBe(false);
    expect(observe(habit, { asked: 5, built: 50 })).toBe(true);
    expect(observe(habit, { asked: 0, built: 0 }, everything)).toBe(true);
  });

  test("an index that has few of the keys ends, and rests before it is tried again", () => {
    const habit = new KeyHabit();
    const kept = { asked: 5, built: 50 };
    expect(observe(habit, kept)).toBe(true);
    // The first window fills it.
    expect(observe(habit, kept, nothing)).toBe(true);
    expect(observe(habit, kept, nothing)).toBe(false);
    let windows = 1;
    while (!observe(habit, kept)) windows += 1;
    expect(windows).toBe(32);
    expect(observe(habit, kept, everything)).toBe(true);
    expect(observe(habit, kept, everything)).toBe(true);
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
    let verdicts = 0;
    // The first windows warm up. Then all but few verdicts are right, on a machine that is busy otherwise too.
    for (let sample = 0; sample < window * 40; sample++) {
      const isKept = habit.observe(keys[sample % keys.length] as string, null);
      if (sample >= window * 20 && sample % window === window - 1 && isKept) verdicts += 1;
    }
    expect(verdicts).toBeGreaterThanOrEqual(17);
    verdicts = 0;
    for (let sample = 0; sample < window * 40; sample++) {
      const isKept = habit.observe(`user:${sample}:profile`, null);
      if (sample >= window * 20 && sample % window === window - 1 && !isKept) verdicts += 1;
    }
    expect(verdicts).toBeGreaterThanOrEqual(17);
  },
);
