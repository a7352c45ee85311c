// Latency histograms of 62 buckets. Each thread keeps one for each of four kinds of operation in
// shared memory (kernel/layout.ts, threadHistograms); stats() sums them and reads off percentiles.
//
//   bucket 0        below 26.83 ns
//   buckets 1..60   26.83 ns to 10 s, seven to a decade: one factor of 10 ^ (1/7) = 1.3895
//   bucket 61       10 s and more
//
// Every power of ten from 100 ns to 10 s is a bound, so a metric can say exactly how many were
// slower. Bounds have four digits. A percentile is reported as the geometric middle of its bucket,
// so its error is at most the square root of a step: 17.9 %.

import { assert } from "../base/mod.js";

export const histogramNear = 0; // hits of the near cache
export const histogramMemory = 1; // hits of shared memory
export const histogramDisk = 2; // hits of the disk
export const histogramLoad = 3; // loaders

export const latencyBucketCount = 62;
const bucketLast = latencyBucketCount - 1;
export const bucketsPerDecade = 7;
const highestNs = 10_000_000_000;

/** Lower bound of each bucket, in nanoseconds; NaN, which no latency reaches, up to 64. */
const bounds = makeBounds();

/** Upper bound of each bucket but the last, in nanoseconds. */
export const latencyBoundsNs: readonly number[] = Object.freeze([
  ...bounds.subarray(1, latencyBucketCount),
]);

/** The samples of a histogram, summed over all threads. */
export interface HistogramTotals {
  /** Samples by bucket. */
  readonly counts: ArrayLike<number>;
  /** The sum of the samples, in nanoseconds. */
  readonly sumNs: number;
}

/**
 * A latency histogram. `counts` has one number more than `boundsNs`: `counts[i]` samples were
 * shorter than `boundsNs[i]` and not shorter than the bound before it; the last were longer than
 * all bounds.
 */
export interface LatencyHistogram {
  /** Samples. */
  readonly count: number;
  /** The sum of all samples, in nanoseconds. */
  readonly sumNs: number;
  readonly counts: readonly number[];
  /** In nanoseconds, ascending; the same for every histogram. */
  readonly boundsNs: readonly number[];
}

/** Latency percentiles in nanoseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

function makeBounds(): Float64Array {
  const made = new Float64Array(64).fill(NaN);
  made[0] = 0;
  for (let bucket = 1; bucket <= bucketLast; bucket++) {
    const decades = (bucketLast - bucket) / bucketsPerDecade;
    made[bucket] = Number((highestNs / 10 ** decades).toPrecision(4));
  }
  return made;
}

/** The bucket, 0 to 61, of a latency in nanoseconds. NaN and negative latencies (from two clocks
 *  that disagree) go to bucket 0. */
export function bucketOf(ns: number): number {
  let bucket = 0;
  // Binary search for the last bucket whose lower bound is at most `ns`.
  for (let half = bounds.length / 2; half >= 1; half /= 2) {
    if ((bounds[bucket + half] as number) <= ns) bucket += half;
  }
  return bucket;
}

/** The lowest latency, in nanoseconds, that `bucket` (0 to 61) counts. */
export function lowerBound(bucket: number): number {
  assert(Number.isInteger(bucket) && bucket >= 0 && bucket <= bucketLast, "there are 62 buckets");
  return bounds[bucket] as number;
}

/** Percentiles of 62 bucket counts; `null` without samples. Each is within 17.9 % of the true
 *  sample, except that in the first bucket it reads half its bound and from 10 s it reads 10 s. */
export function percentiles(counts: ArrayLike<number>): Percentiles | null {
  assert(counts.length === latencyBucketCount, "there are 62 buckets");
  let total = 0;
  for (let bucket = 0; bucket < latencyBucketCount; bucket++) total += counts[bucket] as number;
  if (total === 0) return null;
  return {
    p50: middleOf(bucketOfRank(counts, Math.ceil(total * 0.5))),
    p99: middleOf(bucketOfRank(counts, Math.ceil(total * 0.99))),
    p999: middleOf(bucketOfRank(counts, Math.ceil(total * 0.999))),
  };
}

/** A histogram as users read it. */
export function latencyHistogram({ counts, sumNs }: HistogramTotals): LatencyHistogram {
  assert(counts.length === latencyBucketCount, "there are 62 buckets");
  const copied = Array.from(counts);
  const count = copied.reduce((sum, each) => sum + each, 0);
  return { count, sumNs, counts: copied, boundsNs: latencyBoundsNs };
}

/** The bucket of the `rank`th smallest sample, counted from 1. */
function bucketOfRank(counts: ArrayLike<number>, rank: number): number {
  let seen = 0;
  for (let bucket = 0; bucket < bucketLast; bucket++) {
    seen += counts[bucket] as number;
    if (seen >= rank) return bucket;
  }
  return bucketLast;
}

function middleOf(bucket: number): number {
  if (bucket === 0) return lowerBound(1) / 2;
  if (bucket === bucketLast) return highestNs;
  return Math.sqrt(lowerBound(bucket) * lowerBound(bucket + 1));
}
