// Whether callers keep their key strings, told by a clock that these tests drive.

import { afterEach, expect, test, vi } from "vitest";
import { KeyHabit } from "../../dist/src/cache/key-habit.js";
import { hashTimes } from "./hash-times.js";

const window = 33;

afterEach(() => vi.restoreAllMocks());

function observe(
  habit: KeyHabit,
  times: { asked: number; built: number },
  count = window,
): boolean {
  hashTimes(times);
  let isKept = false;
  for (let sample = 0; sample < count; sample++) isKept = habit.observe(`key:${sample}`);
  return isKept;
}

test("keys are taken for built until a window of samples says otherwise", () => {
  const habit = new KeyHabit();
  expect(observe(habit, { asked: 5, built: 50 }, window - 1)).toBe(false);
  expect(observe(habit, { asked: 5, built: 50 }, 1)).toBe(true);
});

test("between the two shares the verdict stays as it is", () => {
  const habit = new KeyHabit();
  expect(observe(habit, { asked: 40, built: 50 })).toBe(false);
  expect(observe(habit, { asked: 5, built: 50 })).toBe(true);
  expect(observe(habit, { asked: 40, built: 50 })).toBe(true);
});

test("three windows in a row must say that keys are built", () => {
  const habit = new KeyHabit();
  observe(habit, { asked: 5, built: 50 });
  expect(observe(habit, { asked: 50, built: 50 }, 2 * window)).toBe(true);
  expect(observe(habit, { asked: 40, built: 50 })).toBe(true);
  expect(observe(habit, { asked: 50, built: 50 }, 2 * window)).toBe(true);
  expect(observe(habit, { asked: 50, built: 50 })).toBe(false);
});

test("less than half of the samples disturbed change nothing", () => {
  const habit = new KeyHabit();
  observe(habit, { asked: 5000, built: 50 }, (window >> 1) - 1);
  expect(observe(habit, { asked: 5, built: 50 }, window - (window >> 1) + 1)).toBe(true);
});

test("a clock too coarse to tell leaves the verdict alone", () => {
  const habit = new KeyHabit();
  expect(observe(habit, { asked: 0, built: 0 })).toBe(false);
  expect(observe(habit, { asked: 5, built: 50 })).toBe(true);
  expect(observe(habit, { asked: 0, built: 0 })).toBe(true);
});
