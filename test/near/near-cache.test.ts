// The near cache: a value is returned from it as the same object, until a write, an expiry or an
// invalidation by tag.

import { describe, expect, test } from "vitest";
import { type Cache, ManualClock } from "../../dist/src/mod.js";
import { open, setUpCaches } from "../cache/opened.js";

setUpCaches();

/** Decodes a value, then hits it twice. */
function readThrice(cache: Cache, key: string): unknown[] {
  return [cache.getSync(key), cache.getSync(key), cache.getSync(key)];
}

/** So often that the hand passes all that a small near cache keeps. */
function hitOften(cache: Cache, key: string): void {
  for (let hit = 0; hit < 40; hit++) cache.getSync(key);
}

describe("a near value", () => {
  test.each([
    "plain",
    "a key of more than the characters that are read one by one",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "0",
    "7",
    "4294967295",
    "-1",
    "1e21",
    "ключ",
    "🔑",
  ])("of the key %j is the same object each time", async (key) => {
    const cache = await open();
    cache.set(key, { of: key });
    cache.set(`${key}${key}`, { of: "another" });
    const [first, second, third] = readThrice(cache, key);
    expect(first).toEqual({ of: key });
    expect(second).toBe(first);
    expect(third).toBe(first);
    // Another string of the same characters.
    expect(cache.getSync(Buffer.from(key).toString())).toBe(first);
    expect(cache.getSync(`${key}${key}`)).toEqual({ of: "another" });
    expect(cache.stats().hits).toMatchObject({ near: 3, memory: 2 });
  });

  test.each([0, 1, 2, 3])("is dropped by a write after %i reads", async (reads) => {
    const cache = await open();
    cache.set("k", { version: 1 });
    for (let read = 0; read < reads; read++) cache.getSync("k");
    cache.set("k", { version: 2 });
    expect(readThrice(cache, "k")).toEqual([{ version: 2 }, { version: 2 }, { version: 2 }]);
    cache.delete("k");
    expect(readThrice(cache, "k")).toEqual([undefined, undefined, undefined]);
  });

  test.each([1, 2, 3])("expires after %i reads, with tags and without", async (reads) => {
    const clock = new ManualClock();
    const cache = await open({ clock });
    cache.set("tagged", 1, { ttl: 1000, tags: ["t"] });
    cache.set("untagged", 1, { ttl: 1000 });
    clock.advance(999);
    for (let read = 0; read < reads; read++) {
      expect([cache.getSync("tagged"), cache.getSync("untagged")]).toEqual([1, 1]);
    }
    expect(cache.stats().hits.near).toBe(2 * (reads - 1));
    clock.advance(1);
    expect([cache.getSync("tagged"), cache.getSync("untagged")]).toEqual([undefined, undefined]);
  });

  test.each([1, 2, 3])("is invalidated by its tag after %i reads", async (reads) => {
    const cache = await open();
    cache.set("forever", 1, { tags: ["t"] });
    cache.set("for a while", 1, { tags: ["t"], ttl: "1h" });
    for (let read = 0; read < reads; read++) {
      expect([cache.getSync("forever"), cache.getSync("for a while")]).toEqual([1, 1]);
    }
    cache.deleteByTag("t");
    expect([cache.getSync("forever"), cache.getSync("for a while")]).toEqual([
      undefined,
      undefined,
    ]);
  });
});

describe("stats().near.evictions", () => {
  test("counts what is dropped beyond maxEntries, and nothing else", async () => {
    const cache = await open({ near: { maxEntries: 10 } });
    for (let number = 0; number < 50; number++) {
      cache.set(`k${number}`, number);
      hitOften(cache, `k${number}`);
    }
    const { entries, evictions } = cache.stats().near;
    expect([entries, evictions]).toEqual([10, 40]);
    // Dropped for other reasons: replaced by a newer value, and cleared.
    cache.set("k49", "newer");
    cache.getSync("k49");
    cache.clear();
    expect(cache.stats().near).toMatchObject({ entries: 0, bytes: 0, evictions: 40 });
  });

  test("counts what is dropped beyond maxBytes", async () => {
    const cache = await open({ near: { maxBytes: 1000 } });
    for (let number = 0; number < 50; number++) {
      cache.set(`k${number}`, "x".repeat(100));
      hitOften(cache, `k${number}`);
    }
    const { entries, evictions } = cache.stats().near;
    expect(entries + evictions).toBe(50);
    expect(entries).toBeLessThan(10);
  });
});

describe("what is kept near", () => {
  const hot = Array.from({ length: 200 }, (_, number) => `hot:${number}`);
  const cold = Array.from({ length: 5000 }, (_, number) => `cold:${number}`);

  /** A cache with room for the hot keys near, which it has. */
  async function openWarm(): Promise<Cache> {
    const cache = await open({ near: { maxEntries: hot.length } });
    for (const key of [...hot, ...cold]) cache.set(key, { of: key });
    for (let round = 0; round < 10; round++) for (const key of hot) cache.getSync(key);
    expect(nearOf(cache, hot)).toBeGreaterThan(190);
    return cache;
  }

  /** How many of `keys` one get each finds near. */
  function nearOf(cache: Cache, keys: readonly string[]): number {
    const before = cache.stats();
    for (const key of keys) expect(cache.getSync(key)).toEqual({ of: key });
    return cache.stats().since(before).hits.near;
  }

  test("stays when others are read once each", async () => {
    const cache = await openWarm();
    expect(nearOf(cache, cold)).toBeLessThan(50);
    expect(nearOf(cache, hot)).toBeGreaterThan(180);
  });

  test("goes for what is read again and again in its stead", async () => {
    const cache = await openWarm();
    const others = cold.slice(0, hot.length);
    for (let round = 0; round < 20; round++) nearOf(cache, others);
    expect(nearOf(cache, others)).toBeGreaterThan(180);
  });

  test("does not change in a loop over more keys than there is room for", async () => {
    const cache = await openWarm();
    const loop = [...hot, ...cold.slice(0, hot.length / 2)];
    for (let round = 0; round < 20; round++) nearOf(cache, loop);
    const before = cache.stats();
    let near = 0;
    for (let round = 0; round < 20; round++) near += nearOf(cache, loop);
    // Two in three, where a list in the order of use has none.
    expect(near / (20 * loop.length)).toBeGreaterThan(0.5);
    expect(cache.stats().since(before).near.evictions).toBeLessThan(20 * hot.length * 0.1);
  });

  test("is taken again at once when it was overwritten", async () => {
    const cache = await openWarm();
    for (const key of hot) cache.set(key, { of: key });
    expect(nearOf(cache, hot)).toBe(0);
    expect(nearOf(cache, hot)).toBeGreaterThan(190);
  });

  test("keeps to both bounds, which are derived from memory", async () => {
    const small = await open({ memory: "4mb" });
    for (let number = 0; number < 6000; number++) small.set(`k${number}`, number);
    for (let round = 0; round < 4; round++) {
      for (let number = 0; number < 6000; number++) small.getSync(`k${number}`);
    }
    const { entries, bytes, limitEntries, limitBytes, heapBytes } = small.stats().near;
    expect([limitEntries, limitBytes]).toEqual([4096, 2 ** 20]);
    expect(entries).toBeGreaterThan(3000);
    expect(entries).toBeLessThanOrEqual(limitEntries);
    expect(bytes).toBeLessThanOrEqual(limitBytes);
    expect(heapBytes).toBeGreaterThan(bytes);
    const none = await open({ near: false });
    expect(none.stats().near).toMatchObject({ limitEntries: 0, limitBytes: 0, heapBytes: 0 });
  });
});
