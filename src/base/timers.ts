// Timers and clocks of the runtime, bound when this file is imported. Test runners replace the
// global ones (and process.nextTick, and those of node:timers) by fakes that stand still until a
// test moves them; a library that waited for those would never settle. So src/ uses the names of
// this file only (a house rule), in workers too. Expiry in tests is moved by a ManualClock.
import { performance } from "node:perf_hooks";
import timers from "node:timers";
import { UndercroftError } from "./errors.js";

// From node:timers, not from the global scope: jest, vitest and most fakes leave that module alone,
// so the real timers are bound even if the fakes were there first.
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;

const { nextTick } = process;

/** Milliseconds since this thread's origin, with a fraction: for differences within a thread. The
 *  prototype's method, since a test may have put a fake on the object. */
export const elapsedMs: () => number = (
  Object.getPrototypeOf(performance) as typeof performance
).now.bind(performance);

/** Seconds since the process started, the same for all threads; no fake replaces it. */
export const uptimeSeconds: () => number = process.uptime.bind(process);

const nativeNow = /^function now\(\)\s*\{\s*\[native code\]\s*\}$/;

/** The wall clock in milliseconds, as the machine has it now. Imported under a fake Date it is the
 *  wall clock at the start of the process plus the time since. */
export const wallMs: () => number = nativeNow.test(Function.prototype.toString.call(Date.now))
  ? Date.now
  : () => performance.timeOrigin + elapsedMs();

/** Runs synchronous code of Node.js that defers its events by process.nextTick (a server's
 *  "listening" and "close"), with the real one in place of a fake. */
export function withRealTicks<T>(run: () => T): T {
  const current = process.nextTick;
  if (current === nextTick) return run();
  process.nextTick = nextTick;
  try {
    return run();
  } finally {
    process.nextTick = current;
  }
}

type WaitAsync = (
  words: Int32Array,
  index: number,
  value: number,
  timeoutMs: number,
) => { readonly async: boolean; readonly value: Promise<string> | string };

/** Missing in TypeScript's ES2023 library. It has a clock of its own, which nothing replaces. */
export const { waitAsync } = Atomics as unknown as { readonly waitAsync: WaitAsync };

/** Real milliseconds until timers that do not fire count as fakes. */
const timersFireMs = 5000;

/** Rejects with ERR_RUNTIME if this file was imported when the timers were fakes already, also those
 *  of node:timers. */
export async function assertTimersRun(): Promise<void> {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const late = waitAsync(words, 0, 0, timersFireMs).value;
  const fired = Promise.all([
    new Promise<void>((resolve) => setTimeout(resolve, 0)),
    new Promise<void>((resolve) => setImmediate(resolve)),
    new Promise<void>((resolve) => nextTick(resolve)),
  ]).then(() => Atomics.notify(words, 0));
  void fired;
  if ((await late) !== "timed-out") return;
  throw new UndercroftError(
    "ERR_RUNTIME",
    "Cannot open a cache: the timers had been replaced by fakes when undercroft was imported, and " +
      "they do not fire; import undercroft before the fakes are installed",
  );
}
