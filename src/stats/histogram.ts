// Latency histograms of 64 buckets. Each thread keeps one for each of four kinds of operation in
// shared memory (kernel/layout.ts, threadHistograms); stats() sums them and reads off percentiles.
//
//   bucket 0        below 20 ns
//   buckets 1..62   20 ns to 10 s in steps of one factor: (10 s / 20 ns) ^ (1/62) = 1.3814
//   bucket 63       10 s and more
//
// A percentile is reported as the geometric middle of its bucket, so its error is at most the
// square root of a step: 17.5 %. A constant factor gives the smallest bound for 64 buckets; two
// linear steps an octave would give 22.5 %.

import { assert } from "../base/mod.js";

export const histogramNear = 0; // hits of the near cache
export const histogramMemory = 1; // hits of shared memory
export const histogramDisk = 2; // hits of the disk
export const histogramLoad = 3; // loaders

export const latencyBucketCount = 64;
const bucketLast = latencyBucketCount - 1;
const lowestNs = 20;
const highestNs = 10_000_000_000;

/** Lower bound of each bucket, in nanoseconds. */
const bounds = makeBounds();

/** Latency percentiles in nanoseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

function makeBounds(): Float64Array {
  const made = new Float64Array(latencyBucketCount);
  const steps = latencyBucketCount - 2;
  for (let bucket = 1; bucket < bucketLast; bucket++) {
    made[bucket] = lowestNs * (highestNs / lowestNs) ** ((bucket - 1) / steps);
  }
  made[bucketLast] = highestNs; // exact, whatever the power rounds to
  return made;
}

/** The bucket, 0 to 63, of a latency in nanoseconds. NaN and negative latencies (from two clocks
 *  that disagree) go to bucket 0. */
export function bucketOf(ns: number): number {
  let bucket = 0;
  // Binary search for the last bucket whose lower bound is at most `ns`.
  for (let half = latencyBucketCount / 2; half >= 1; half /= 2) {
    if ((bounds[bucket + half] as number) <= ns) bucket += half;
  }
  return bucket;
}

/** The lowest latency, in nanoseconds, that `bucket` (0 to 63) counts. */
export function lowerBound(bucket: number): number {
  assert(Number.isInteger(bucket) && bucket >= 0 && bucket <= bucketLast, "there are 64 buckets");
  return bounds[bucket] as number;
}

/** Percentiles of 64 bucket counts; `null` without samples. Each is within 17.5 % of the true
 *  sample, except that below 20 ns it reads 10 ns and from 10 s it reads 10 s. */
export function percentiles(counts: ArrayLike<number>): Percentiles | null {
  assert(counts.length === latencyBucketCount, "there are 64 buckets");
  let total = 0;
  for (let bucket = 0; bucket < latencyBucketCount; bucket++) total += counts[bucket] as number;
  if (total === 0) return null;
  return {
    p50: middleOf(bucketOfRank(counts, Math.ceil(total * 0.5))),
    p99: middleOf(bucketOfRank(counts, Math.ceil(total * 0.99))),
    p999: middleOf(bucketOfRank(counts, Math.ceil(total * 0.999))),
  };
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
  if (bucket === 0) return lowestNs / 2;
  if (bucket === bucketLast) return highestNs;
  return Math.sqrt(lowerBound(bucket) * lowerBound(bucket + 1));
}
