// Counters and latency histograms. Each thread adds to its own; readers sum over all threads, dead
// ones included. No atomics: each word has one writer, and a sum may lag by a few operations.
import * as at from "../layout.js";
import type { Views } from "./views.js";

function blockOf(thread: number): number {
  return at.threadTable + thread * at.threadBlockSize;
}

export class ThreadCounters {
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #counters: number;
  readonly #histograms: number;

  constructor(views: Views, thread: number) {
    this.#u32 = views.u32;
    this.#f64 = views.f64;
    this.#counters = (blockOf(thread) + at.threadCounters) / 8;
    this.#histograms = (blockOf(thread) + at.threadHistograms) / 4;
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

  /** A counter summed over all threads. */
  total(counter: number): number {
    let sum = 0;
    for (let thread = 0; thread < at.threadsMax; thread++) {
      sum += this.#f64[(blockOf(thread) + at.threadCounters) / 8 + counter] as number;
    }
    return sum;
  }

  /** Adds one to a bucket of one of this thread's histograms (stats/histogram.ts). */
  sample(histogram: number, bucket: number): void {
    const word = this.#histograms + histogram * at.histogramBuckets + bucket;
    this.#u32[word] = (this.#u32[word] as number) + 1;
  }

  /** The buckets of a histogram summed over all threads. */
  histogram(histogram: number): Uint32Array {
    const sums = new Uint32Array(at.histogramBuckets);
    for (let thread = 0; thread < at.threadsMax; thread++) {
      const first = (blockOf(thread) + at.threadHistograms) / 4 + histogram * at.histogramBuckets;
      for (let bucket = 0; bucket < at.histogramBuckets; bucket++) {
        sums[bucket] = (sums[bucket] as number) + (this.#u32[first + bucket] as number);
      }
    }
    return sums;
  }
}
