import { beforeEach, expect, test } from "vitest";
import { ManualClock } from "../../dist/src/base/mod.js";
import {
  negativeAnswerCharsMax,
  NegativeAnswers,
  negativeAnswersMax,
} from "../../dist/src/fetch/negative-answers.js";

let clock: ManualClock;
let answers: NegativeAnswers;

beforeEach(() => {
  clock = new ManualClock();
  answers = new NegativeAnswers(clock);
});

test("an answer is remembered until its time ends, exactly", () => {
  expect(answers.has("a")).toBe(false);
  answers.remember("a", 10);
  expect(answers.has("a")).toBe(true);
  clock.advance(9.999);
  expect(answers.has("a")).toBe(true);
  clock.set(clock.now() + 0.001);
  expect(answers.has("a")).toBe(false);
  expect(answers.size).toBe(0);
});

test("an answer given again counts from then, and once", () => {
  answers.remember("a", 10);
  clock.advance(5);
  answers.remember("a", 10);
  clock.advance(9);
  expect(answers.has("a")).toBe(true);
  expect(answers.size).toBe(1);
});

test("an answer may be remembered for ever", () => {
  answers.remember("a", Infinity);
  clock.advance(1e12);
  expect(answers.has("a")).toBe(true);
});

test("forget() and forgetAll() end it, and may find none", () => {
  answers.forget("a");
  answers.remember("a", 10);
  answers.remember("b", 10);
  answers.forget("a");
  expect([answers.has("a"), answers.has("b")]).toEqual([false, true]);
  answers.forgetAll();
  expect(answers.has("b")).toBe(false);
});

test("at most negativeAnswersMax are kept; the oldest is dropped", () => {
  for (let id = 0; id < negativeAnswersMax; id++) answers.remember(`k${id}`, 10);
  answers.remember("k0", 10);
  expect(answers.size).toBe(negativeAnswersMax);
  answers.remember("more", 10);
  expect(answers.size).toBe(negativeAnswersMax);
  expect(["k0", "k1", "k2", "more"].map((id) => answers.has(id))).toEqual([
    true,
    false,
    true,
    true,
  ]);
});

test("at most negativeAnswerCharsMax characters of keys are kept", () => {
  const half = negativeAnswerCharsMax / 2;
  const [a, b] = ["a".repeat(half), "b".repeat(half)];
  answers.remember(a, 10);
  answers.remember(b, 10);
  expect(answers.size).toBe(2);
  answers.remember("c", 10);
  expect([answers.has(a), answers.has(b), answers.has("c")]).toEqual([false, true, true]);
  answers.forget(b);
  answers.forgetAll();
  answers.remember(a, 10);
  answers.remember(b, 10);
  expect(answers.size).toBe(2);
});
