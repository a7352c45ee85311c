// keys() and entries(): what comes, how often, and what does not, while nothing or everything else
// goes on.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as at from "../../dist/src/kernel/layout.js";
import { type Cache, type Key, ManualClock } from "../../dist/src/mod.js";
import { errorOf, open, setUpCaches, until } from "../cache/opened.js";
import { attached, setUpThreads } from "../cache/attached.js";
import { names, openDisk, scratchDirectory, setAll, textOf } from "../disk-log/scratch-cache.js";

setUpCaches();
setUpThreads();

async function all<T>(walk: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of walk) found.push(one);
  return found;
}

/** The keys that a walk gives, sorted; throws if one comes twice. */
async function keysOf(walk: AsyncIterable<Key>): Promise<string[]> {
  const found = (await all(walk)).map(String);
  expect(new Set(found).size).toBe(found.length);
  return found.toSorted();
}

/** Entries of the index that are in their other bucket. */
function displaced(cache: Cache<never>): number {
  const { buffer } = cache.handle().worker.memory;
  const words = new Uint32Array(buffer);
  const base = words[at.controlBucketBase / 4] as number;
  let count = 0;
  for (let bucket = 0; bucket < (words[at.controlBucketCount / 4] as number); bucket++) {
    count += words[(base + bucket * at.bucketSize + at.bucketDisplaced) / 4] as number;
  }
  return count;
}

describe("in memory", () => {
  test("every entry comes once, with its value", async () => {
    const cache = await open<number>({ memory: "4mb" });
    const keys = names("key", 5000);
    for (const [index, key] of keys.entries()) cache.set(key, index);
    expect(await keysOf(cache.keys())).toEqual(keys.toSorted());
    const entries = await all(cache.entries());
    expect(entries).toHaveLength(5000);
    for (const [key, value] of entries) expect(value).toBe(keys.indexOf(String(key)));
    const { hits, misses } = cache.stats();
    expect([hits.total, misses]).toEqual([0, 0]);
  });

  test("a prefix chooses keys by their bytes", async () => {
    const cache = await open<number>();
    for (const key of ["user:1", "user:ä", "use", "cart:1"]) cache.set(key, 1);
    cache.set(Buffer.from("user:2"), 1);
    cache.set(new Uint8Array([0xff, 0xfe]), 1);
    const found = await all(cache.keys({ prefix: "user:" }));
    expect(found.map((key) => Buffer.from(key as string).toString()).toSorted()).toEqual(
      ["user:1", "user:2", "user:ä"].toSorted(),
    );
    // As they were given.
    expect(found.filter((key) => typeof key !== "string")).toHaveLength(1);
    expect(await all(cache.keys({ prefix: new Uint8Array([0xff]) }))).toEqual([
      new Uint8Array([0xff, 0xfe]),
    ]);
    expect(await all(cache.keys({ prefix: "" }))).toHaveLength(6);
  });

  test("only entries come: no chunk, no remembered absence, nothing that has expired", async () => {
    const clock = new ManualClock(1e12);
    const cache = await open<string>({ clock, memory: "4mb" });
    cache.set("chunked", "x".repeat(100_000));
    cache.set("expired", "x", { ttl: 10, staleFor: 1000 });
    cache.set("plain", "x");
    await cache.fetch("absent", () => undefined, { negativeTtl: "1h" });
    clock.advance(11);
    // A failed refresh is remembered too.
    await cache.fetch("expired", () => Promise.reject(new Error("no")));
    await cache.fetch("expired", () => "not asked");
    expect(await keysOf(cache.keys())).toEqual(["chunked", "plain"]);
    const values = new Map(await all(cache.entries()));
    expect(values.get("chunked")).toBe("x".repeat(100_000));
    expect(values.size).toBe(2);
  });

  test.each<[string, (cache: Cache<number>, keys: string[]) => unknown]>([
    ["deleted", (cache, keys) => cache.deleteMany(keys)],
    ["cleared", (cache) => cache.clear()],
    ["invalidated", (cache) => cache.deleteByTag("t")],
  ])("what was %s before it is asked for does not come", async (_name, end) => {
    const cache = await open<number>();
    const keys = names("key", 300);
    for (const key of keys) cache.set(key, 1, { tags: ["t"] });
    const walk = cache.keys();
    expect((await walk.next()).done).toBe(false);
    end(cache, keys);
    expect(await all(walk)).toEqual([]);
    expect(await all(cache.entries())).toEqual([]);
  });

  test("a value is what it is when it is asked for", async () => {
    const clock = new ManualClock(1e12);
    const cache = await open<number>({ clock });
    const keys = names("key", 100);
    for (const key of keys) cache.set(key, 1);
    cache.set("short", 1, { ttl: 10 });
    const walk = cache.entries();
    const first = (await walk.next()).value as [string, number];
    for (const key of keys) cache.set(key, 2);
    clock.advance(11);
    const later = await all(walk);
    expect(later.filter(([key]) => key !== first[0]).map(([, value]) => value)).toEqual(
      keys.filter((key) => key !== first[0]).map(() => 2),
    );
  });

  test("other work runs between its parts", async () => {
    const cache = await open<number>({ memory: "8mb" });
    for (const key of names("key", 20_000)) cache.set(key, 1);
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    expect(await all(cache.keys())).toHaveLength(20_000);
    isOver = true;
    expect(turns).toBeGreaterThan(100);
  });

  test("it can be left, and ends with the cache", async () => {
    const cache = await open<number>();
    for (const key of names("key", 300)) cache.set(key, 1);
    for await (const key of cache.keys()) if (key !== "") break;
    const walk = cache.keys();
    await walk.next();
    await cache.close();
    expect((await errorOf(() => all(walk))).code).toBe("ERR_CACHE_CLOSED");
    expect((await errorOf(() => cache.keys())).code).toBe("ERR_CACHE_CLOSED");
  });

  test("wrong options are refused at once", async () => {
    const cache = await open<number>();
    for (const options of [{ prefix: 7 }, { prefix: "\ud800" }, { start: "a" }, "user:"]) {
      expect((await errorOf(() => cache.keys(options as never))).message).toContain("prefix");
    }
  });
});

