// Time. Called by every room that needs it; tests pass a ManualClock. Invariant: a Clock gives
// wall-clock milliseconds that advance only with the monotonic clock. So a step of the machine's
// clock (NTP, an operator, a suspended laptop) never expires an entry early and never revives one.

import { elapsedMs, uptimeSeconds, wallMs } from "./timers.js";

/**
 * A source of time, for the option `clock`. Only the thread that opened the cache calls it; other
 * threads use the time that it last returned.
 *
 * @example
 * ```ts
 * import { type Clock, openCache } from "undercroft";
 *
 * let now = Date.UTC(2025, 0, 1);
 * const clock: Clock = { now: () => now };
 * const cache = await openCache<string>({ clock });
 * cache.set("a", "short-lived", { ttl: "1m" });
 * now += 60_000;
 * console.log(cache.getSync("a")); // undefined
 * await cache.close();
 * ```
 */
export interface Clock {
  /** Wall-clock milliseconds since 1970. Never steps back while the process runs. */
  now(): number;
}

const originMs = readOrigin();

/**
 * Milliseconds since a moment that is the same for every thread of the process. Fractions are
 * microseconds. Two threads agree to within about 10 microseconds.
 */
export function monotonicMs(): number {
  return originMs + elapsedMs();
}

/**
 * `elapsedMs` is the cheap clock, but in a worker it may count from that worker's start. The uptime
 * of the process has one zero for all threads. Each thread measures the difference once, from the
 * closest pair of readings out of three tries.
 */
function readOrigin(): number {
  let best = 0;
  let bestGap = Infinity;
  for (let attempt = 0; attempt < 3; attempt++) {
    const before = elapsedMs();
    const uptime = uptimeSeconds();
    const gap = elapsedMs() - before;
    if (gap < bestGap) {
      bestGap = gap;
      best = uptime * 1000 - (before + gap / 2);
    }
  }
  return best;
}

/**
 * The wall clock's value at the monotonic zero, as the machine sees it now: the anchor of a {@link
 * SystemClock}.
 */
export function readAnchorMs(): number {
  return wallMs() - monotonicMs();
}

/**
 * The real clock: an anchor taken once and shared by all threads of a cache, plus monotonic time.
 */
export class SystemClock implements Clock {
  readonly #anchorMs: number;

  /** `anchorMs` is the wall clock in milliseconds at the monotonic zero. */
  constructor(anchorMs: number) {
    this.#anchorMs = anchorMs;
  }

  /** Wall-clock milliseconds since 1970, with a fraction. */
  now(): number {
    return this.#anchorMs + originMs + elapsedMs();
  }
}

/**
 * A clock for tests: it stands still until it is moved. Its methods throw RangeError for a time
 * that is not finite, and `advance` for a negative one.
 *
 * @example
 * ```ts
 * import { ManualClock, openCache } from "undercroft";
 *
 * const clock = new ManualClock();
 * const cache = await openCache<string>({ clock, ttl: "1h" });
 * cache.set("a", "for an hour");
 * clock.advance(3_599_999);
 * console.log(cache.getSync("a")); // for an hour
 * clock.advance(1);
 * console.log(cache.getSync("a")); // undefined
 * await cache.close();
 * ```
 */
export class ManualClock implements Clock {
  #nowMs: number;

  /** Starts at `startMs` wall-clock milliseconds, by default the start of 2025. */
  constructor(startMs: number = manualStartMs) {
    this.#nowMs = checkedMs(startMs);
  }

  /** The clock's current milliseconds. */
  now(): number {
    return this.#nowMs;
  }

  /** Moves the clock forward by `ms` >= 0. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`Cannot advance a clock by ${ms}: it must be >= 0`);
    this.#nowMs = checkedMs(this.#nowMs + ms);
  }

  /** Sets the clock to `ms`. It may go back, as after a restart on a machine with another time. */
  set(ms: number): void {
    this.#nowMs = checkedMs(ms);
  }
}

/** The start of 2025. A number, since `Date` may be a fake. */
const manualStartMs = 1_735_689_600_000;

function checkedMs(ms: number): number {
  if (!Number.isFinite(ms)) throw new RangeError(`Cannot set a clock to ${ms}: it must be finite`);
  return ms;
}
