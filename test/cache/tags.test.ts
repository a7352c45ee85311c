// Invalidation by tag: which entries it ends, for which threads, and what it leaves.

import { setTimeout as sleep } from "node:timers/promises";

import { describe, expect, onTestFinished, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { attachCache, type Cache } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches, until } from "./opened.js";
import { copyAsKilled } from "../directory/copied.js";

setUpCaches();

function attach(cache: Cache): Cache {
  const other = attachCache(cache.handle());
  onTestFinished(() => other.close());
  return other;
}

/** The cache that a kill -9 at this moment leaves: a copy of its files, opened again. */
async function openAfterKill(path: string): Promise<Cache> {
  const copy = freshPath();
  await copyAsKilled(path, copy);
  return open(diskAt(copy));
}

describe("deleteByTag", () => {
  test("ends every entry with the tag, for every kind of read, and no other", async () => {
    const cache = await open();
    cache.set("a", 1, { tags: ["red", "round"] });
    cache.set("b", 2, { tags: ["red"], ttl: "1h" });
    cache.set("c", 3, { tags: ["blue"] });
    cache.set("d", 4);
    const others = ["c", "d"];
    // Once from memory and once near.
    for (const key of ["a", "b", ...others, ...others, "a", "b"]) cache.getSync(key);
    expect(cache.deleteByTag("red")).toBeUndefined();
    for (const key of ["a", "b"]) {
      expect([cache.getSync(key), await cache.get(key), cache.has(key)]).toEqual([
        undefined,
        undefined,
        false,
      ]);
      expect(await cache.getEntry(key)).toBeUndefined();
      expect(cache.delete(key)).toBe(false);
    }
    expect([cache.getSync("c"), cache.getSync("d")]).toEqual([3, 4]);
    expect((await cache.getEntry("c"))?.source).toBe("near");
    expect(cache.set("a", 5, { tags: ["red"] })).toBe("stored");
    expect([cache.getSync("a"), cache.getSync("a")]).toEqual([5, 5]);
    cache.deleteByTag(["green", "blue", "round"]);
    expect([cache.getSync("a"), cache.getSync("c"), cache.getSync("d")]).toEqual([5, undefined, 4]);
    expect(cache.stats().tags).toMatchObject({ invalidated: 4, tracked: 4, overflows: 0 });
  });

  test("refuses what is not a tag", async () => {
    const cache = await open();
    expect(() => cache.deleteByTag("")).toThrow(RangeError);
    expect(() => cache.deleteByTag(7 as never)).toThrow(TypeError);
    expect(() => cache.deleteByTag(["a", "\ud800"])).toThrow(/tags\[1\]/);
    expect(() => cache.deleteByTag(undefined as never)).toThrow(/option tag:/);
    cache.deleteByTag([]);
    expect(cache.stats().tags.invalidated).toBe(0);
  });

  test("is seen by every thread at once, near values too", async () => {
    const cache = await open();
    const other = attach(cache);
    for (let turn = 0; turn < 200; turn++) {
      cache.set("a", turn, { tags: ["t"] });
      expect([other.getSync("a"), other.getSync("a")]).toEqual([turn, turn]);
      (turn % 2 === 0 ? cache : other).deleteByTag("t");
      expect([cache.getSync("a"), other.getSync("a")]).toEqual([undefined, undefined]);
    }
  });

  test("keeps tagged values near while no tag is invalidated", async () => {
    const cache = await open();
    cache.set("a", { n: 1 }, { tags: ["t"] });
    const near = cache.getSync("a");
    expect(cache.getSync("a")).toBe(near);
    cache.deleteByTag("another");
    expect(cache.getSync("a")).toEqual(near);
    expect(cache.getSync("a")).toBe(cache.getSync("a"));
    const { hits } = cache.stats();
    expect(hits.near).toBeGreaterThan(2);
    expect(hits.memory).toBe(2);
  });

  test("ends no entry of another tag, however many were invalidated since", async () => {
    const cache = await open({ memory: "1mb" });
    const { capacity } = cache.stats().tags;
    for (let key = 0; key < 500; key++) cache.set(`k${key}`, key, { tags: [`tag:${key}`, "all"] });
    // Without a pause, so that the table is full again and again.
    for (let tag = 0; tag < 20 * capacity; tag++) cache.deleteByTag(`other:${tag}`);
    cache.deleteByTag(Array.from({ length: 100 }, (_, key) => `tag:${key}`));
    const found = Array.from({ length: 500 }, (_, key) => cache.getSync(`k${key}`));
    expect(found.slice(0, 100).filter((value) => value !== undefined)).toEqual([]);
    expect(found.slice(100).filter((value) => value === undefined)).toEqual([]);
    const { tracked, sweeps, overflows } = cache.stats().tags;
    expect(tracked).toBeLessThanOrEqual(capacity);
    expect(sweeps).toBeGreaterThan(10);
    expect(overflows).toBe(0);
    cache.deleteByTag("all");
    expect(cache.getSync("k400")).toBeUndefined();
  });

  test("takes names that share all but a few letters, and very long ones", async () => {
    const cache = await open();
    const long = "n".repeat(400);
    const names = [`${long}a`, `${long}b`, `a${long}`, long, "a", "b", "é", "e\u0301"];
    for (const [key, name] of names.entries()) cache.set(`k${key}`, key, { tags: [name] });
    for (const [key, name] of names.entries()) {
      cache.deleteByTag(name);
      const left = names.map((_, other) => cache.getSync(`k${other}`) !== undefined);
      expect(left).toEqual(names.map((_, other) => other > key));
    }
    // No entry can have such a tag.
    cache.deleteByTag("x".repeat(5000));
  });

  test("when the table is full and nobody sweeps, ends more, and counts it", async () => {
    const cache = await open({ memory: "1mb" });
    cache.set("old", 1, { tags: ["mine"] });
    cache.set("untagged", 2);
    const words = new Int32Array(cache.handle().worker.memory.buffer);
    // A thread that stands still with every lock of the index: no sweep can end.
    const locks = Array.from(
      { length: words[at.controlBucketCount / 4] as number },
      (_, bucket) => ((words[at.controlBucketBase / 4] as number) + bucket * at.bucketSize) / 4,
    );
    for (const lock of locks) words[lock] = 63;
    const { capacity } = cache.stats().tags;
    for (let tag = 0; tag < 3 * capacity; tag++) cache.deleteByTag(`other:${tag}`);
    for (const lock of locks) words[lock] = 0;
    const { overflows, waits } = cache.stats().tags;
    expect(overflows).toBeGreaterThan(0);
    // One that was in vain is not repeated before a sweep has ended.
    expect(waits).toBe(1);
    expect([cache.getSync("old"), cache.getSync("untagged")]).toEqual([undefined, 2]);
    cache.set("new", 3, { tags: ["mine"] });
    await until(() => cache.stats().tags.sweeps > 0);
    expect(cache.getSync("new")).toBe(3);
    cache.deleteByTag("mine");
    expect(cache.getSync("new")).toBeUndefined();
  });
});