describe("of namespaces", () => {
  test("each walk gives the keys of its own space, in memory and on disk", async () => {
    const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo" });
    const spaces = [cache, cache.namespace<string>("a"), cache.namespace<string>("b")] as const;
    for (const key of names("key", 60)) for (const space of spaces) space.set(key, key);
    await cache.flush();
    await setAll(cache, names("other", 1100));
    for (const space of spaces) {
      expect(await keysOf(space.keys({ prefix: "key" }))).toEqual(names("key", 60).toSorted());
    }
    const walk = spaces[1].entries();
    expect((await walk.next()).value?.[1]).toMatch(/^key-/);
    spaces[1].clear();
    expect(await all(walk)).toEqual([]);
    expect(await keysOf(spaces[2].keys())).toHaveLength(60);
  });
});

describe("on disk", () => {
  test("every entry comes once, with its value, wherever it is", async () => {
    const path = scratchDirectory();
    const { cache } = await openDisk(path, { capacity: "4mb" });
    const keys = names("key", 1500);
    await setAll(cache, keys);
    const large = "y".repeat(60_000);
    cache.set("large", large);
    await cache.flush();
    const wanted = [...keys, "large"].toSorted();
    expect(cache.stats().disk?.entries).toBeGreaterThan(500);
    expect(await keysOf(cache.keys())).toEqual(wanted);
    await cache.close();
    const { cache: again } = await openDisk(path, { capacity: "4mb" });
    expect(again.stats().memory.entries).toBe(0);
    const values = new Map(await all(again.entries()));
    expect([...values.keys()].map(String).toSorted()).toEqual(wanted);
    for (const key of keys) expect(values.get(key)).toBe(textOf(key, 1, 1000));
    expect(values.get("large")).toBe(large);
    expect(again.stats().moves.promotions).toBe(0);
    expect(again.stats().memory.entries).toBe(0);
  });

  test("what was deleted, invalidated or overwritten meanwhile is seen", async () => {
    const path = scratchDirectory();
    const { cache: before } = await openDisk(path);
    await setAll(before, names("key", 200));
    for (const key of names("tagged", 50)) before.set(key, "x", { tags: ["t"] });
    await before.close();
    const { cache } = await openDisk(path);
    const walk = cache.entries();
    const first = (await walk.next()).value as [string, string];
    cache.deleteMany(names("key", 100));
    cache.deleteByTag("t");
    for (const key of names("key", 200).slice(100)) cache.set(key, "new");
    const left = new Map(await all(walk));
    const wanted = names("key", 200).slice(100);
    expect([...left.keys()].map(String).toSorted()).toEqual(
      wanted.filter((key) => key !== first[0]).toSorted(),
    );
    for (const value of left.values()) expect(value).toBe("new");
  });

  test("entries that move between memory and disk meanwhile come once", async () => {
    const { cache } = await openDisk(scratchDirectory(), { capacity: "4mb" });
    const keys = names("key", 1200);
    await setAll(cache, keys);
    const seen: string[] = [];
    for await (const key of cache.keys({ prefix: "key" })) {
      seen.push(String(key));
      // Others come to memory and push these out; the second hit brings one back.
      if (seen.length % 20 === 0) {
        await setAll(cache, names(`other-${seen.length}`, 40), { bytes: 500 });
        await cache.getMany(keys.slice(seen.length, seen.length + 40));
        await cache.getMany(keys.slice(seen.length, seen.length + 40));
      }
    }
    const { moves, segments } = cache.stats();
    expect(moves.demotions).toBeGreaterThan(100);
    expect(moves.promotions).toBeGreaterThan(100);
    expect(segments.diskReclaimed).toBe(0);
    expect(seen.toSorted()).toEqual(keys.toSorted());
  });
});

