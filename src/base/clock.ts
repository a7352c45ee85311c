// Time. Called by every room that needs it; tests pass a ManualClock. Invariant: a Clock never goes
// back. It advances with the monotonic clock, and when the wall clock has gone further: the machine
// was suspended, which the monotonic clock does not count, or its clock was put right. If the wall
// clock is put back, time goes on ahead of it: an entry never lives longer for it.

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
 * What the threads of a cache share of its clock, as two views of the same bytes: [0] the time at
 * the monotonic zero, [1] how far the time is ahead of the wall clock. Both only grow, by a CAS,
 * and any thread may raise them; a reader may see one raised and not yet the other, which is as if
 * it had come a moment earlier.
 */
export interface ClockWords {
  readonly values: Float64Array;
  readonly bits: BigUint64Array;
}

/** Words for one thread, or until there is shared memory. */
export function clockWords(anchorMs: number, aheadMs = 0): ClockWords {
  const values = Float64Array.of(anchorMs, aheadMs);
  return { values, bits: new BigUint64Array(values.buffer) };
}

/** Milliseconds between two looks at the wall clock, in each thread that asks for the time. */
const lookEveryMs = 10;
/** The wall clock has been stepped if it differs by more. Slower changes are followed when they add
 *  up to it, so time is right to this many milliseconds. */
const stepMs = 100;

/** The real clock: the shared anchor plus monotonic time. */
export class SystemClock implements Clock {
  readonly #values: Float64Array;
  readonly #words: ClockWords;
  readonly #wall: () => number;
  /** The monotonic time of the next look at the wall clock. */
  #lookAtMs = -Infinity;

  /** `wall` reads the wall clock, in milliseconds. */
  constructor(words: ClockWords, wall: () => number = wallMs) {
    this.#words = words;
    this.#values = words.values;
    this.#wall = wall;
  }

  /** Milliseconds since 1970 by the cache's time, with a fraction. */
  now(): number {
    const monotonic = originMs + elapsedMs();
    if (monotonic >= this.#lookAtMs) this.#look(monotonic);
    return (this.#values[0] as number) + monotonic;
  }

  /** Compares the time with the wall clock, and follows it where that was stepped. */
  #look(monotonic: number): void {
    // The words first: if another thread raises them after that, the difference was seen by both.
    const [anchor = 0, ahead = 0] = this.#values;
    const wall = this.#wall();
    const now = monotonicMs();
    // A thread that was stopped in between knows nothing.
    if (now - monotonic > stepMs / 2) return;
    this.#lookAtMs = now + lookEveryMs;
    const difference = wall - now + ahead - anchor;
    if (difference > stepMs) this.#raise(0, anchor, anchor + difference);
    else if (difference < -stepMs) this.#raise(1, ahead, ahead - difference);
  }

  /** If another thread was faster, it has raised the word for the same reason. */
  #raise(word: 0 | 1, from: number, to: number): void {
    const { bits } = this.#words;
    scratch.values[0] = from;
    const expected = scratch.bits[0] as bigint;
    scratch.values[0] = to;
    Atomics.compareExchange(bits, word, expected, scratch.bits[0] as bigint);
  }
}

/** To take the bits of a double. */
const scratch = clockWords(0);

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
