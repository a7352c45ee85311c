// The model of the segmented log: what it holds, and what the policies evict from it.

import { expect, test } from "vitest";
import { seededRandom } from "../../dist/bench/workload.js";

import {
  type EvictionPolicy,
  evict,
  LogPolicy,
  modelSegments,
  type PolicyName,
  policyNames,
  policyOf,
  SegmentedLog,
  type Setting,
  settingOf,
} from "../../dist/src/policy/mod.js";
import { hashesOf, loop, zipf } from "./generated.js";

const keys = 5000;
const hashes = hashesOf(keys);

function logOf(policy: EvictionPolicy, capacity: number): SegmentedLog {
  return new SegmentedLog(policy, { capacity, keys, hashes });
}

/** Misses of `requests` in an empty cache of `capacity` entries. */
function missesOf(name: PolicyName, capacity: number, requests: Iterable<number>): number {
  const log = logOf(policyOf(name, capacity, capacity), capacity);
  let misses = 0;
  for (const key of requests) {
    if (log.hit(key)) continue;
    misses += 1;
    log.insert(key, 1);
  }
  return misses;
}

/** Misses of the same requests in an exact LRU. */
function exactMisses(capacity: number, requests: Iterable<number>): number {
  const held = new Map<number, true>();
  let misses = 0;
  for (const key of requests) {
    if (!held.delete(key)) misses += 1;
    held.set(key, true);
    if (held.size > capacity) held.delete(held.keys().next().value as number);
  }
  return misses;
}

test("fifo is exact if a segment is one entry", () => {
  expect(missesOf("fifo", 3, [0, 1, 2, 0, 3, 0, 1])).toBe(6);
});

test("lru gives an entry that was hit a second chance", () => {
  expect(missesOf("lru", 3, [0, 1, 2, 0, 3, 0, 1])).toBe(5);
});

test("an entry larger than a quarter of the cache and than a segment is refused", () => {
  const log = logOf(policyOf("lru", 1000, 100), 1000);
  expect(log.insert(1, 251)).toBe(false);
  expect(log.has(1)).toBe(false);
  expect(log.insert(1, 250)).toBe(true);
  expect(log.has(1)).toBe(true);
});

test.each(policyNames)(
  "%s: what is held never exceeds the capacity, and is nearly all of it",
  (name) => {
    const capacity = 100_000;
    const log = logOf(policyOf(name, capacity, 500), capacity);
    const random = seededRandom(7);
    const sizes = Array.from({ length: keys }, () => 1 + Math.floor(random() ** 4 * 5000));
    for (const key of zipf(keys, 30_000, 0.9, 3)) {
      if (!log.hit(key)) log.insert(key, sizes[key] as number);
      if (random() < 0.01) log.drop(key);
    }
    let held = 0;
    for (let key = 0; key < keys; key++) if (log.has(key)) held += sizes[key] as number;
    expect(held).toBeLessThanOrEqual(capacity);
    expect(held).toBeGreaterThan(capacity * (1 - 16 / modelSegments));
  },
);

test("a dropped entry is absent, and can be written again", () => {
  const log = logOf(policyOf("fifo", 4, 4), 4);
  log.insert(1, 1);
  log.drop(1);
  expect(log.hit(1)).toBe(false);
  log.insert(1, 1);
  expect(log.hit(1)).toBe(true);
  // Its first record leaves in its turn and does not take the second with it.
  log.insert(2, 1);
  log.insert(3, 1);
  log.insert(4, 1);
  expect(log.has(1)).toBe(true);
});

test("a policy that keeps everything cannot stop the cache", () => {
  const keep: EvictionPolicy = {
    quietShare: 0,
    settled: 0,
    victim: () => "main",
    decide: () => 3,
  };
  const log = logOf(keep, 128);
  for (let key = 0; key < 1000; key++) log.insert(key, 1);
  expect(log.has(999)).toBe(true);
  expect(evict).toBeLessThan(0);
});

test("lru is within a few percent of an exact LRU", () => {
  for (const capacity of [50, 200, 1000]) {
    const requests = zipf(keys, 50_000, 0.8, 11);
    const exact = exactMisses(capacity, requests);
    const misses = missesOf("lru", capacity, requests);
    expect(Math.abs(misses - exact) / exact).toBeLessThan(0.04);
  }
});

test("s3-fifo keeps entries that are used again through a scan that empties an LRU", () => {
  const requests = [...loop(0, 50, 500), ...loop(1000, 3000, 3000), ...loop(0, 50, 50)];
  // A few keys of the scan are taken for ghosts, because the history knows fingerprints only.
  expect(missesOf("s3-fifo", 200, requests)).toBeLessThan(50 + 3000 + 4);
  expect(missesOf("lru", 200, requests)).toBe(50 + 3000 + 50);
});

test("a hit in the newest part of the small log does not count, a later one does", () => {
  const setting: Setting = { ...settingOf("s3-fifo"), ghostTurnovers: 0, smallShare: 0.5 };
  /** Whether an entry stays that is hit when so many of a full cache's writes are newer. */
  const stays = (quietShare: number, newer: number): boolean => {
    const log = logOf(LogPolicy.alone({ ...setting, quietShare }, 100, 100), 100);
    for (let key = 0; key < 200; key++) log.insert(key, 1);
    for (let key = 200; key < 200 + newer; key++) log.insert(key, 1);
    log.hit(199);
    for (let key = 300; key < 500; key++) log.insert(key, 1);
    return log.has(199);
  };
  // Nothing is in the main log, so the small log has all 100 entries.
  expect([0, 5, 15, 30].map((newer) => stays(0.2, newer))).toEqual([false, false, false, true]);
  expect([0, 5, 15, 30].map((newer) => stays(0, newer))).toEqual([true, true, true, true]);
});
