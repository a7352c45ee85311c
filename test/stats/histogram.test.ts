import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as layout from "../../dist/src/kernel/layout.js";
import {
  bucketOf,
  histogramLoad,
  latencyBucketCount,
  latencyHistogram,
  lowerBound,
  percentiles,
} from "../../dist/src/stats/mod.js";

const last = latencyBucketCount - 1;

function countsOf(samples: readonly number[]): Uint32Array {
  const counts = new Uint32Array(latencyBucketCount);
  for (const sample of samples) counts[bucketOf(sample)]!++;
  return counts;
}

test("the thread blocks have room for exactly these histograms", () => {
  expect(latencyBucketCount).toBe(layout.histogramBuckets);
  expect(histogramLoad).toBe(layout.histogramCount - 1);
});

describe("bucketOf()", () => {
  test("accepts values that are no latency", () => {
    for (const ns of [0, -0, -1, -Infinity, NaN]) expect(bucketOf(ns)).toBe(0);
    expect(bucketOf(Infinity)).toBe(last);
    expect(bucketOf(Number.MAX_SAFE_INTEGER)).toBe(last);
  });

  test("begins at 26.83 ns and ends at 10 s", () => {
    expect(bucketOf(26.829)).toBe(0);
    expect(bucketOf(26.83)).toBe(1);
    expect(bucketOf(9_999_999_999)).toBe(last - 1);
    expect(bucketOf(10_000_000_000)).toBe(last);
  });

  test("puts each lower bound in its own bucket and what is just below in the one before", () => {
    for (let bucket = 1; bucket < latencyBucketCount; bucket++) {
      expect(bucketOf(lowerBound(bucket))).toBe(bucket);
      expect(bucketOf(lowerBound(bucket) * (1 - 1e-12))).toBe(bucket - 1);
    }
    expect(bucketOf(lowerBound(0))).toBe(0);
  });
});

describe("lowerBound()", () => {
  test("grows by one factor, to four digits, from 26.83 ns to 10 s", () => {
    expect(lowerBound(0)).toBe(0);
    expect(lowerBound(1)).toBe(26.83);
    expect(lowerBound(last)).toBe(10_000_000_000);
    for (let bucket = 2; bucket <= last; bucket++) {
      const step = lowerBound(bucket) / lowerBound(bucket - 1);
      expect(Math.abs(step / 10 ** (1 / 7) - 1)).toBeLessThan(0.001);
    }
  });

  test("has every power of ten from 100 ns to 10 s", () => {
    const bounds = Array.from({ length: latencyBucketCount }, (_, bucket) => lowerBound(bucket));
    const powers = Array.from({ length: 9 }, (_, power) => 10 ** (power + 2));
    expect(bounds).toEqual(expect.arrayContaining(powers));
  });

  test("asserts that the bucket exists", () => {
    for (const bucket of [-1, 62, 0.5, NaN]) {
      expect(() => lowerBound(bucket)).toThrow("there are 62 buckets");
    }
  });
});

describe("percentiles()", () => {
  test("without samples is null", () => {
    expect(percentiles(new Uint32Array(latencyBucketCount))).toBeNull();
    expect(percentiles(Array.from({ length: latencyBucketCount }, () => 0))).toBeNull();
  });

  test("of one sample is that sample, to 17.9 %", () => {
    const { p50, p99, p999 } = percentiles(countsOf([1000]))!;
    expect(p50).toBeGreaterThan(1000 / 1.1795);
    expect(p50).toBeLessThan(1000 * 1.1795);
    expect(p99).toBe(p50);
    expect(p999).toBe(p50);
  });

  test("below and above the range returns its limits", () => {
    expect(percentiles(countsOf([0]))).toEqual({ p50: 13.415, p99: 13.415, p999: 13.415 });
    const tenSeconds = 10_000_000_000;
    expect(percentiles(countsOf([Infinity]))).toEqual({
      p50: tenSeconds,
      p99: tenSeconds,
      p999: tenSeconds,
    });
  });

  test("goes by rank: 990 fast samples of 1000 leave p99 fast, 989 do not", () => {
    const mixed = (fast: number): number[] =>
      Array.from({ length: 1000 }, (_, index) => (index < fast ? 100 : 1e6));
    expect(percentiles(countsOf(mixed(990)))!.p99).toBeLessThan(200);
    expect(percentiles(countsOf(mixed(989)))!.p99).toBeGreaterThan(500_000);
    expect(percentiles(countsOf(mixed(999)))!.p999).toBeLessThan(200);
    expect(percentiles(countsOf(mixed(998)))!.p999).toBeGreaterThan(500_000);
    expect(percentiles(countsOf(mixed(500)))!.p50).toBeLessThan(200);
    expect(percentiles(countsOf(mixed(499)))!.p50).toBeGreaterThan(500_000);
  });

  test("holds its bound against exact percentiles", () => {
    const latency = fc.double({ min: 26.83, max: 9.99e9, noNaN: true });
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 200 }), (samples) => {
        const told = percentiles(countsOf(samples))!;
        const sorted = samples.toSorted((a, b) => a - b);
        const exact = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1]!;
        for (const [value, share] of [
          [told.p50, 0.5],
          [told.p99, 0.99],
          [told.p999, 0.999],
        ] as const) {
          expect(Math.abs(Math.log(value / exact(share)))).toBeLessThan(Math.log(1.1795));
        }
      }),
    );
  });

  test("asserts the number of buckets", () => {
    expect(() => percentiles([1])).toThrow("there are 62 buckets");
  });
});

describe("latencyHistogram()", () => {
  test("has the counts with the bounds that they are below", () => {
    const samples = [10, 1000, 1500, 2e10];
    const sumNs = samples.reduce((sum, sample) => sum + sample, 0);
    const told = latencyHistogram({ counts: countsOf(samples), sumNs });
    expect(told).toMatchObject({ count: 4, sumNs });
    expect(told.counts).toHaveLength(told.boundsNs.length + 1);
    expect(told.boundsNs).toEqual(told.boundsNs.toSorted((a, b) => a - b));
    const below = (boundNs: number): number => {
      const end = told.boundsNs.indexOf(boundNs) + 1;
      return told.counts.slice(0, end).reduce((sum, count) => sum + count, 0);
    };
    expect([below(100), below(1000), below(10_000), below(1e10)]).toEqual([1, 1, 3, 3]);
  });

  test("is a copy", () => {
    const counts = countsOf([1000]);
    const told = latencyHistogram({ counts, sumNs: 1000 });
    counts.fill(9);
    expect(told.counts.reduce((sum, count) => sum + count, 0)).toBe(1);
  });
});
