// The events of a whole cache. events.test.ts shows that listeners do no harm.

import { describe, expect, test } from "vitest";
import { attachCache, type Cache, type CacheEventMap } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches, until } from "./opened.js";

setUpCaches();

type Evict = CacheEventMap["evict"];

test("evict reports each key that left for want of room, with the cause", async () => {
  const cache = await open();
  const evicted: Evict[] = [];
  cache.on("evict", (event) => evicted.push(event));
  const keys = Array.from({ length: 400 }, (_, key) => `k${key}`);
  for (const key of keys) {
    // A full cache takes no more until the janitor has made room.
    await until(() => cache.set(key, Buffer.alloc(5000)) === "stored");
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { evictions } = cache.stats();
  await until(() => evicted.length > 0);
  expect(evictions.memory).toBeGreaterThan(0);
  expect(new Set(evicted.map((event) => JSON.stringify({ ...event, key: 0 })))).toEqual(
    new Set(['{"key":0,"cause":"capacity","tier":"memory"}']),
  );
  expect(new Set(evicted.map(({ key }) => key)).size).toBe(evicted.length);
  for (const { key } of evicted) {
    expect(keys).toContain(key);
    expect(cache.getSync(key)).toBe(undefined);
  }
});

test("evict reports a key of bytes as bytes", async () => {
  const cache = await open();
  const evicted: Evict[] = [];
  cache.on("evict", (event) => evicted.push(event));
  const bytes = Buffer.alloc(5000);
  for (let key = 0; evicted.length === 0 && key < 20_000; key++) {
    // A full cache stores nothing until the janitor has made room.
    await until(() => cache.set(Uint8Array.of(255, key >> 8, key), bytes) === "stored");
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(evicted[0]?.key).toBeInstanceOf(Uint8Array);
  expect(evicted[0]?.key[0]).toBe(255);
  expect(evicted[0]?.key.length).toBe(3);
});

describe("every removal is reported or counted", () => {
  /** Sets far more than fits, without a turn of the event loop, so that this thread evicts too. */
  const flood = (cache: Cache, count: number, value: string): void => {
    for (let key = 0; key < count; key++) cache.set(`k${key}`, value);
  };

  test("what the opener's thread evicts itself is reported", async () => {
    const cache = await open();
    const keys = new Set<unknown>();
    cache.on("evict", ({ key }) => keys.add(key));
    flood(cache, 10_000, "x".repeat(1000));
    expect(cache.stats().foregroundReclaims).toBeGreaterThan(0);
    await until(() => keys.size === cache.stats().evictions.memory);
    expect(keys.size).toBeGreaterThan(5000);
    expect(cache.stats().eventsDropped).toBe(0);
  });

  test("what another thread evicts itself is counted as dropped", async () => {
    const cache = await open();
    const other = attachCache(cache.handle());
    let told = 0;
    cache.on("evict", () => (told += 1));
    flood(other, 10_000, "x".repeat(1000));
    await until(() => told + cache.stats().eventsDropped === cache.stats().evictions.memory);
    expect(told + cache.stats().eventsDropped).toBeGreaterThan(5000);
    await other.close();
  });

  test("what does not fit the queue of a blocked event loop is counted as dropped", async () => {
    const cache = await open();
    let told = 0;
    cache.on("evict", () => (told += 1));
    flood(cache, 120_000, "x".repeat(150));
    await until(() => told + cache.stats().eventsDropped === cache.stats().evictions.memory);
    expect(told).toBeGreaterThanOrEqual(65_536);
    expect(cache.stats().eventsDropped).toBeGreaterThan(0);
    // And the queue is free again.
    const before = told;
    for (let key = 0; told === before && key < 100_000; key++) {
      cache.set(`later${key}`, "x".repeat(1000));
      if (key % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(told).toBeGreaterThan(before);
  });

  test("what leaves the disk is reported with its key", async () => {
    const cache = await open({ memory: "1mb", ...diskAt(freshPath(), "2mb") });
    const keys = new Set<unknown>();
    cache.on("evict", ({ key, cause, tier }) => {
      if (tier === "disk") keys.add(key);
      expect(cause).toBe(tier === "disk" ? "disk" : "capacity");
    });
    for (let key = 0; key < 6000; key++) {
      cache.set(`k${key}`, "x".repeat(1000));
      if (key % 50 === 0) await cache.flush();
    }
    await until(() => keys.size === cache.stats().evictions.disk);
    expect(keys.size).toBeGreaterThan(1000);
    for (const key of keys) expect(await cache.get(key as string)).toBe(undefined);
  });
});

describe("recovered", () => {
  test("reports how a directory was found: new, then closed cleanly", async () => {
    const path = freshPath();
    const told = async (): Promise<CacheEventMap["recovered"]> => {
      const cache = await open(diskAt(path));
      const events: CacheEventMap["recovered"][] = [];
      cache.on("recovered", (event) => events.push(event));
      await until(() => events.length > 0);
      for (let key = 0; key < 10; key++) cache.set(`k${key}`, key);
      await cache.close();
      expect(events).toHaveLength(1);
      return events[0]!;
    };
    expect(await told()).toMatchObject({ kind: "new", entries: 0, lostSegments: 0 });
    expect(await told()).toMatchObject({ kind: "clean", entries: 10, lostSegments: 0 });
  });

  test("is not emitted by a cache in memory only", async () => {
    const cache = await open();
    let isReported = false;
    cache.on("recovered", () => {
      isReported = true;
    });
    // A cache that is opened later has reported what it found by the time this resolves.
    const later = await open(diskAt(freshPath()));
    await new Promise((resolve) => later.on("recovered", resolve));
    expect(isReported).toBe(false);
  });
});

test("a listener that was removed is not called again", async () => {
  const cache = await open();
  const heard: string[] = [];
  const first = (): void => void heard.push("first");
  cache.on("evict", first);
  const end = cache.on("evict", () => heard.push("second"));
  cache.off("evict", first);
  end();
  end();
  for (let key = 0; key < 1000; key++) cache.set(`k${key}`, Buffer.alloc(5000));
  await until(() => cache.stats().evictions.memory > 0);
  expect(heard).toEqual([]);
  expect(() => cache.on("evicted" as never, first)).toThrow(RangeError);
  expect(() => cache.on("evict", 5 as never)).toThrow(TypeError);
});
