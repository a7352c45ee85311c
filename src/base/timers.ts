// Timers and clocks of the runtime, bound when this file is imported. Test runners replace the
// global ones (and process.nextTick, and those of node:timers) by fakes that stand still until a
// test moves them; a library that waited for those would never settle. So src/ uses the names of
// this file only (a house rule), in workers too. Expiry in tests is moved by a ManualClock.
import { performance } from "node:perf_hooks";
import os from "node:os";
import timers from "node:timers";
import { MessageChannel } from "node:worker_threads";
import { runtimeError } from "./runtime.js";

// From node:timers, not from the global scope: jest, vitest and most fakes leave that module alone,
// so the real timers are bound even if the fakes were there first.
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;

const nextTick: unknown = Reflect.get(process, "nextTick");

const prototype = Object.getPrototypeOf(performance) as object;

/** Milliseconds since this thread's origin, with a fraction: for differences within a thread. Taken
 *  from the prototype if it is there: a test may have put a fake on the object. */
export const elapsedMs = (
  Reflect.get(Reflect.has(prototype, "now") ? prototype : performance, "now") as () => number
).bind(performance);

/** Seconds since the process started, the same for all threads; no fake replaces it. */
export const uptimeSeconds: () => number = process.uptime.bind(process);

/** Milliseconds since the machine started, suspended ones too; 0 if the system does not say. */
export function uptimeMs(): number {
  try {
    return os.uptime() * 1000;
  } catch {
    return 0;
  }
}

const nativeNow = /^function now\(\)\s*\{\s*\[native code\]\s*\}$/;

/** The wall clock in milliseconds, as the machine has it now. Imported under a fake Date it is the
 *  wall clock at the start of the process plus the time since. */
export const wallMs: () => number = nativeNow.test(Function.prototype.toString.call(Date.now))
  ? Date.now
  : () => performance.timeOrigin + elapsedMs();

/** The wall clock as the caller's code sees it, a test runner's fake included. For times that a
 *  host has counted by that clock, and for nothing else. */
export const callersMs = (): number => Date.now();

/** The same by the clock that does not step while the process runs, with a fraction. */
export const callersPreciseMs = (): number => performance.timeOrigin + performance.now();

/** Runs synchronous code of Node.js that defers its events by process.nextTick (a server's
 *  "listening" and "close"), with the real one in place of a fake. */
export function withRealTicks<T>(run: () => T): T {
  const current: unknown = Reflect.get(process, "nextTick");
  if (current === nextTick) return run();
  Reflect.set(process, "nextTick", nextTick);
  try {
    return run();
  } finally {
    Reflect.set(process, "nextTick", current);
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

/** Real milliseconds of one wait for the timers to fire, and waits until they count as fakes: more
 *  than one, since after a turn that blocked the event loop a wait may end before they can fire. */
const timersWaitMs = 2000;
const timersWaits = 3;

/** Rejects with ERR_RUNTIME if this file was imported when the timers, also those of node:timers,
 *  were fakes already. */
export async function assertTimersRun(): Promise<void> {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const fired = Promise.all([
    new Promise((resolve) => setTimeout(resolve, 0)),
    new Promise((resolve) => setImmediate(resolve)),
  ]).then(() => true);
  // Neither a wait nor a fake timer keeps the process alive until the answer.
  const { port1 } = new MessageChannel();
  port1.ref();
  try {
    for (let wait = 0; wait < timersWaits; wait++) {
      const late = Promise.resolve(waitAsync(words, 0, 0, timersWaitMs).value).then(() => false);
      if (await Promise.race([fired, late])) return;
    }
  } finally {
    Atomics.notify(words, 0);
    port1.close();
  }
  throw runtimeError(
    "the timers had been replaced by fakes when undercroft was imported, and they do not fire",
    "import undercroft before the fakes are installed",
  );
}