describe("what is under way when its tag is invalidated", () => {
  test("a load is answered and not stored; a load without the tag is stored", async () => {
    const cache = await open();
    const other = attach(cache);
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    let begun = 0;
    const slowly = async (value: number): Promise<number> => {
      begun += 1;
      await finished;
      return value;
    };
    const tagged = cache.fetch("a", async () => slowly(1), { tags: ["t"] });
    const plain = cache.fetch("b", async () => slowly(2), { tags: ["u"] });
    await until(() => begun === 2);
    other.deleteByTag("t");
    // A fetch that comes afterwards does not get what was loaded before.
    const later = cache.fetch("a", async () => slowly(3), { tags: ["t"] });
    await until(() => begun === 3);
    finish();
    expect([await tagged, await plain, await later]).toEqual([1, 2, 3]);
    expect([cache.getSync("a"), cache.getSync("b")]).toEqual([3, 2]);
  });

  test("an asynchronous set is not seen", async () => {
    const cache = await open({ memory: "16mb" });
    const big = new Uint8Array(1_000_000).fill(7);
    const setting = cache.setAsync("a", Buffer.from(big), { tags: ["t"] });
    cache.deleteByTag("t");
    await setting;
    expect(cache.getSync("a")).toBeUndefined();
    await cache.setAsync("a", Buffer.from(big), { tags: ["t"] });
    expect(cache.getSync("a")).toHaveLength(big.length);
  });
});

