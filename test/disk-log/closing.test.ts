// Closing and opening again: the index snapshot, recovery without it, and capacities that change.

import { readdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { flipByte, names, openDisk, present, scratchDirectory, setAll } from "./scratch-cache.js";

const keys = names("key", 1000);
const deleted = new Set(keys.filter((_key, index) => index % 10 === 0));
const overwritten = keys.filter((_key, index) => index % 10 === 1);
const untouched = keys.filter((_key, index) => index % 10 > 1);

/** Leaves a cleanly closed directory: deletes and overwrites among 1,000 keys. */
async function leaveClosed(path: string, capacity = "4mb"): Promise<void> {
  const { cache } = await openDisk(path, { capacity });
  await setAll(cache, keys);
  for (const key of deleted) cache.delete(key);
  await setAll(cache, overwritten, { version: 2 });
  await cache.close();
}

const snapshotOf = (path: string): string => join(path, "undercroft.index");

test("a closed cache is opened from its snapshot, with every entry", async () => {
  const path = scratchDirectory();
  await leaveClosed(path);
  expect(statSync(snapshotOf(path)).size).toBeGreaterThan(1000);
  const { cache, recovered } = await openDisk(path, { capacity: "4mb" });
  expect(recovered).toMatchObject({ kind: "clean", entries: 900, lostSegments: 0 });
  expect(cache.stats().disk?.entries).toBe(900);
  expect(await present(cache, untouched)).toEqual(untouched);
  expect(await present(cache, overwritten, { version: 2 })).toEqual(overwritten);
  expect(await present(cache, [...deleted])).toEqual([]);
});

test.each([
  ["missing", (path: string): void => rmSync(snapshotOf(path)), {}],
  ["cut short", (path: string): void => truncateSync(snapshotOf(path), 5000), {}],
  ["damaged at its start", (path: string): void => flipByte(snapshotOf(path), 9), {}],
  ["damaged in its index", (path: string): void => flipByte(snapshotOf(path), 20_000), {}],
  ["of another index size", (): void => undefined, { memory: "2mb" }],
])("with a snapshot that is %s, a scan finds the same", async (_words, damage, options) => {
  const path = scratchDirectory();
  await leaveClosed(path);
  damage(path);
  const { cache, recovered } = await openDisk(path, { capacity: "4mb", ...options });
  expect(recovered.entries).toBe(900);
  expect(await present(cache, untouched)).toEqual(untouched);
  expect(await present(cache, overwritten, { version: 2 })).toEqual(overwritten);
  expect(await present(cache, [...deleted])).toEqual([]);
  // It goes on as any cache: what is written now is there after the next close.
  await setAll(cache, names("more", 100));
  await cache.close();
  const { cache: again, recovered: next } = await openDisk(path, { capacity: "4mb", ...options });
  expect(next).toMatchObject({ kind: "clean", entries: 1000 });
  expect(await present(again, names("more", 100))).toHaveLength(100);
});

test("a larger capacity keeps everything and holds more", async () => {
  const path = scratchDirectory();
  await leaveClosed(path);
  const { cache, recovered } = await openDisk(path, { capacity: "8mb" });
  expect(recovered.entries).toBe(900);
  expect(await present(cache, untouched)).toEqual(untouched);
  expect(await present(cache, overwritten, { version: 2 })).toEqual(overwritten);
  await setAll(cache, names("more", 4000));
  expect(await present(cache, untouched)).toEqual(untouched);
  expect(cache.stats().evictions.disk).toBe(0);
});

test("a snapshot that is too large as it is gets deflated", async () => {
  const path = scratchDirectory();
  // Small entries on a small disk, and an index that has room for them all.
  const options = { capacity: "2mb", memory: "16mb" };
  const { cache } = await openDisk(path, options);
  const all = names("k", 20_000);
  for (const [number, key] of all.entries()) {
    cache.set(key, "");
    if (number % 1000 === 999) await cache.flush();
  }
  await cache.close();
  const snapshot = readFileSync(snapshotOf(path));
  expect(snapshot.length).toBeLessThanOrEqual(2 ** 21 / 16);
  // Behind the header and the segments (directory/index-snapshot.ts): bit 1 = deflated.
  expect((snapshot[80 + 48 * snapshot.readUInt32LE(52)] ?? 0) & 1).toBe(1);
  const { cache: again, recovered } = await openDisk(path, options);
  expect(recovered).toMatchObject({ kind: "clean" });
  expect(recovered.entries).toBeGreaterThan(10_000);
  const there = (await again.getMany(all)).size;
  expect(there).toBeGreaterThanOrEqual(recovered.entries - 20);
  await again.close();
});

test.each([
  ["16 times the capacity", { capacity: "64mb" }, /^the cache was closed in order$/],
  ["far more capacity", { capacity: "256mb" }, /\d+ bytes of the capacity are not used until/],
  ["32 times the memory", { capacity: "4mb", memory: "32mb" }, /^the cache was closed in order$/],
])("%s keeps everything, and holds more", async (_, options, reason) => {
  const path = scratchDirectory();
  await leaveClosed(path);
  const { cache, recovered } = await openDisk(path, options);
  expect(recovered).toMatchObject({ entries: 900, lostSegments: 0 });
  expect(recovered.reason).toMatch(reason);
  expect(await present(cache, untouched)).toEqual(untouched);
  expect(await present(cache, overwritten, { version: 2 })).toEqual(overwritten);
  expect(await present(cache, [...deleted])).toEqual([]);
  const large = "x".repeat(50_000);
  expect(cache.set("large", large)).toBe("stored");
  await cache.close();
  const { cache: again } = await openDisk(path, options);
  expect(await again.get("large")).toBe(large);
  expect(await present(again, untouched)).toEqual(untouched);
});

test("a smaller capacity drops entries; the rest is right and within the new bound", async () => {
  const path = scratchDirectory();
  await leaveClosed(path);
  const { cache, recovered } = await openDisk(path, { capacity: "1mb" });
  expect(recovered.kind).toBe("scan");
  expect(recovered.lostSegments).toBeGreaterThan(10);
  const files = readdirSync(path).map((name) => statSync(join(path, name)).size);
  expect(files.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(1 << 20);
  const found = await present(cache, untouched);
  expect(found.length).toBeGreaterThan(100);
  expect(found.length).toBeLessThan(800);
  await present(cache, overwritten, { version: 2 });
  expect(await present(cache, [...deleted])).toEqual([]);
  await setAll(cache, names("more", 300));
  expect(await present(cache, names("more", 300))).toHaveLength(300);
});

test("closing and opening ten times loses nothing", async () => {
  const path = scratchDirectory();
  for (let life = 0; life < 10; life++) {
    const { cache } = await openDisk(path, { capacity: "4mb" });
    for (let earlier = 0; earlier < life; earlier++) {
      expect(await present(cache, names(`life-${earlier}`, 40))).toHaveLength(40);
    }
    await setAll(cache, names(`life-${life}`, 40));
    await cache.close();
  }
});
