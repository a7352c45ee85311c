// The shared words of a cache with tiers: which changes of attached threads are on their way to the
// opener, and what the tiers did. This file owns the layout.
//
//      0 ┬ a thread of the user's   32 bytes each
//        │   0 sent     u32  changes begun; its thread adds one before it changes the cache
//        │   4 received u32  changes that the opener has heard of; the opener adds to it
//        │   8 open     u32  what is between the change of the cache and its message: openNothing,
//        │                   openKey or openAll. Its thread sets it before the change and clears it
//        │                   after the message; who finds the thread dead takes it by CAS
//        │  12 hash     u64  of the key, under openKey
//   2048 ┴ numbers                  f64 each, written by the opener only
//
// A thread that dies before `sent` has changed nothing. One that dies with an open word may have:
// its key, or everything, is not taken from a tier any more.
import { tierCounters, type TierTotals } from "../stats/mod.js";

const threadInts = 8;
const sentWord = 0;
const receivedWord = 1;
const openWord = 2;
const hashWord = 3;
const threadsMax = 64;
const numbersAt = threadsMax * threadInts * 4;

export const openNothing = 0;
export const openKey = 1;
export const openAll = 2;

/** What the tiers of a cache did, over all threads (stats/cache-stats.ts). */
const numberNames = [
  ...tierCounters,
  "pending",
  "down",
] as const satisfies readonly (keyof TierTotals)[];
type NumberName = (typeof numberNames)[number];

/** What a thread left open when it died. */
export interface LeftOpen {
  readonly hashLow: number;
  readonly hashHigh: number;
  readonly isAll: boolean;
}

export class TierWords {
  readonly buffer: SharedArrayBuffer;
  readonly #ints: Int32Array;
  readonly #numbers: Float64Array;

  constructor(
    buffer: SharedArrayBuffer = new SharedArrayBuffer(numbersAt + numberNames.length * 8),
  ) {
    this.buffer = buffer;
    this.#ints = new Int32Array(buffer, 0, threadsMax * threadInts);
    this.#numbers = new Float64Array(buffer, numbersAt, numberNames.length);
  }

  /** In the thread itself: a change of the cache is about to happen. */
  begin(thread: number, what: number, hashLow: number, hashHigh: number): void {
    const at = thread * threadInts;
    Atomics.store(this.#ints, at + hashWord, hashLow);
    Atomics.store(this.#ints, at + hashWord + 1, hashHigh);
    Atomics.store(this.#ints, at + openWord, what);
    Atomics.add(this.#ints, at + sentWord, 1);
  }

  /** In the thread itself: the change was posted. */
  posted(thread: number): void {
    Atomics.store(this.#ints, thread * threadInts + openWord, openNothing);
  }

  received(thread: number): void {
    Atomics.add(this.#ints, thread * threadInts + receivedWord, 1);
  }

  /** Changes of a thread that the opener has not heard of. */
  underWay(thread: number): number {
    const at = thread * threadInts;
    // Received first: it never passes sent.
    const received = Atomics.load(this.#ints, at + receivedWord);
    return (Atomics.load(this.#ints, at + sentWord) - received) >>> 0;
  }

  /** The threads that have changes under way. */
  busyThreads(): number[] {
    const busy: number[] = [];
    for (let thread = 0; thread < threadsMax; thread++) {
      if (this.underWay(thread) > 0) busy.push(thread);
    }
    return busy;
  }

  /** How many changes each thread has begun. */
  sent(): Int32Array {
    return Int32Array.from({ length: threadsMax }, (_, thread) =>
      Atomics.load(this.#ints, thread * threadInts + sentWord),
    );
  }

  /** Whether the opener has heard of all these. */
  hasReceived(sent: Int32Array): boolean {
    return sent.every((count, thread) => {
      const received = Atomics.load(this.#ints, thread * threadInts + receivedWord);
      return received - count >= 0;
    });
  }

  /** Takes what a thread that is dead left open; undefined if nothing, or another took it. */
  takeOpen(thread: number): LeftOpen | undefined {
    const at = thread * threadInts;
    const what = Atomics.load(this.#ints, at + openWord);
    if (what === openNothing) return undefined;
    const hashLow = Atomics.load(this.#ints, at + hashWord) >>> 0;
    const hashHigh = Atomics.load(this.#ints, at + hashWord + 1) >>> 0;
    const taken = Atomics.compareExchange(this.#ints, at + openWord, what, openNothing);
    return taken === what ? { hashLow, hashHigh, isAll: what === openAll } : undefined;
  }

  // Only the opener writes numbers. A reader may see one that is a moment old, never half of one.

  add(name: NumberName, amount: number): void {
    const at = numberNames.indexOf(name);
    this.#numbers[at] = (this.#numbers[at] as number) + amount;
  }

  totals(): TierTotals {
    const entries = numberNames.map((name, index) => [name, this.#numbers[index]]);
    return Object.fromEntries(entries) as TierTotals;
  }
}
