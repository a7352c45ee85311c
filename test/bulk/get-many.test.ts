// getMany: what is in memory costs no promise, and the disk is read in order and in bounds.

import { createHook } from "node:async_hooks";
import fs from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { openDisk, scratchDirectory, setAll, names, textOf } from "../disk-log/scratch-cache.js";
import { open, setUpCaches } from "../cache/opened.js";

setUpCaches();

/** The reads of the disk from now to the end of the test: where each began, and how many were under
 *  way at once at most. */
function watchReads(): { places: { fd: number; position: number }[]; most: number } {
  const seen = { places: [] as { fd: number; position: number }[], most: 0 };
  let underWay = 0;
  const { read } = fs;
  const watched = (...given: unknown[]): void => {
    const [fd, , , , position, done] = given as [number, never, never, never, number, () => void];
    seen.places.push({ fd, position });
    underWay += 1;
    seen.most = Math.max(seen.most, underWay);
    (read as (...args: unknown[]) => void)(...given.slice(0, 5), (...answer: unknown[]) => {
      underWay -= 1;
      (done as (...args: unknown[]) => void)(...answer);
    });
  };
  fs.read = watched as unknown as typeof fs.read;
  onTestFinished(() => {
    fs.read = read;
  });
  return seen;
}

test("what is in memory makes no promise a key", async () => {
  const cache = await open<number>();
  const keys = Array.from({ length: 1000 }, (_, index) => `key-${index}`);
  for (const [index, key] of keys.entries()) cache.set(key, index);
  let promises = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === "PROMISE") promises += 1;
    },
  }).enable();
  const reading = cache.getMany(keys);
  hook.disable();
  expect((await reading).size).toBe(1000);
  expect(promises).toBeLessThan(20);
});

test("the disk is read file by file, in the order of offsets, some reads at once", async () => {
  const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo" });
  const keys = names("key", 600);
  await setAll(cache, keys);
  await setAll(cache, names("other", 700));
  const wanted = keys.toSorted().toReversed();
  const seen = watchReads();
  const found = await cache.getMany([...wanted, "absent"]);
  // In the order of the keys, whatever the order of the reads.
  expect([...found.keys()]).toEqual(wanted);
  expect([...found.values()]).toEqual(wanted.map((key) => textOf(key, 1, 1000)));
  expect(seen.places.length).toBeGreaterThan(200);
  expect(seen.most).toBeGreaterThan(8);
  expect(seen.most).toBeLessThanOrEqual(64);
  const files = seen.places.map(({ fd }) => fd);
  const turns = files.filter((fd, index) => fd !== files[index - 1]);
  expect(turns.length).toBe(new Set(files).size);
  for (const fd of new Set(files)) {
    const positions = seen.places.flatMap((place) => (place.fd === fd ? place.position : []));
    expect(positions).toEqual(positions.toSorted((left, right) => left - right));
  }
});

test("each key counts as one request", async () => {
  const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo" });
  await setAll(cache, names("key", 600));
  await setAll(cache, names("other", 700));
  const before = cache.stats();
  await cache.getMany([...names("key", 600), ...names("absent", 50)]);
  const after = cache.stats();
  expect(after.hits.total + after.misses - before.hits.total - before.misses).toBe(650);
  expect(after.misses - before.misses).toBe(50);
});

test("an abort rejects, and no read begins after it", async () => {
  const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo" });
  await setAll(cache, names("key", 600));
  await setAll(cache, names("other", 700));
  const seen = watchReads();
  const controller = new AbortController();
  const reading = cache.getMany(names("key", 600), { signal: controller.signal });
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(reading).rejects.toBe(reason);
  const begun = seen.places.length;
  await cache.get("key-1");
  await cache.flush();
  expect(seen.places.length).toBeLessThanOrEqual(begun + 1);
  expect(begun).toBeLessThanOrEqual(64);
});
