// Counters and latency histograms. Each thread adds to its own; readers sum over all threads, dead
// ones included. No atomics: each word has one writer, and a sum may lag by a few operations.
import type { HistogramTotals } from "../../stats/mod.js";
import * as at from "../layout.js";
import type { Views } from "./views.js";

/** From the counts of a histogram, which wrap, to the sum of its samples; and its whole size. */
const sumOffset = at.histogramBuckets * 4;
const histogramSize = sumOffset + 8;

function blockOf(thread: number): number {
  return at.threadTable + thread * at.threadBlockSize;
}

function histogramOf(thread: number, histogram: number): number {
  return blockOf(thread) + at.threadHistograms + histogram * histogramSize;
}

export class ThreadCounters {
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #counters: number;
  readonly #thread: number;
  /** What this reader has seen of each histogram: the counts as they are in shared memory, modulo
   *  2^32, and as they are told. */
  readonly #read = makeArrays((length) => new Uint32Array(length));
  readonly #told = makeArrays((length) => new Float64Array(length));

  constructor(views: Views, thread: number) {
    this.#u32 = views.u32;
    this.#f64 = views.f64;
    this.#thread = thread;
    this.#counters = (blockOf(thread) + at.threadCounters) / 8;
  }

  /** Adds to one of this thread's counters (stats/counters.ts). */
  add(counter: number, amount: number): void {
    const word = this.#counters + counter;
    this.#f64[word] = (this.#f64[word] as number) + amount;
  }

  /** One of this thread's counters. */
  own(counter: number): number {
    return this.#f64[this.#counters + counter] as number;
  }

  /** One of the counters of a thread id. */
  of(thread: number, counter: number): number {
    return this.#f64[(blockOf(thread) + at.threadCounters) / 8 + counter] as number;
  }

  /** A counter summed over all threads. */
  total(counter: number): number {
    let sum = 0;
    for (let thread = 0; thread < at.threadsMax; thread++) {
      sum += this.of(thread, counter);
    }
    return sum;
  }

  /** All counters, each summed over all threads. */
  totals(): Float64Array {
    const sums = new Float64Array(at.counterCount);
    for (let thread = 0; thread < at.threadsMax; thread++) {
      if (!this.#wasUsed(thread)) continue;
      const first = (blockOf(thread) + at.threadCounters) / 8;
      for (let counter = 0; counter < at.counterCount; counter++) {
        sums[counter] = (sums[counter] as number) + (this.#f64[first + counter] as number);
      }
    }
    return sums;
  }

  /** Adds a sample to one of this thread's histograms (stats/histogram.ts). */
  sample(histogram: number, bucket: number, nanoseconds: number): void {
    const first = histogramOf(this.#thread, histogram);
    const word = first / 4 + bucket;
    this.#u32[word] = (this.#u32[word] as number) + 1;
    const sum = (first + sumOffset) / 8;
    this.#f64[sum] = (this.#f64[sum] as number) + nanoseconds;
  }

  /**
   * A histogram summed over all threads. Its words wrap at 2^32 samples. The counts told here do
   * not, if they are read at least once in that time: each call adds what came since the last.
   */
  histogram(histogram: number): HistogramTotals {
    const read = this.#read[histogram] as Uint32Array;
    const told = this.#told[histogram] as Float64Array;
    const now = new Uint32Array(at.histogramBuckets);
    let sumNs = 0;
    for (let thread = 0; thread < at.threadsMax; thread++) {
      if (!this.#wasUsed(thread)) continue;
      const first = histogramOf(thread, histogram);
      sumNs += this.#f64[(first + sumOffset) / 8] as number;
      for (let bucket = 0; bucket < at.histogramBuckets; bucket++) {
        now[bucket] = (now[bucket] as number) + (this.#u32[first / 4 + bucket] as number);
      }
    }
    for (let bucket = 0; bucket < at.histogramBuckets; bucket++) {
      const grown = ((now[bucket] as number) - (read[bucket] as number)) >>> 0;
      told[bucket] = (told[bucket] as number) + grown;
    }
    read.set(now);
    return { counts: told.slice(), sumNs };
  }

  /** Whether a thread has, or had, the thread id. Else its counters are zeros, and its pages need
   *  not be touched. */
  #wasUsed(thread: number): boolean {
    const block = blockOf(thread) / 4;
    return (
      this.#u32[block + at.threadState / 4] !== 0 ||
      this.#u32[block + at.threadIncarnation / 4] !== 0
    );
  }
}

function makeArrays<A>(make: (length: number) => A): A[] {
  return Array.from({ length: at.histogramCount }, () => make(at.histogramBuckets));
}
