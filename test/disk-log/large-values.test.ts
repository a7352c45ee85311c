// Values in chunks over a disk: written, demoted, promoted, reclaimed and recovered whole, and
// counted as one.

import { expect, test } from "vitest";

import { type Cache } from "../../dist/src/mod.js";
import { names, openDisk, scratchDirectory, textOf, until } from "./scratch-cache.js";
import { copyAsKilled } from "../directory/copied.js";

/** About five chunks: a cache of 1 MiB cuts at 8 KiB. */
const bytes = 40_000;

/** Sets each key, and flushes so often that nothing has to leave memory unwritten. */
async function setLarge(
  cache: Cache<string>,
  keys: readonly string[],
  size = bytes,
): Promise<void> {
  for (const key of keys) {
    await until(() => cache.set(key, textOf(key, 1, size)) === "stored");
    await cache.flush();
  }
  expect(cache.stats().evictions.memory).toBe(0);
}

async function found(cache: Cache<string>, keys: readonly string[]): Promise<string[]> {
  const there: string[] = [];
  for (const key of keys) {
    const value = await cache.get(key);
    if (value === undefined) continue;
    expect(value).toBe(textOf(key, 1, bytes));
    there.push(key);
  }
  return there;
}

test("a value leaves memory whole, and comes back whole at its second hit on disk", async () => {
  const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo", capacity: "8mb" });
  const keys = names("key", 40);
  await setLarge(cache, keys);
  const { memory, disk, moves, admissions } = cache.stats();
  expect(memory.entries + (disk?.entries ?? 0)).toBe(keys.length);
  expect(moves.demotions).toBe(disk?.entries);
  expect(admissions.flushed).toBe(keys.length);
  const wanted = "key-0";
  const sources: unknown[] = [];
  for (let read = 0; read < 3; read++) sources.push((await cache.getEntry(wanted))?.source);
  expect(sources).toEqual(["disk", "disk", "memory"]);
  // Every chunk is in memory, so that no read of the disk is needed.
  expect(cache.getSync(wanted)).toBe(textOf(wanted, 1, bytes));
  expect(cache.stats().moves.promotions).toBe(1);
  expect(await found(cache, keys)).toEqual(keys);
  expect(cache.stats().chunksMissing).toBe(0);
});

test("reclaim takes a value whole, tells of it once, and writes again what was hit", async () => {
  const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo", capacity: "4mb" });
  const told: unknown[] = [];
  cache.on("evict", ({ key, tier }) => told.push([key, tier]));
  const hit = "first-0";
  await setLarge(cache, names("first", 30), 20_000);
  expect(await cache.get(hit)).toBe(textOf(hit, 1, 20_000));
  await setLarge(cache, names("second", 180), 20_000);
  const { chunksMissing, evictions, moves, disk, memory } = cache.stats();
  expect(evictions.memory).toBe(0);
  expect(evictions.disk).toBeGreaterThan(30);
  expect(moves.reinsertions).toBeGreaterThan(0);
  expect(evictions.disk + (disk?.entries ?? 0) + memory.entries).toBe(210);
  expect(chunksMissing).toBe(0);
  await until(() => told.length >= evictions.disk);
  expect(new Set(told.map(String)).size).toBe(told.length);
  expect(told.length).toBe(evictions.disk);
  let there = 0;
  for (const key of [...names("first", 30), ...names("second", 180)]) {
    const value = await cache.get(key);
    if (value === undefined) continue;
    there += 1;
    expect(value).toBe(textOf(key, 1, 20_000));
  }
  expect(there).toBe((disk?.entries ?? 0) + memory.entries);
  expect(await cache.get(hit)).toBeDefined();
  expect(await cache.get("first-1")).toBeUndefined();
  expect(cache.stats().chunksMissing).toBe(0);
});

test.each(["after a clean close", "by a scan"])(
  "values are recovered %s, and counted as one",
  async (how) => {
    const path = scratchDirectory();
    const { cache } = await openDisk(path, { eviction: "fifo", capacity: "8mb" });
    const keys = names("key", 40);
    await setLarge(cache, keys);
    // A copy of the directory is what a killed process leaves.
    const killed = scratchDirectory();
    await copyAsKilled(path, killed);
    await cache.close();
    const { cache: again, recovered } = await openDisk(how === "by a scan" ? killed : path, {
      capacity: "8mb",
    });
    expect([recovered.entries, again.stats().disk?.entries]).toEqual([keys.length, keys.length]);
    expect(await found(again, keys)).toEqual(keys);
    expect(again.stats().chunksMissing).toBe(0);
  },
);

test("an overwritten or deleted value leaves no chunk on disk that comes back", async () => {
  const path = scratchDirectory();
  const { cache } = await openDisk(path, { eviction: "fifo", capacity: "8mb" });
  const keys = names("key", 10);
  await setLarge(cache, keys);
  const { disk, memory } = cache.stats();
  expect([disk?.tombstones, memory.entries + (disk?.entries ?? 0)]).toEqual([0, keys.length]);
  for (const key of keys) expect(cache.delete(key)).toBe(true);
  const stats = cache.stats();
  expect([stats.memory.entries, stats.memory.bytes, stats.disk?.entries]).toEqual([0, 0, 0]);
  // Five chunks and a head each. The chunks of a value whose head is on disk leave with their
  // segment file.
  expect(stats.disk?.tombstones).toBe(memory.entries * 6 + (disk?.entries ?? 0));
  expect(await found(cache, keys)).toEqual([]);
});

test("admission judges a value once, by its head", async () => {
  const path = scratchDirectory();
  const admission = { seenBefore: true };
  const { cache } = await openDisk(path, {
    disk: { path, capacity: "8mb", admission },
  } as object);
  const refused = (): number => cache.stats().admissions.refusedUnseen;
  cache.set("key", textOf("key", 1, bytes));
  await until(() => refused() > 0);
  // The second of two values is looked at after all parts of the first.
  cache.set("other", textOf("other", 1, bytes));
  await until(() => refused() > 1);
  const { flushed, flushedBytes } = cache.stats().admissions;
  expect([refused(), flushed, flushedBytes]).toEqual([2, 0, 0]);
  cache.set("key", textOf("key", 1, bytes));
  await until(() => cache.stats().admissions.flushed > 0);
  expect(cache.stats().admissions.flushed).toBe(1);
  expect(cache.stats().admissions.flushedBytes).toBeGreaterThan(bytes);
});
