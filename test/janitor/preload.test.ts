// Preload: what comes back to memory after open, in which order, and what it leaves alone.

import { readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Cache } from "../../dist/src/mod.js";
import {
  flipByte,
  freeSegments,
  names,
  open,
  openDisk,
  scratchDirectory,
  setAll,
  textOf,
  until,
  watermark,
} from "../disk-log/scratch-cache.js";

const preloads = (cache: Cache<string>): number => cache.stats().moves.preloads;

/** The keys in memory. */
function here(cache: Cache<string>, keys: readonly string[]): string[] {
  return keys.filter((key) => cache.getSync(key) !== undefined);
}

/** Resolves once the janitor brings nothing more: it has slept through some rounds. */
async function settled(cache: Cache<string>): Promise<void> {
  let seen = -1;
  let calm = 0;
  await until(() => {
    const now = preloads(cache);
    calm = now === seen ? calm + 1 : 0;
    seen = now;
    return calm > 100;
  });
}

test("by default a quarter of the memory comes back", async () => {
  const path = scratchDirectory();
  const { cache: before } = await openDisk(path, { memory: "2mb", capacity: "4mb" });
  await setAll(before, names("key", 1000));
  await before.close();
  const cache = await open<string>({ memory: "2mb", disk: { path, capacity: "4mb" } });
  await settled(cache);
  const bytes = cache.stats().disk?.preloadedBytes ?? 0;
  expect(bytes).toBeGreaterThan(500_000);
  expect(bytes).toBeLessThanOrEqual(2 ** 19);
});

test("all of a small cache comes back, unasked", async () => {
  const path = scratchDirectory();
  const keys = names("key", 100);
  const { cache: before } = await openDisk(path);
  await setAll(before, keys);
  await before.close();
  const { cache } = await openDisk(path, { preload: "200kb" });
  await until(() => preloads(cache) === 100);
  expect(here(cache, keys)).toEqual(keys);
  for (const key of keys) expect(cache.getSync(key)).toBe(textOf(key, 1, 1000));
  const { disk, moves, requests } = cache.stats();
  expect(disk?.preloadedBytes).toBeGreaterThan(100_000);
  expect(disk?.preloadedBytes).toBeLessThan(200_000);
  expect([moves.promotions, disk?.reads]).toEqual([0, 0]);
  expect(requests).toBe(200);
  // They are written and deleted for good like others.
  cache.set("key-1", "new");
  cache.delete("key-2");
  await cache.close();
  const { cache: again } = await openDisk(path);
  expect(await again.get("key-1")).toBe("new");
  expect(await again.get("key-2")).toBe(undefined);
  expect(await again.get("key-3")).toBe(textOf("key-3", 1, 1000));
});

test("false brings nothing back", async () => {
  const path = scratchDirectory();
  const { cache: before } = await openDisk(path);
  await setAll(before, names("key", 50));
  await before.close();
  const { cache } = await openDisk(path, { preload: false });
  await settled(cache);
  expect([preloads(cache), cache.stats().memory.entries]).toEqual([0, 0]);
});

test("what was hit most comes first, then what was written last", async () => {
  const path = scratchDirectory();
  const { cache: before } = await openDisk(path, { capacity: "4mb" });
  const keys = names("key", 600);
  await setAll(before, keys);
  const inMemory = here(before, keys);
  expect(inMemory.length).toBeGreaterThan(100);
  // The janitor may still be making room: hot is what was in memory at each of its hits.
  let hot = inMemory.filter((_, index) => index % 10 === 0);
  for (let hit = 0; hit < 3; hit++) hot = here(before, hot);
  expect(hot.length).toBeGreaterThan(5);
  await before.close();
  const { cache } = await openDisk(path, { capacity: "4mb", preload: hot.length * 1200 });
  await settled(cache);
  expect(here(cache, hot)).toEqual(hot);
  expect(cache.stats().disk?.preloadedBytes).toBeLessThanOrEqual(hot.length * 1200);
  await cache.close();
});

test("after a kill the newest come back", async () => {
  const path = scratchDirectory();
  const { cache: before } = await openDisk(path, { capacity: "4mb" });
  const keys = names("key", 800);
  await setAll(before, keys);
  await before.close();
  // Without the snapshot the open scans, as after a kill.
  unlinkSync(join(path, "undercroft.index"));
  const { cache } = await openDisk(path, { capacity: "4mb", preload: 100_000 });
  await settled(cache);
  const came = here(cache, keys);
  expect(came.length).toBeGreaterThan(50);
  const newest = keys.slice(-300);
  expect(came.filter((key) => !newest.includes(key))).toEqual([]);
});

test("it takes free room only, and evicts nothing", async () => {
  const path = scratchDirectory();
  const { cache: before } = await openDisk(path, { memory: "2mb", capacity: "8mb" });
  await setAll(before, names("key", 3000));
  await before.close();
  const { cache } = await openDisk(path, { memory: "2mb", capacity: "8mb", preload: "1gb" });
  for (const key of names("mine", 100)) cache.set(key, textOf(key, 1, 1000));
  await settled(cache);
  const { evictions, moves, segments } = cache.stats();
  expect(moves.preloads).toBeGreaterThan(100);
  expect([evictions.memory, moves.demotions, segments.evicted]).toEqual([0, 0, 0]);
  expect(freeSegments(cache)).toBeGreaterThanOrEqual(watermark(cache));
  expect(here(cache, names("mine", 100))).toHaveLength(100);
});

test("values in chunks come back whole, those of namespaces too", async () => {
  const path = scratchDirectory();
  const { cache: before } = await openDisk(path, { capacity: "4mb" });
  const large = "z".repeat(60_000);
  before.set("large", large);
  before.namespace<string>("n").set("large", `${large}n`);
  before.namespace<string>("n").set("small", "s");
  await before.close();
  const { cache } = await openDisk(path, { capacity: "4mb", preload: "400kb" });
  await until(() => preloads(cache) === 3);
  expect(cache.getSync("large")).toBe(large);
  expect(cache.namespace<string>("n").getSync("large")).toBe(`${large}n`);
  expect(cache.namespace<string>("n").getSync("small")).toBe("s");
  expect(cache.stats().disk?.reads).toBe(0);
});

test("what has expired, was deleted, or is damaged does not come back", async () => {
  const path = scratchDirectory();
  const { cache: before } = await openDisk(path);
  const keys = names("key", 200);
  await setAll(before, keys);
  before.set("short", "x", { ttl: 2000 });
  await before.close();
  const { cache: middle } = await openDisk(path);
  middle.deleteMany(keys.slice(0, 50));
  await middle.close();
  for (const name of readdirSync(path)) {
    if (!name.startsWith("segment-")) continue;
    for (let position = 5000; position < 60_000; position += 4000) {
      flipByte(join(path, name), position);
    }
  }
  await new Promise((resolve) => void setTimeout(resolve, 2100));
  const { cache } = await openDisk(path, { preload: "1mb" });
  await settled(cache);
  const came = here(cache, [...keys, "short"]);
  expect(came.length).toBeGreaterThan(50);
  expect(came).not.toContain("short");
  for (const key of came) {
    expect(cache.getSync(key)).toBe(textOf(key, 1, 1000));
    expect(keys.slice(0, 50)).not.toContain(key);
  }
  expect(came.length).toBeLessThan(150);
});
