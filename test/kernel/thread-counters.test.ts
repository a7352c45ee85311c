import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import {
  counterMisses,
  histogramLoad,
  histogramNear,
  latencyBucketCount,
} from "../../dist/src/stats/mod.js";
import { openMemory, type Thread } from "./opened-kernel.js";

/** Counts of 32 bits, and the sum. */
const histogramSize = at.histogramBuckets * 4 + 8;
const none = Array.from({ length: latencyBucketCount }, () => 0);

function countsIn(thread: Thread, histogram: number): number[] {
  return [...(thread.kernel.counters.histogram(histogram).counts as Float64Array)];
}

describe("histogram()", () => {
  test("adds up the samples of all threads, and of those that have left", () => {
    const memory = openMemory();
    const [one, two, leaver] = [memory.thread(), memory.thread(), memory.thread()];
    one.kernel.counters.sample(histogramLoad, 3, 100.5);
    two.kernel.counters.sample(histogramLoad, 3, 200);
    leaver.kernel.counters.sample(histogramLoad, 61, 2e10);
    leaver.kernel.detach();
    const { sumNs } = one.kernel.counters.histogram(histogramLoad);
    expect(sumNs).toBe(2e10 + 300.5);
    expect(countsIn(two, histogramLoad)).toEqual(none.with(3, 2).with(61, 1));
    expect(countsIn(two, histogramNear)).toEqual(none);
    expect(one.kernel.counters.histogram(histogramNear).sumNs).toBe(0);
  });

  test("counts on when its words wrap", () => {
    const memory = openMemory();
    const [writer, reader] = [memory.thread(), memory.thread()];
    const { views, block, counters } = writer.kernel;
    const word = (block + at.threadHistograms + histogramLoad * histogramSize) / 4 + 5;
    views.u32[word] = 0xffff_ffff;
    expect(countsIn(reader, histogramLoad)[5]).toBe(0xffff_ffff);
    counters.sample(histogramLoad, 5, 1);
    counters.sample(histogramLoad, 5, 1);
    expect(views.u32[word]).toBe(1);
    expect(countsIn(reader, histogramLoad)).toEqual(none.with(5, 0x1_0000_0001));
    expect(countsIn(reader, histogramLoad)).toEqual(none.with(5, 0x1_0000_0001));
  });

  test("fills its part of the thread block and no more", () => {
    const { kernel } = openMemory().thread();
    const { views, block, counters } = kernel;
    const words = (): number[] => {
      const first = block + at.threadHistograms;
      const end = first + at.histogramCount * histogramSize;
      const whole = [...views.u32.subarray(block / 4, (block + at.threadBlockSize) / 4)];
      return whole.filter((_, word) => word < (first - block) / 4 || word >= (end - block) / 4);
    };
    const before = words();
    for (let histogram = 0; histogram < at.histogramCount; histogram++) {
      for (let bucket = 0; bucket < latencyBucketCount; bucket++) {
        counters.sample(histogram, bucket, 1);
      }
    }
    expect(words()).toEqual(before);
    for (let histogram = 0; histogram < at.histogramCount; histogram++) {
      const { counts, sumNs } = counters.histogram(histogram);
      expect([...(counts as Float64Array)]).toEqual(none.map(() => 1));
      expect(sumNs).toBe(latencyBucketCount);
    }
  });
});

describe("totals()", () => {
  test("has every counter, of threads that are there and that have left", () => {
    const memory = openMemory();
    const [one, two, leaver] = [memory.thread(), memory.thread(), memory.thread()];
    for (const { kernel } of [one, two, leaver]) {
      for (let counter = 0; counter < at.counterCount; counter++) kernel.count(counter, counter);
    }
    leaver.kernel.detach();
    const totals = one.kernel.counters.totals();
    expect(totals[counterMisses]).toBe(one.kernel.total(counterMisses));
    expect([...totals]).toEqual(Array.from({ length: at.counterCount }, (_, i) => 3 * i));
  });
});
