import { Worker } from "node:worker_threads";
import { expect, test, vi } from "vitest";
import {
  clockWords,
  ManualClock,
  monotonicMs,
  readAnchorMs,
  SystemClock,
} from "../../dist/src/base/mod.js";

test("monotonicMs() never goes back", () => {
  let previous = monotonicMs();
  for (let i = 0; i < 1000; i++) {
    const now = monotonicMs();
    expect(now).toBeGreaterThanOrEqual(previous);
    previous = now;
  }
});

test("monotonicMs() has the same zero in every thread", async () => {
  const door = new URL("../../dist/src/base/mod.js", import.meta.url).href;
  const code = `import(${JSON.stringify(door)}).then(({ monotonicMs }) =>
    require("node:worker_threads").parentPort.postMessage(monotonicMs()));`;
  const before = monotonicMs();
  const worker = new Worker(code, { eval: true });
  const inWorker = await new Promise<number>((done, failed) => {
    worker.once("message", done);
    worker.once("error", failed);
  });
  const after = monotonicMs();
  await worker.terminate();
  // The worker's own performance.now() began near 0 a moment ago; a tenth of a millisecond allows
  // for the two offsets.
  expect(inWorker).toBeGreaterThan(before - 0.1);
  expect(inWorker).toBeLessThan(after + 0.1);
});

test("SystemClock reads the wall clock, and no fake of it", () => {
  const clock = new SystemClock(clockWords(readAnchorMs()));
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1000);
  vi.useFakeTimers({ now: 0 });
  try {
    expect(Date.now()).toBe(0);
    expect(clock.now()).toBeGreaterThan(Date.UTC(2020, 0, 1));
  } finally {
    vi.useRealTimers();
  }
});

/** Two threads' clocks over one wall clock, which `step` moves. */
function steppedClocks() {
  const wall = { stepMs: 0 };
  const words = clockWords(readAnchorMs());
  const read = (): number => readAnchorMs() + monotonicMs() + wall.stepMs;
  const clocks = [new SystemClock(words, read), new SystemClock(words, read)] as const;
  for (const clock of clocks) clock.now();
  const distance = (): number => clocks[0].now() - (read() - wall.stepMs);
  /** Asks for the time until the first clock has looked, and so has shown the step to all. */
  const step = (ms: number): number => {
    wall.stepMs += ms;
    const before = [...words.values];
    while (words.values.every((value, word) => value === before[word])) clocks[0].now();
    return distance();
  };
  return { clocks, words, step };
}

const hour = 3_600_000;

test("SystemClock goes on with the wall clock when that has gone further, for every thread", () => {
  const { clocks, words, step } = steppedClocks();
  expect(step(8 * hour) / hour).toBeCloseTo(8, 3);
  expect((clocks[1].now() - clocks[0].now()) / hour).toBeCloseTo(0, 3);
  expect(words.values[1]).toBe(0);
});

test("SystemClock goes on ahead of a wall clock that was put back, and keeps the distance", () => {
  const { clocks, words, step } = steppedClocks();
  const before = clocks[0].now();
  expect(step(-2 * hour) / hour).toBeCloseTo(0, 3);
  expect(clocks[0].now()).toBeGreaterThanOrEqual(before);
  expect((words.values[1] as number) / hour).toBeCloseTo(2, 3);
  // Forward again: that may be a suspended machine, so time counts it.
  expect(step(hour) / hour).toBeCloseTo(1, 3);
  expect((words.values[1] as number) / hour).toBeCloseTo(2, 3);
});

test("ManualClock stands still until it is moved", () => {
  const clock = new ManualClock(1000);
  expect(clock.now()).toBe(1000);
  clock.advance(5.5);
  expect(clock.now()).toBe(1005.5);
  clock.set(10);
  expect(clock.now()).toBe(10);
  expect(new ManualClock().now()).toBe(Date.UTC(2025, 0, 1));
});

test.each([-1, NaN, Infinity])("ManualClock refuses to advance by %o", (ms) => {
  expect(() => new ManualClock().advance(ms)).toThrow(RangeError);
});

test.each([NaN, Infinity])("ManualClock refuses to stand at %o", (ms) => {
  expect(() => new ManualClock().set(ms)).toThrow(RangeError);
  expect(() => new ManualClock(ms)).toThrow(RangeError);
});
