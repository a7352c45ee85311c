// Flushing: what is written reaches the disk by itself in time, and all of it on request.

import { expect, test } from "vitest";

import {
  openDisk,
  present,
  scratchDirectory,
  setAll,
  names,
  textOf,
  until,
} from "./scratch-cache.js";

test("records in an open segment are flushed in time without a flush", async () => {
  const { cache } = await openDisk(scratchDirectory());
  cache.set("key", "value");
  await until(() => cache.stats().admissions.flushed === 1);
  expect(cache.getSync("key")).toBe("value");
});

test("a record is written once, and not at all if it was overwritten first", async () => {
  const { cache } = await openDisk(scratchDirectory());
  for (let version = 1; version <= 50; version++) cache.set("key", textOf("key", version, 100));
  await cache.flush();
  await cache.flush();
  const { flushed } = cache.stats().admissions;
  // The janitor's own round may have come between.
  expect(flushed).toBeLessThan(5);
  expect(flushed).toBeGreaterThan(0);
});

test("an abandoned write does not hide later writes from a flush", async () => {
  const { cache } = await openDisk(scratchDirectory());
  // The fill is superseded: its record was begun in the open segment and is never published.
  const loaded = cache.fetch("key", async () => {
    await Promise.resolve();
    cache.set("key", "newer");
    return "older";
  });
  await loaded;
  expect(cache.stats().fillsSuperseded).toBe(1);
  for (const key of names("after", 10)) cache.set(key, textOf(key, 1, 1000));
  await cache.flush();
  expect(cache.stats().admissions.flushed).toBe(11);
});

test("what has expired by the time of the flush is not written", async () => {
  const { cache } = await openDisk(scratchDirectory());
  for (const key of names("short", 20)) cache.set(key, "value", { ttl: 1 });
  await until(() => cache.getSync("short-19") === undefined);
  cache.set("long", "value");
  await cache.flush();
  const { flushed, refusedExpired, refusedDead } = cache.stats().admissions;
  expect(flushed).toBe(1);
  // Entries that were about to expire when the janitor looked at them were deferred, and looked at
  // again.
  expect(refusedExpired + refusedDead).toBeGreaterThanOrEqual(20);
});

test("a clear empties the disk too, at once and for the next session", async () => {
  const path = scratchDirectory();
  const { cache } = await openDisk(path);
  const keys = names("key", 1500);
  await setAll(cache, keys);
  expect(cache.stats().disk?.entries).toBeGreaterThan(500);
  cache.clear();
  expect(keys.some((key) => cache.has(key))).toBe(false);
  expect(await present(cache, keys)).toEqual([]);
  expect(cache.stats().disk?.entries).toBe(0);
  cache.set("after", "value");
  await cache.close();
  const { cache: again, recovered } = await openDisk(path);
  expect(recovered).toMatchObject({ kind: "clean", entries: 1 });
  expect(await present(again, keys)).toEqual([]);
  expect(await again.get("after")).toBe("value");
});

test("segments of cleared records are the first to be written again", async () => {
  const { cache } = await openDisk(scratchDirectory());
  await setAll(cache, names("old", 1000));
  cache.clear();
  const kept = names("kept", 400);
  await setAll(cache, kept);
  const { diskReclaimed } = cache.stats().segments;
  // More than is free: the oldest segments are those of `old`, and `kept` would come next.
  await setAll(cache, names("more", 900));
  expect(cache.stats().segments.diskReclaimed).toBeGreaterThan(diskReclaimed);
  expect(await present(cache, kept)).toHaveLength(400);
});
