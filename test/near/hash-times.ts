// A clock for the detector of interned keys, which times lookups with `performance.now()`: the
// tests say how long the hash of a caller's string and of a fresh one takes.

import { vi } from "vitest";

export interface HashTimes {
  /** Nanoseconds that the caller's string takes. */
  readonly asked: number;
  /** Nanoseconds that a string takes that the detector builds. */
  readonly fresh: number;
}

export const internedTimes: HashTimes = { asked: 5, fresh: 50 };
export const freshTimes: HashTimes = { asked: 50, fresh: 50 };

/** Makes the detector measure these times until mocks are restored. Nothing else may read the clock
 *  meanwhile. Returns a function that tells how many keys were measured. */
export function driveHashTimes(times: HashTimes): () => number {
  let now = 1_000_000;
  let call = 0;
  vi.spyOn(performance, "now").mockImplementation(() => {
    // A measured key reads the clock nine times: before, between and after two lookups, for a
    // string that warms up, for the caller's, and for a fresh one.
    const step = call++ % 9;
    now += 0.001;
    if (step === 4) now += times.asked / 1e6;
    if (step === 7) now += times.fresh / 1e6;
    return now;
  });
  return () => call / 9;
}

/**
 * Stops the clock until mocks are restored: the detector measures nothing and keeps its verdict.
 */
export function stopHashTimes(): void {
  vi.spyOn(performance, "now").mockReturnValue(1_000_000);
}
