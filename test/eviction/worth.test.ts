// What a hit is worth: with "load-time" the entries stay that took long to load.

import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Kernel } from "../../dist/src/kernel/mod.js";
import type { Cache, Worth } from "../../dist/src/mod.js";
import { names, open, scratchDirectory } from "../disk-log/scratch-cache.js";

const value = "x".repeat(1000);
const each = 400;
/** Far above what a fast load takes on a busy machine: five classes of time. */
const slowMs = 700;

/** The classes of load times of all records in memory. */
function classesIn(cache: Cache<string>): number[] {
  const { module, memory } = cache.handle().worker;
  const kernel = Kernel.attach(module, memory, "user");
  const classes: number[] = [];
  for (let segment = 0; segment < kernel.segments.count; segment++) {
    const walk = kernel.segments.walk(segment);
    while (walk.next()) classes.push(kernel.records.loadClass(walk.record));
  }
  kernel.detach();
  return classes;
}

/** Loads as many slow keys as fast ones, in turn, hits all once, and floods the cache. What is
 *  left. */
async function leftOf(cache: Cache<string>): Promise<{ slow: number; fast: number }> {
  const slow = names("slow", each);
  const fast = names("fast", each);
  const loadSlowly = async (): Promise<string> => sleep(slowMs, value);
  const loads = slow.map(async (key, at) => {
    await Promise.all([
      cache.fetch(key, loadSlowly),
      // Stored when the slow one is.
      sleep(slowMs).then(() => cache.fetch(fast[at] as string, () => value)),
    ]);
  });
  await Promise.all(loads);
  for (const key of [...slow, ...fast]) cache.getSync(key);
  const left = (keys: readonly string[]): number => keys.filter((key) => cache.has(key)).length;
  for (let flood = 0; left(slow) + left(fast) >= each; flood++) {
    for (let at = 0; at < 100; at++) cache.set(`flood-${flood}-${at}`, value);
  }
  return { slow: left(slow), fast: left(fast) };
}

const opened = async (worth: Worth): Promise<Cache<string>> =>
  open<string>({ memory: "2mb", near: false, eviction: { policy: "lfu", worth } });

test("with load-time, entries that took long to load stay longer", async () => {
  const { slow, fast } = await leftOf(await opened("load-time"));
  expect(slow).toBeGreaterThan(2 * fast);
});

test("with hits they do not", async () => {
  const { slow, fast } = await leftOf(await opened("hits"));
  expect(slow).toBeLessThan(2 * fast);
});

test("how long a load took stays with the entry, in memory, on disk and back", async () => {
  const path = scratchDirectory();
  const options = {
    memory: "2mb",
    near: false,
    disk: { path, capacity: "16mb" },
    eviction: { policy: "lfu", worth: "load-time" },
  } as const;
  const cache = await open<string>(options);
  await cache.fetch("slow", async () => sleep(slowMs, value));
  await cache.close();
  const reopened = await open<string>(options);
  expect(await reopened.get("slow")).toBe(value);
  expect(await reopened.get("slow")).toBe(value);
  expect(classesIn(reopened).some((loadClass) => loadClass >= 6)).toBe(true);
  const ofSets = await open<string>({ memory: "2mb" });
  ofSets.set("set", value);
  expect(classesIn(ofSets)).toEqual([0]);
});
