// The near cache: a value is returned from it as the same object, until a write, an expiry or an
// invalidation by tag.

import { describe, expect, test } from "vitest";
import { Kernel, KeyWindow } from "../../dist/src/kernel/mod.js";
import { type Cache, ManualClock } from "../../dist/src/mod.js";
import { NearCache } from "../../dist/src/near/mod.js";
import { open, setUpCaches } from "../cache/opened.js";

setUpCaches();

/** Decodes a value, then hits it twice. */
function readThrice(cache: Cache, key: string): unknown[] {
  return [cache.getSync(key), cache.getSync(key), cache.getSync(key)];
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
      cache.getSync(`k${number}`);
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
      cache.getSync(`k${number}`);
    }
    const { entries, evictions } = cache.stats().near;
    expect(entries + evictions).toBe(50);
    expect(entries).toBeLessThan(10);
  });

  test("counts a value that is pushed out since its positions are all taken", async () => {
    const cache = await open();
    const { module, memory } = cache.handle().worker;
    const kernel = Kernel.attach(module, memory);
    const options = { maxEntries: 1000, maxBytes: 1e6, mode: "shared" } as const;
    const near = new NearCache(kernel, new KeyWindow(kernel), options, { now: () => 0 });
    const keep = (number: number, text: string): void => {
      const word = { low: number, high: 1, tagEpoch: null };
      near.keep(word, 12_345, `key${number}`, text, Infinity, 10);
    };
    for (let number = 1; number <= 9; number++) keep(number, "first");
    const { count } = near;
    expect(count).toBeLessThan(9);
    expect(cache.stats().near.evictions).toBe(9 - count);
    // A newer value of a key that is there takes its own position.
    keep(9, "newer");
    expect([near.count, cache.stats().near.evictions]).toEqual([count, 9 - count]);
    kernel.detach();
  });
});
