import { Worker } from "node:worker_threads";
import { expect, test, vi } from "vitest";
import { ManualClock, monotonicMs, readAnchorMs, SystemClock } from "../../dist/src/base/mod.js";

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

test("SystemClock reads the wall clock at its anchor and then ignores its steps", () => {
  const clock = new SystemClock(readAnchorMs());
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1000);
  vi.useFakeTimers({ now: 0 });
  try {
    expect(Date.now()).toBe(0);
    expect(clock.now()).toBeGreaterThan(Date.UTC(2020, 0, 1));
  } finally {
    vi.useRealTimers();
  }
  expect(new SystemClock(1000).now() - monotonicMs()).toBeCloseTo(1000, 0);
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
