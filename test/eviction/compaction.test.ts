// Compaction: the bytes of overwritten and deleted entries are reclaimed before any live entry is
// evicted, in memory and on disk.

import { expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import type { Cache } from "../../dist/src/mod.js";
import {
  names,
  open,
  openDisk,
  present,
  scratchDirectory,
  setAll,
  textOf,
  until,
} from "../disk-log/scratch-cache.js";

const budget = 2 << 20;

/** What each memory segment counts, and the bytes of the records in it that slots name. */
function segments(cache: Cache<string>): { written: number; dead: number; live: number }[] {
  const { buffer } = cache.handle().worker.memory;
  const words = new Int32Array(buffer);
  const slots = new BigUint64Array(buffer);
  const control = (offset: number): number => words[offset / 4] as number;
  const segmentBytes = control(at.controlSegmentBytes);
  const base = control(at.controlSegmentBase);
  const found = Array.from({ length: control(at.controlSegmentCount) }, (_, segment) => {
    const entry = at.segmentTable + segment * at.segmentEntrySize;
    return {
      written: control(entry + at.segmentWriteOffset),
      dead: control(entry + at.segmentDeadBytes),
      live: 0,
    };
  });
  const first = control(at.controlBucketBase) / 8;
  for (let slot = 0; slot < control(at.controlBucketCount) * 8; slot++) {
    const word = slots[first + slot] as bigint;
    // The first word of a bucket is its lock; bit 44 is the tier.
    if (slot % 8 === 0 || word === 0n || ((word >> 44n) & 1n) === 1n) continue;
    const segment = Number((word >> 17n) & 0xfffn);
    const record = base + segment * segmentBytes + Number(word & 0x1ffffn) * 8;
    (found[segment] as { live: number }).live += (control(record) + 7) & ~7;
  }
  return found;
}

test.each(["auto", "lru", "lfu", "s3-fifo", "sieve", "fifo"] as const)(
  "entries that nobody reads stay while others are overwritten: %s",
  async (eviction) => {
    const cache = await open<string>({ memory: budget, eviction });
    const cold = names("cold", 600);
    for (const key of cold) expect(cache.set(key, textOf(key, 1, 1000))).toBe("stored");
    // Five times the memory.
    for (let version = 0; version < 200; version++) {
      for (const key of names("hot", 50)) {
        expect(cache.set(key, textOf(key, version, 1000))).toBe("stored");
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await present(cache, cold)).toEqual(cold);
    expect(await present(cache, names("hot", 50), { version: 199 })).toHaveLength(50);
    const { evictions, segments: counts } = cache.stats();
    expect([evictions.memory, counts.evicted]).toEqual([0, 0]);
    expect(counts.compacted).toBeGreaterThan(100);
  },
);

test("live entries beyond three quarters of the memory are evicted for new ones", async () => {
  const cache = await open<string>({ memory: budget });
  for (const key of names("key", 6000)) {
    expect(cache.set(key, textOf(key, 1, 1000))).toBe("stored");
  }
  const { evictions, segments: counts, memory } = cache.stats();
  expect(evictions.memory).toBeGreaterThan(4000);
  expect(counts.evicted).toBeGreaterThan(50);
  expect(memory.bytes).toBeGreaterThan(budget / 2);
});

test("each segment counts its dead bytes", async () => {
  const cache = await open<string>({ memory: 4 * budget });
  const keys = names("key", 500);
  for (const [turn, key] of [...keys, ...keys, ...keys].entries()) {
    cache.set(key, textOf(key, turn, 100 + (turn % 900)), turn % 3 === 0 ? { ttl: 40 } : {});
    if (turn % 7 === 0) cache.delete(keys[turn % 500] as string);
  }
  await until(() => cache.stats().expirations > 100);
  expect(segments(cache).filter(({ dead }) => dead > 0).length).toBeGreaterThan(5);
  // Once the sweep has removed everything that expired; before, it may be between a slot and the
  // count.
  await until(() => segments(cache).every(({ written, dead, live }) => dead + live === written));
});

test("entries on disk that are never read stay while others are overwritten", async () => {
  const { cache } = await openDisk(scratchDirectory(), { capacity: "4mb" });
  const cold = names("cold", 600);
  await setAll(cache, cold);
  // Evicted from memory, so that they are only on disk.
  await setAll(cache, names("more", 600));
  // Five times the disk, of which a twentieth is live.
  for (let version = 1; version <= 100; version++) {
    await setAll(cache, names("hot", 200), { version });
  }
  expect(await present(cache, cold)).toEqual(cold);
  const stats = cache.stats();
  expect(stats.segments.diskReclaimed).toBeGreaterThan(50);
  expect(stats.evictions.disk).toBe(0);
});
