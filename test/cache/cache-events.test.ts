// The events of a whole cache. That listeners do no harm is events.test.ts's.

import { describe, expect, test } from "vitest";
import type { CacheEventMap } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches, until } from "./opened.js";

setUpCaches();

type Evict = CacheEventMap["evict"];

test("evict tells each key that left for want of room, and its cause", async () => {
  const cache = await open();
  const evicted: Evict[] = [];
  cache.on("evict", (event) => evicted.push(event));
  const keys = Array.from({ length: 400 }, (_, key) => `k${key}`);
  for (const key of keys) {
    // A full cache takes no more until the janitor has made room.
    await until(() => cache.set(key, Buffer.alloc(5000)) === "stored");
    // Room is made in this thread too where the janitor is late, and that is told of by nobody.
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

test("evict of a key of bytes gives bytes", async () => {
  const cache = await open();
  const evicted: Evict[] = [];
  cache.on("evict", (event) => evicted.push(event));
  for (let key = 0; evicted.length === 0 && key < 20_000; key++) {
    cache.set(Uint8Array.of(255, key >> 8, key), Buffer.alloc(5000));
    if (key % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(evicted[0]?.key).toBeInstanceOf(Uint8Array);
  expect(evicted[0]?.key[0]).toBe(255);
  expect(evicted[0]?.key.length).toBe(3);
});

describe("recovered", () => {
  test("says how a directory was found: new, in order, killed", async () => {
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

  test("is not told of a cache in memory only", async () => {
    const cache = await open();
    let isTold = false;
    cache.on("recovered", () => {
      isTold = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isTold).toBe(false);
  });
});

test("on() and off(): what was ended is not told of any more", async () => {
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
