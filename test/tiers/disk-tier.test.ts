// The disk tier through a cache: hits and what they cause, damage, and tombstones.

import {
  closeSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { attachCache, type CacheHandle } from "../../dist/src/mod.js";
import {
  flipByte,
  names,
  openDisk,
  present,
  scratchDirectory,
  setAll,
  textOf,
} from "../disk-log/scratch-cache.js";

test("the second hit on disk promotes an entry to memory", async () => {
  const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo" });
  await setAll(cache, ["wanted"]);
  await setAll(cache, names("other", 1200));
  expect(cache.getSync("wanted")).toBeUndefined();
  const sources: unknown[] = [];
  for (let read = 0; read < 4; read++) sources.push((await cache.getEntry("wanted"))?.source);
  expect(sources).toEqual(["disk", "disk", "memory", "memory"]);
  expect(cache.getSync("wanted")).toBe(textOf("wanted", 1, 1000));
  expect(cache.stats().moves.promotions).toBe(1);
});

test("a promoted entry is overwritten and deleted for good", async () => {
  const path = scratchDirectory();
  const { cache } = await openDisk(path, { eviction: "fifo" });
  const keys = names("key", 40);
  await setAll(cache, keys);
  await setAll(cache, names("other", 1000));
  for (let read = 0; read < 3; read++) expect(await present(cache, keys)).toHaveLength(40);
  expect(cache.stats().moves.promotions).toBe(40);
  await setAll(cache, keys.slice(0, 20), { version: 2 });
  for (const key of keys.slice(20)) expect(cache.delete(key)).toBe(true);
  expect(cache.stats().disk?.tombstones).toBeGreaterThanOrEqual(40);
  await cache.close();
  const { cache: again } = await openDisk(path);
  expect(await present(again, keys, { version: 2 })).toEqual(keys.slice(0, 20));
});

test("damaged bytes on disk are counted misses", async () => {
  const path = scratchDirectory();
  const { cache } = await openDisk(path);
  const keys = names("key", 1200);
  await setAll(cache, keys);
  const inMemory = keys.filter((key) => cache.getSync(key) !== undefined);
  for (const name of readdirSync(path)) {
    if (!name.startsWith("segment-")) continue;
    for (let position = 300; position < 131_072; position += 500) {
      flipByte(join(path, name), position);
    }
  }
  // Throws if a value is wrong.
  const found = await present(cache, keys);
  expect(found).toEqual(inMemory);
  expect(cache.stats().corruptRecords).toBe(keys.length - inMemory.length);
  // Damaged entries are dropped, not read again.
  const { corruptRecords } = cache.stats();
  await present(cache, keys);
  expect(cache.stats().corruptRecords).toBe(corruptRecords);
});

test("concurrent reads of one key share one read of the disk", async () => {
  const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo" });
  await setAll(cache, ["wanted"]);
  await setAll(cache, names("other", 1200));
  const reads = cache.stats().disk?.reads ?? 0;
  const values = await Promise.all(Array.from({ length: 20 }, () => cache.get("wanted")));
  expect(new Set(values)).toEqual(new Set([textOf("wanted", 1, 1000)]));
  expect(cache.stats().disk?.reads).toBe(reads + 1);
});

test("a read that a write supersedes does not answer the older value", async () => {
  // First in, first out: the keys are on disk only.
  const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo" });
  const keys = names("key", 200);
  await setAll(cache, keys);
  await setAll(cache, names("other", 1200));
  for (const [index, key] of keys.entries()) {
    const read = cache.get(key);
    if (index % 2 === 0) cache.set(key, "newer");
    else cache.delete(key);
    // Either it was read before the write, or it returns the present value.
    const value = await read;
    expect([undefined, "newer"]).toContain(value);
  }
});

test.each([
  ["is not written to", true],
  ["would be written to, if nobody asked", false],
])("somebody's file that got a dead opener's descriptor %s", async (_name, isOpenerMortal) => {
  const path = scratchDirectory();
  const { cache } = await openDisk(join(path, "cache"));
  const keys = names("key", 1200);
  await setAll(cache, keys);
  const file = join(path, "theirs");
  writeFileSync(file, "theirs");
  const fd = openSync(file, "r+");
  const { worker, ...rest } = cache.handle();
  // Every file that it may open is theirs.
  const theirs = mkdtempSync(join(path, "theirs-"));
  for (const name of readdirSync(join(path, "cache"))) {
    if (name.startsWith("segment-")) linkSync(file, join(theirs, name));
  }
  const words = worker.disk!.words.slice();
  words[1] = BigInt(fd); // of the epochs file
  const disk = { ...worker.disk!, path: theirs, words, isOpenerMortal };
  const handle: CacheHandle = { ...rest, worker: { ...worker, disk } };
  const attached = attachCache(handle);
  for (const key of keys) attached.delete(key);
  attached.clear();
  attached.deleteByTag("tag");
  closeSync(fd);
  expect(readFileSync(file, "latin1") === "theirs").toBe(isOpenerMortal);
  await attached.close();
});
