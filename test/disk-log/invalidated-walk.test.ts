// The part of a tag sweep that looks at the disk: what it finds in the indexes of the batches, and
// what it does with a file whose indexes cannot be read.

import { join } from "node:path";

import { expect, test } from "vitest";

import type { Cache } from "../../dist/src/mod.js";
import { flipByte, names, open, openDisk, scratchDirectory, until } from "./scratch-cache.js";
import { copyAsKilled } from "../directory/copied.js";

const keys = names("key", 600);
const value = "v".repeat(500);

/** Every third entry has the tag; all are on disk only. */
async function filled(path: string): Promise<Cache<string>> {
  const first = await openDisk(path);
  for (const [number, key] of keys.entries()) {
    const tags = number % 3 === 0 ? ["third", key] : number % 3 === 1 ? [key] : [];
    expect(first.cache.set(key, value, { tags })).toBe("stored");
    if (number % 50 === 0) await first.cache.flush();
  }
  await first.cache.close();
  return (await openDisk(path)).cache;
}

/** Makes a sweep due, and waits for its end. */
async function sweep(cache: Cache<string>): Promise<void> {
  const { sweeps, capacity } = cache.stats().tags;
  for (let tag = 0; tag < capacity / 2; tag++) cache.deleteByTag(`other:${sweeps}:${tag}`);
  await until(() => cache.stats().tags.sweeps > sweeps);
}

async function counts(cache: Cache<string>): Promise<{ third: number; others: number }> {
  const found = await cache.getMany(keys);
  const third = keys.filter((key, number) => number % 3 === 0 && found.has(key)).length;
  return { third, others: found.size - third };
}

async function afterKill(path: string): Promise<{ third: number; others: number }> {
  const copy = scratchDirectory();
  await copyAsKilled(path, copy);
  const cache = await open<string>({ memory: "1mb", disk: { path: copy, capacity: "2mb" } });
  return counts(cache);
}

test("drops what is invalidated, by tombstones, and leaves the rest", async () => {
  const path = scratchDirectory();
  const cache = await filled(path);
  expect(cache.stats().disk?.entries).toBe(600);
  cache.deleteByTag("third");
  await sweep(cache);
  expect(cache.stats().disk).toMatchObject({ entries: 400, tombstones: 200 });
  // The tag is forgotten: another sweep finds nothing more.
  await sweep(cache);
  expect(cache.stats().disk?.tombstones).toBe(200);
  expect(await counts(cache)).toEqual({ third: 0, others: 400 });
  expect(await afterKill(path)).toEqual({ third: 0, others: 400 });
});

test("gives a file up whose index is damaged, since it may hold what is invalidated", async () => {
  const path = scratchDirectory();
  const cache = await filled(path);
  cache.deleteByTag("third");
  // In the header of the first batch, after the open has read it.
  flipByte(join(path, "segment-000.ucs"), 64 + 8);
  await sweep(cache);
  const { third, others } = await counts(cache);
  expect(third).toBe(0);
  expect(others).toBeGreaterThan(0);
  expect(others).toBeLessThan(400);
  expect(await afterKill(path)).toEqual({ third: 0, others });
  expect(cache.set("new", "value", { tags: ["third"] })).toBe("stored");
  await cache.flush();
  expect(await cache.get("new")).toBe("value");
});
