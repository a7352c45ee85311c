// A clock for the detector of interned keys: the tests say how long the hash of a caller's string
// and of a fresh one takes. The package binds `Performance.prototype.now` when it is imported, so
// this file puts its clock there first: import it before the package.

import { performance } from "node:perf_hooks";

/** Answers in place of the real clock while it is there. */
let drivenNow: (() => number) | null = null;

const prototype = Object.getPrototypeOf(performance) as { now(): number };
// oxlint-disable-next-line typescript/unbound-method -- called with its object below.
const realNow = prototype.now;
prototype.now = function now(this: unknown): number {
  return drivenNow?.() ?? realNow.call(this);
};

/** Lets the clock run by itself again. */
export function restoreHashTimes(): void {
  drivenNow = null;
}

export interface HashTimes {
  /** Nanoseconds that the caller's string takes. */
  readonly asked: number;
  /** Nanoseconds that a string takes that the detector builds. */
  readonly fresh: number;
}

export const internedTimes: HashTimes = { asked: 5, fresh: 50 };
export const freshTimes: HashTimes = { asked: 50, fresh: 50 };

/** Makes the detector measure these times until `restoreHashTimes`. Nothing else may read the clock
 *  meanwhile. Returns a function that tells how many keys were measured. */
export function driveHashTimes(times: HashTimes): () => number {
  let now = 1_000_000;
  let call = 0;
  drivenNow = () => {
    // A measured key reads the clock nine times: before, between and after two lookups, for a
    // string that warms up, for the caller's, and for a fresh one.
    const step = call++ % 9;
    now += 0.001;
    if (step === 4) now += times.asked / 1e6;
    if (step === 7) now += times.fresh / 1e6;
    return now;
  };
  return () => call / 9;
}

/**
 * Stops the clock until `restoreHashTimes`: the detector measures nothing and keeps its verdict.
 */
export function stopHashTimes(): void {
  drivenNow = () => 1_000_000;
}
