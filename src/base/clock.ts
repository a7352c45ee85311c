// Time. Called by whoever needs to know how late it is; tests hand in a ManualClock. Invariant: a Clock gives
// wall-clock milliseconds that move only with the monotonic clock, so a step of the machine's clock (NTP, an
// operator, a suspended laptop) never expires an entry early or brings one back.

import { performance } from "node:perf_hooks";

/** Where the time comes from. */
export interface Clock {
  /** Wall-clock milliseconds since 1970, never stepping back while the process runs. */
  now(): number;
}

// Bound once: fake timers replace `performance.now`, and half of the library on faked time would be worse than none.
const sincePerformanceOrigin = performance.now.bind(performance);
const originMs = readOrigin();

/**
 * Milliseconds since a moment that is the same for every thread of the process (of the machine, in fact). Fractions
 * are microseconds. Two threads agree to within about 10 microseconds.
 */
export function monotonicMs(): number {
  return originMs + sincePerformanceOrigin();
}

/**
 * `performance.now()` is the cheap clock, but each worker's begins at that worker's start; `process.hrtime` has one
 * zero for all. The difference is taken once per thread, between two readings as close together as three tries give.
 */
function readOrigin(): number {
  let best = 0;
  let bestGap = Infinity;
  for (let attempt = 0; attempt < 3; attempt++) {
    const before = sincePerformanceOrigin();
    const [seconds, nanoseconds] = process.hrtime();
    const gap = sincePerformanceOrigin() - before;
    if (gap < bestGap) {
      bestGap = gap;
      best = seconds * 1000 + nanoseconds / 1e6 - (before + gap / 2);
    }
  }
  return best;
}

/** The wall clock's reading at the monotonic zero, as the machine sees it now: the anchor of a {@link SystemClock}. */
export function readAnchorMs(): number {
  return Date.now() - monotonicMs();
}

/** The real clock: an anchor taken once, shared by all threads of a cache, plus monotonic time. */
export class SystemClock implements Clock {
  readonly #anchorMs: number;

  /** `anchorMs` is the wall clock in milliseconds at the monotonic zero. */
  constructor(anchorMs: number) {
    this.#anchorMs = anchorMs;
  }

  /** Wall-clock milliseconds since 1970, with a fraction. */
  now(): number {
    return this.#anchorMs + originMs + sincePerformanceOrigin();
  }
}

/** A clock that stands until it is moved; for tests. */
export class ManualClock implements Clock {
  #nowMs: number;

  /** Starts at `startMs` wall-clock milliseconds; without it, at the first moment of 2025. */
  constructor(startMs: number = Date.UTC(2025, 0, 1)) {
    this.#nowMs = checkedMs(startMs);
  }

  /** The milliseconds that the clock stands at. */
  now(): number {
    return this.#nowMs;
  }

  /** Moves the clock on by `ms` >= 0. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`Cannot advance a clock by ${ms}: it must be >= 0`);
    this.#nowMs = checkedMs(this.#nowMs + ms);
  }

  /** Puts the clock at `ms`, also back, as a restart on a machine with another time would. */
  set(ms: number): void {
    this.#nowMs = checkedMs(ms);
  }
}

function checkedMs(ms: number): number {
  if (!Number.isFinite(ms)) throw new RangeError(`Cannot set a clock to ${ms}: it must be finite`);
  return ms;
}