describe("while others write", () => {
  test("no key comes twice, and none is missing that lived, whatever is done between", async () => {
    const cache = await open<number>({ memory: "1mb", near: false, eviction: "fifo" });
    const keys = names("k", 9000);
    const step = fc.record({
      next: fc.integer({ min: 1, max: 400 }),
      first: fc.nat(keys.length - 1),
      count: fc.integer({ min: 1, max: 1500 }),
      what: fc.constantFrom("set", "delete", "delete and set"),
    });
    let most = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        cache.clear();
        for (const key of keys) cache.set(key, 0);
        most = Math.max(most, displaced(cache as Cache<never>));
        const lived = new Set(keys.filter((key) => cache.has(key)));
        const seen: string[] = [];
        const walk = cache.keys();
        let isOver = false;
        for (const { next, first, count, what } of steps) {
          for (let taken = 0; taken < next && !isOver; taken++) {
            const { done, value } = await walk.next();
            if (done === true) isOver = true;
            else seen.push(String(value));
          }
          for (let n = 0; n < count; n++) {
            const key = keys[(first + n * 7) % keys.length] as string;
            if (what !== "set" || !cache.has(key)) lived.delete(key);
            if (what !== "set") cache.delete(key);
            if (what !== "delete") cache.set(key, 1);
          }
        }
        for (const key of await all(walk)) seen.push(String(key));
        expect(new Set(seen).size).toBe(seen.length);
        const found = new Set(seen);
        // What is gone was evicted for want of room in the index.
        const missing = [...lived].filter((key) => cache.has(key) && !found.has(key));
        expect(missing).toEqual([]);
        expect(lived.size).toBeGreaterThan(0);
      }),
      { numRuns: 25 },
    );
    // Or the walk has had no displaced entries to find.
    expect(most).toBeGreaterThan(100);
  });

  test("other threads write, delete and clear: the keys that stay come once", async () => {
    const cache = await open<unknown>({ memory: "4mb" });
    const staying = names("stays", 3000);
    for (const key of staying) cache.set(key, 1);
    const threads = ["a", "b"].map((name) => ({ name, thread: attached(cache as Cache) }));
    const writing = threads.map(({ name, thread }) => thread.call("churnUntilStopped", name));
    for (const { name } of threads) await until(() => cache.has(`begun-${name}`));
    cache.set("gone", 1);
    cache.delete("gone");
    for (let walk = 0; walk < 10; walk++) {
      const found = await keysOf(cache.keys());
      expect(found.filter((key) => key.startsWith("stays"))).toEqual(staying.toSorted());
      expect(found).not.toContain("gone");
      const values = await all(cache.entries({ prefix: "churn" }));
      for (const [key, value] of values) expect(value).toBe(`${String(key)}!`);
    }
    cache.set("stop", 1);
    for (const writes of await Promise.all(writing)) expect(writes).toBeGreaterThan(100);
  });
});
