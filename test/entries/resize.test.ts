// Resize: how much memory is in use, while the cache is used.

import { describe, expect, test } from "vitest";
import * as at from "../../dist/src/kernel/layout.js";
import { attachCache, type Cache } from "../../dist/src/mod.js";
import { attached, setUpThreads } from "../cache/attached.js";
import { errorOf, open, setUpCaches, until } from "../cache/opened.js";
import { names, openDisk, scratchDirectory, setAll, textOf } from "../disk-log/scratch-cache.js";

setUpCaches();
setUpThreads();

const MiB = 2 ** 20;

/** Segments of the memory in a state. */
function segmentsIn(cache: Cache<never>, wanted: number): number {
  const { buffer } = cache.handle().worker.memory;
  const words = new Uint32Array(buffer);
  const count = words[at.controlSegmentCount / 4] as number;
  let found = 0;
  for (let segment = 0; segment < count; segment++) {
    const word = words[(at.segmentTable + segment * at.segmentEntrySize) / 4] as number;
    if ((word & at.segmentStateMask) === wanted) found += 1;
  }
  return found;
}

const withheld = (cache: unknown): number => segmentsIn(cache as Cache<never>, at.segmentWithheld);

describe("the memory in use", () => {
  test("is what is asked for at open, and goes up to the most", async () => {
    const cache = await open<string>({ memory: { now: "4mb", most: "8mb" } });
    const { limitBytes } = cache.stats().memory;
    expect(limitBytes).toBeLessThanOrEqual(4 * MiB);
    expect(limitBytes).toBeGreaterThan(3.8 * MiB);
    expect(withheld(cache)).toBeGreaterThan(0);
    const keys = names("key", 12_000);
    for (const key of keys) cache.set(key, "x".repeat(1000));
    await until(() => cache.stats().memory.usedBytes <= limitBytes);
    const before = cache.stats().memory.entries;
    expect(await cache.resize({ memory: "8mb" })).toEqual({
      memory: { now: 8 * MiB, most: 8 * MiB },
    });
    expect(withheld(cache)).toBe(0);
    for (const key of keys) cache.set(key, "x".repeat(1000));
    expect(cache.stats().memory.entries).toBeGreaterThan(before * 1.5);
    expect(cache.stats().memory.limitBytes).toBe(8 * MiB);
  });

  test("shrinks while it is full, and evicts the oldest", async () => {
    const cache = await open<string>({ memory: "8mb", eviction: "fifo" });
    const keys = names("key", 12_000);
    for (const key of keys) cache.set(key, textOf(key, 1, 1000));
    const outcome = await cache.resize({ memory: "4mb" });
    expect(outcome.memory.most).toBe(8 * MiB);
    expect(outcome.memory.now).toBeLessThanOrEqual(4 * MiB);
    const { memory, evictions, segments } = cache.stats();
    expect(memory.usedBytes).toBeLessThanOrEqual(outcome.memory.now);
    expect(memory.limitBytes).toBe(outcome.memory.now);
    expect(evictions.memory).toBeGreaterThan(3000);
    expect(segments.total).toBe(
      segmentsIn(cache as never, at.segmentFree) +
        segmentsIn(cache as never, at.segmentOpen) +
        segmentsIn(cache as never, at.segmentSealed),
    );
    const left = keys.filter((key) => cache.has(key));
    expect(left).toEqual(keys.slice(-left.length));
    for (const key of left) expect(cache.getSync(key)).toBe(textOf(key, 1, 1000));
    // It works on, in the smaller room.
    for (const key of names("new", 3000)) expect(cache.set(key, "x")).toBe("stored");
    expect(cache.stats().memory.usedBytes).toBeLessThanOrEqual(outcome.memory.now);
  });

  test("loses nothing to a shrink that is on disk or may be written there", async () => {
    const { cache } = await openDisk(scratchDirectory(), { memory: "4mb", capacity: "16mb" });
    const keys = names("key", 1500);
    for (const key of keys) cache.set(key, textOf(key, 1, 1000));
    const outcome = await cache.resize({ memory: "2mb" });
    expect(outcome.memory.now).toBeLessThanOrEqual(2 * MiB);
    const found = await cache.getMany(keys);
    expect(found.size).toBe(keys.length);
    expect(cache.stats().admissions.refusedQueue).toBe(0);
    await setAll(cache, names("more", 200));
  });

  test("changes under writers in other threads, and for all of them", async () => {
    const cache = await open<unknown>({ memory: { now: "4mb", most: "8mb" } });
    const thread = attached(cache as Cache);
    const writing = thread.call("churnUntilStopped", "a");
    await until(() => cache.has("begun-a"));
    const other = attachCache<unknown>(cache.handle());
    for (const memory of ["8mb", "3mb", "6mb", "4mb"]) {
      const { memory: now } = await other.resize({ memory });
      expect(other.stats().memory.limitBytes).toBe(now.now);
      expect(cache.stats().memory.limitBytes).toBe(now.now);
    }
    cache.set("stop", 1);
    expect(await writing).toBeGreaterThan(0);
    await other.close();
  });

  test("decides how many segments the janitor keeps free", async () => {
    const cache = await open<string>({ memory: "32mb" });
    for (const key of names("key", 30_000)) cache.set(key, "x".repeat(1000));
    const { total } = cache.stats().segments;
    expect(total >>> 5).toBeGreaterThan(4);
    await cache.resize({ memory: "12mb" });
    // Two, and the reserve of two; fewer than for 32 MiB.
    const { free } = cache.stats().segments;
    expect(free).toBeGreaterThanOrEqual(4);
    expect(free).toBeLessThan(2 + (total >>> 5));
  });

  test("bounds what one value may take", async () => {
    const cache = await open<string>({ memory: { now: "4mb", most: "16mb" } });
    expect(cache.set("large", "x".repeat(2 * MiB))).toBe("too-large");
    await cache.resize({ memory: "16mb" });
    expect(cache.set("large", "x".repeat(2 * MiB))).toBe("stored");
  });
});

describe("what cannot be is refused", () => {
  test.each([
    [{ memory: "9mb" }, /at most 8388608 bytes/],
    [{ memory: "1mb" }, /at least \d+ bytes/],
    [{ memory: -1 }, /memory/],
    [{ memory: {} }, /memory/],
    [{ disk: "2mb" }, /disk.*left out, since the cache has no disk tier/],
    [{ directory: "2mb" }, /no such option/],
    [undefined, /options/],
  ])("by resize: %j", async (options, text) => {
    const cache = await open<string>({ memory: "8mb" });
    expect((await errorOf(() => cache.resize(options as never))).message).toMatch(text);
    expect(cache.stats().memory.limitBytes).toBe(8 * MiB);
  });

  test.each([
    [{ now: "9mb", most: "8mb" }, /memory\.now/],
    [{ now: "1mb", most: "64mb" }, /memory\.now.*"1mb".*at least \d+ bytes/],
    [{ now: "4mb" }, /memory\.most/],
    [{ now: "4mb", least: "1mb" }, /memory\.least/],
  ])("by open: %j", async (memory, text) => {
    const error = await errorOf(() => open({ memory: memory as never }));
    expect(error.message).toMatch(text);
  });

  test("a size without a change is answered at once", async () => {
    const cache = await open<string>({ memory: "4mb" });
    expect(await cache.resize({})).toEqual({ memory: { now: 4 * MiB, most: 4 * MiB } });
  });
});
