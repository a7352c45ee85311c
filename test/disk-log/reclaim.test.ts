// Reclaim of disk segments: the oldest is dropped, what was hit is written again, what has expired
// is dropped first. 2 MiB are 14 segments of 128 KiB, of which one is open and one is spare; a
// segment holds about 116 of these records.

import { expect, test } from "vitest";

import { ManualClock } from "../../dist/src/base/mod.js";
import { names, openDisk, present, scratchDirectory, setAll } from "./scratch-cache.js";

test("the oldest entries leave the disk first", async () => {
  const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo" });
  const keys = names("key", 3000);
  await setAll(cache, keys);
  expect(cache.stats().evictions.disk).toBeGreaterThan(1000);
  const found = await present(cache, keys);
  expect(found.length).toBeGreaterThan(1000);
  expect(found).toEqual(keys.slice(-found.length));
});

test("entries that were hit on disk are written again", async () => {
  const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo" });
  const first = names("first", 110);
  const hit = first.slice(0, 20);
  await setAll(cache, first);
  await setAll(cache, names("second", 1000));
  expect(await present(cache, hit)).toHaveLength(20);
  expect(cache.stats().moves.promotions).toBe(0);
  await setAll(cache, names("third", 600));
  const { reinsertions } = cache.stats().moves;
  expect(reinsertions).toBeGreaterThanOrEqual(20);
  expect(await present(cache, first)).toEqual(hit);
});

test.each([
  ["before", 120_000, [400, 400]],
  ["in turn with", 0, [0, 300]],
] as const)(
  "segments in which everything has expired go %s older ones",
  async (_words, advanceMs, [least, most]) => {
    const clock = new ManualClock(1_750_000_000_000);
    const { cache } = await openDisk(scratchDirectory(), {
      clock,
      eviction: "fifo",
      capacity: "2200kb",
    });
    const kept = names("kept", 400);
    await setAll(cache, kept);
    // The segment that is open at the change holds some of both.
    await setAll(cache, names("expiring", 700), { ttl: 60_000 });
    clock.advance(advanceMs);
    await setAll(cache, names("more", 800));
    expect(cache.stats().segments.diskReclaimed).toBeGreaterThan(1);
    const found = await present(cache, kept);
    expect(found.length).toBeGreaterThanOrEqual(least);
    expect(found.length).toBeLessThanOrEqual(most);
  },
);

test("reads go on while segments are reclaimed", async () => {
  const { cache } = await openDisk(scratchDirectory());
  let hits = 0;
  const window: string[] = [];
  for (let round = 0; round < 60; round++) {
    const keys = names(`round-${round}`, 50);
    const [found] = await Promise.all([
      present(cache, window),
      setAll(cache, keys),
      present(cache, names(`round-${Math.max(0, round - 20)}`, 50)),
    ]);
    hits += found.length;
    window.push(...keys);
    window.splice(0, window.length - 200);
  }
  expect(cache.stats().segments.diskReclaimed).toBeGreaterThan(5);
  expect(hits).toBeGreaterThan(5000);
  expect(cache.stats().corruptRecords).toBe(0);
});