describe("on disk", () => {
  const fill = async (cache: Cache): Promise<void> => {
    for (let key = 0; key < 200; key++) {
      const tags = key % 2 === 0 ? ["even", `k${key}`] : [];
      // If the janitor falls behind, let it catch up.
      while (cache.set(`k${key}`, "v".repeat(2000), { tags }) !== "stored") await sleep(1);
    }
  };
  const countOf = async (cache: Cache): Promise<{ even: number; odd: number }> => {
    const keys = Array.from({ length: 200 }, (_, key) => `k${key}`);
    const found = await cache.getMany(keys);
    const even = keys.filter((key, index) => index % 2 === 0 && found.has(key)).length;
    return { even, odd: found.size - even };
  };

  test("entries only on disk end at once, and stay absent after a reopen", async () => {
    const path = freshPath();
    let cache = await open(diskAt(path));
    await fill(cache);
    await cache.close();
    cache = await open(diskAt(path));
    expect(await countOf(cache)).toEqual({ even: 100, odd: 100 });
    await cache.close();
    cache = await open(diskAt(path));
    cache.deleteByTag("even");
    expect(await countOf(cache)).toEqual({ even: 0, odd: 100 });
    cache.set("k0", "new", { tags: ["even"] });
    await cache.close();
    cache = await open(diskAt(path));
    expect(await countOf(cache)).toEqual({ even: 1, odd: 100 });
    expect(await cache.get("k0")).toBe("new");
  });

  test("no kill brings back invalidated entries, and new entries come back", async () => {
    const path = freshPath();
    const cache = await open(diskAt(path));
    await fill(cache);
    await cache.flush();
    expect(await countOf(await openAfterKill(path))).toEqual({ even: 100, odd: 100 });
    cache.deleteByTag("k4");
    expect(await countOf(await openAfterKill(path))).toEqual({ even: 99, odd: 100 });
    attach(cache).deleteByTag(["even"]);
    expect(await countOf(await openAfterKill(path))).toEqual({ even: 0, odd: 100 });
    await fill(cache);
    await cache.flush();
    expect(await countOf(await openAfterKill(path))).toEqual({ even: 100, odd: 100 });
  });

  const others = (count: number): string[] =>
    Array.from({ length: count }, (_, tag) => `other:${tag}`);

  test("forgotten tags stay invalidated, on disk too, after a close and after a kill", async () => {
    const path = freshPath();
    let cache = await open(diskAt(path));
    await fill(cache);
    await cache.flush();
    // First their copies are on disk and they are in memory too, then they are on disk only.
    for (const keys of [
      ["k4", "k8"],
      ["k12", "k16"],
    ]) {
      cache.deleteByTag(keys);
      cache.deleteByTag(others(1000));
      await until(() => cache.stats().tags.sweeps > 0);
      const left = { even: keys[0] === "k4" ? 98 : 96, odd: 100 };
      expect(await countOf(cache)).toEqual(left);
      expect(await countOf(await openAfterKill(path))).toEqual(left);
      await cache.close();
      cache = await open(diskAt(path));
      expect(await countOf(cache)).toEqual(left);
    }
    // With the same tags as before they are new entries.
    await fill(cache);
    await cache.flush();
    expect(await countOf(await openAfterKill(path))).toEqual({ even: 100, odd: 100 });
    expect(cache.stats().tags.overflows).toBe(0);
  });

  test("a sweep removes what is on disk only, by its tombstones", async () => {
    const path = freshPath();
    let cache = await open(diskAt(path));
    await fill(cache);
    await cache.close();
    cache = await open(diskAt(path));
    const before = cache.stats();
    cache.deleteByTag("even");
    cache.deleteByTag(others(1000));
    await until(() => cache.stats().tags.sweeps > 0);
    const { disk } = cache.stats().since(before);
    expect(disk?.tombstones).toBe(100);
    expect(disk?.entries).toBe((before.disk?.entries ?? 0) - 100);
    expect(await countOf(cache)).toEqual({ even: 0, odd: 100 });
    expect(await countOf(await openAfterKill(path))).toEqual({ even: 0, odd: 100 });
  });

  test("with another memory, and so another table, is as exact", async () => {
    const path = freshPath();
    let cache = await open(diskAt(path));
    await fill(cache);
    cache.deleteByTag(["k4", ...others(400)]);
    for (const memory of ["16mb", "1mb", "4mb"]) {
      await cache.close();
      cache = await open({ ...diskAt(path), memory });
      expect(cache.stats().tags).toMatchObject({ tracked: 401, overflows: 0 });
      expect(await countOf(cache)).toEqual({ even: 99, odd: 100 });
    }
  });

  test("more tags than a smaller table holds: the newest, and a floor, counted", async () => {
    const path = freshPath();
    let cache = await open({ ...diskAt(path, "64mb"), memory: "16mb" });
    await fill(cache);
    await cache.flush();
    cache.deleteByTag(["k4", ...others(3000)]);
    cache.set("late", "v", { tags: ["k4"] });
    expect(cache.stats().tags).toMatchObject({ tracked: 3001, sweeps: 0 });
    await cache.close();
    cache = await open({ ...diskAt(path, "64mb"), memory: "1mb" });
    expect(cache.stats().tags.overflows).toBe(3001 - Math.floor(2051 * 0.75));
    expect(await countOf(cache)).toEqual({ even: 0, odd: 100 });
    expect(await cache.get("late")).toBe("v");
  });

  test("a tag stays invalidated even if a stopped thread holds the lock of its file", async () => {
    const path = freshPath();
    const cache = await open(diskAt(path));
    await fill(cache);
    await cache.flush();
    const words = new Int32Array(cache.handle().worker.memory.buffer);
    words[at.controlTagLock / 4] = at.threadsMax;
    cache.deleteByTag("k4");
    expect(await countOf(cache)).toEqual({ even: 99, odd: 100 });
    // The tag is unknown then, so all tagged entries are dropped.
    expect(await countOf(await openAfterKill(path))).toEqual({ even: 0, odd: 100 });
    words[at.controlTagLock / 4] = 0;
  });
});
