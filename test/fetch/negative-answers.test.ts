// Negative answers as all threads see them. Several caches attached in this one thread count as
// threads: each has its own thread id, near cache and flights.

import { describe, expect, test } from "vitest";
import { attachCache, type Cache, ManualClock } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

function never(): never {
  throw new Error("the loader is not to run");
}

const nothing = (): undefined => undefined;
const remembered = { negativeTtl: "10m", tags: ["t"] };

/** What ends a negative answer of "k" with the tag "t", and what the key has then. */
const ends: [string, (cache: Cache) => unknown, unknown][] = [
  ["a set", (cache) => cache.set("k", 1), 1],
  ["an asynchronous set", (cache) => cache.setAsync("k", 1), 1],
  ["setMany", (cache) => cache.setMany([["k", 1]]), 1],
  ["a set too large", (cache) => cache.set("k", Buffer.alloc(2_000_000)), undefined],
  ["a delete", (cache) => cache.delete("k"), undefined],
  ["a delete of the key's bytes", (cache) => cache.delete(Buffer.from("k")), undefined],
  ["deleteMany", (cache) => cache.deleteMany(["j", "k"]), undefined],
  ["deleteByTag", (cache) => cache.deleteByTag("t"), undefined],
  ["deleteByTag of several", (cache) => cache.deleteByTag(["s", "t"]), undefined],
  ["a clear", (cache) => cache.clear(), undefined],
];

describe.each([["memory"], ["disk"]])("a negative answer (%s)", (tier) => {
  const openOne = (): Promise<Cache> => open(tier === "disk" ? diskAt(freshPath()) : {});

  test("is shared by all threads", async () => {
    const cache = await openOne();
    const other = attachCache(cache.handle());
    expect(await cache.fetch("k", nothing, remembered)).toBeUndefined();
    expect(await other.fetch("k", never)).toBeUndefined();
    expect(await attachCache(cache.handle()).fetch(Buffer.from("k"), never)).toBeUndefined();
    expect(cache.stats()).toMatchObject({ loads: 1, misses: 3, negativesServed: 2 });
  });

  test.each(ends)("is ended by %s in another thread", async (_name, end, expected) => {
    const cache = await openOne();
    const others = [attachCache(cache.handle()), attachCache(cache.handle())] as const;
    await others[0].fetch("k", nothing, remembered);
    expect(await cache.fetch("k", never)).toBeUndefined();
    await end(others[1]);
    for (const one of [cache, ...others]) {
      expect(await one.fetch("k", () => "anew")).toBe(expected ?? "anew");
    }
  });

  test.each(ends)("is not stored if %s supersedes its load", async (_name, end, expected) => {
    const cache = await openOne();
    const other = attachCache(cache.handle());
    let finish = (): void => undefined;
    const load = (): Promise<undefined> =>
      new Promise((resolve) => (finish = () => resolve(undefined)));
    const begun = finish;
    const fetched = cache.fetch("k", load, remembered);
    await until(() => finish !== begun);
    await end(other);
    finish();
    expect(await fetched).toBeUndefined();
    expect(cache.stats().memory.negatives).toBe(0);
    expect(await cache.fetch("k", () => "anew")).toBe(expected ?? "anew");
  });

  test("is ended by no other key and no other tag", async () => {
    const cache = await openOne();
    await cache.fetch("k", nothing, remembered);
    cache.set("j", 1);
    cache.delete("j");
    cache.deleteByTag("s");
    expect(await cache.fetch("k", never)).toBeUndefined();
  });

  test("is no entry to any other call", async () => {
    const cache = await openOne();
    const removed: unknown[] = [];
    cache.on("expire", ({ key }) => removed.push(key));
    cache.on("evict", ({ key }) => removed.push(key));
    await cache.fetch("k", nothing, remembered);
    expect([cache.getSync("k"), await cache.get("k"), cache.has("k")]).toEqual([
      undefined,
      undefined,
      false,
    ]);
    expect(await cache.getEntry("k")).toBeUndefined();
    expect((await cache.getMany(["k"])).size).toBe(0);
    const { memory, sets } = cache.stats();
    expect([memory.entries, memory.negatives, sets.stored]).toEqual([0, 1, 0]);
    expect(memory.bytes).toBeGreaterThan(0);
    expect(cache.delete("k")).toBe(false);
    expect(cache.deleteMany(["k"])).toBe(0);
    expect(cache.stats()).toMatchObject({ deletes: 0, memory: { negatives: 0, bytes: 0 } });
    await cache.fetch("k", nothing, remembered);
    cache.clear();
    expect(cache.stats().memory.negatives).toBe(0);
    expect(removed).toEqual([]);
  });

  test("replaces an older value, and never a newer one", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock, ...(tier === "disk" ? diskAt(freshPath()) : {}) });
    cache.set("k", "old", { ttl: 10, staleFor: "1h" });
    await cache.flush();
    clock.advance(11);
    expect(await cache.fetch("k", nothing, remembered)).toBe("old");
    await until(() => cache.stats().memory.negatives === 1);
    expect(await cache.fetch("k", never)).toBeUndefined();
    expect(cache.stats().memory.entries).toBe(0);
    const forced = { forceRefresh: true, ...remembered };
    cache.set("k", "fresh");
    expect(await cache.fetch("k", nothing, forced)).toBeUndefined();
    expect(cache.getSync("k")).toBeUndefined();
    const late = cache.fetch(
      "k",
      () => new Promise<undefined>((go) => setImmediate(go, undefined)),
      forced,
    );
    await Promise.resolve();
    cache.set("k", "newer");
    await late;
    expect(await cache.fetch("k", never)).toBe("newer");
  });

  test("ends with its time, for every thread", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock, ...(tier === "disk" ? diskAt(freshPath()) : {}) });
    const other = attachCache(cache.handle());
    await cache.fetch("k", nothing, { negativeTtl: 100 });
    clock.advance(99);
    cache.getSync("k"); // the other threads see what this one reads from the injected clock
    expect(await other.fetch("k", never)).toBeUndefined();
    clock.advance(1);
    cache.getSync("k");
    expect(await other.fetch("k", () => "anew")).toBe("anew");
    expect(cache.stats().expirations).toBe(0);
  });
});

describe("negative answers", () => {
  test("are given to followers in other threads, remembered or not", async () => {
    const cache = await open();
    const other = attachCache(cache.handle());
    for (const negativeTtl of [0, 1000]) {
      let finish: (value: undefined) => void = () => undefined;
      const load = (): Promise<undefined> => new Promise((resolve) => (finish = resolve));
      const first = cache.fetch("k", load, { negativeTtl });
      const waits = cache.stats().flights.coalescedAcross;
      const second = other.fetch("k", never);
      await until(() => cache.stats().flights.coalescedAcross === waits + 1);
      finish(undefined);
      expect([await first, await second]).toEqual([undefined, undefined]);
      expect(cache.stats().memory.negatives).toBe(negativeTtl === 0 ? 0 : 1);
    }
  });

  test("replace a value on disk for good", async () => {
    const path = freshPath();
    const cache = await open(diskAt(path));
    cache.set("k", "old");
    await cache.flush();
    await cache.fetch("k", nothing, { forceRefresh: true, ...remembered });
    await cache.close();
    const again = await open(diskAt(path));
    expect(await again.get("k")).toBeUndefined();
    expect(await again.fetch("k", () => "anew")).toBe("anew");
  });

  test("are bounded by the memory, and evicted without a word", async () => {
    const cache = await open({ memory: "1mb" });
    const evicted: unknown[] = [];
    cache.on("evict", ({ key }) => evicted.push(key));
    for (let key = 0; key < 30_000; key++) {
      await cache.fetch(`absent-${key}`, nothing, { negativeTtl: "1h" });
    }
    const { memory, evictions, segments } = cache.stats();
    expect(memory.usedBytes).toBeLessThanOrEqual(memory.limitBytes);
    expect(segments.evicted).toBeGreaterThan(0);
    expect(memory.negatives).toBeGreaterThan(1000);
    expect(memory.negatives).toBeLessThan(29_000);
    expect([memory.entries, evictions.memory, evicted.length]).toEqual([0, 0, 0]);
  });

  test("of a load that others could not see are not remembered", async () => {
    const cache = await open();
    expect(await cache.fetch("k", nothing)).toBeUndefined();
    expect(await cache.fetch("k", () => 1)).toBe(1);
  });

  test("follow the cache's default, which a call overrides", async () => {
    const cache = await open({ negativeTtl: "1h" });
    await cache.fetch("k", nothing);
    expect(await cache.fetch("k", never)).toBeUndefined();
    await cache.fetch("j", nothing, { negativeTtl: 0 });
    expect(await cache.fetch("j", () => 1)).toBe(1);
  });

  test.each([[false], [{ mode: "copy" }], [{ mode: "frozen" }], [{}]] as const)(
    "hide no value kept near before (near: %o)",
    async (near) => {
      const cache = await open({ near });
      const other = attachCache(cache.handle());
      cache.set("k", { a: 1 });
      for (let hit = 0; hit < 20; hit++) expect(cache.getSync("k")).toEqual({ a: 1 });
      await other.fetch("k", nothing, { forceRefresh: true, ...remembered });
      expect(cache.getSync("k")).toBeUndefined();
      expect(await cache.fetch("k", never)).toBeUndefined();
      other.set("k", { a: 2 });
      expect(cache.getSync("k")).toEqual({ a: 2 });
    },
  );

  test("end at close as every call does", async () => {
    const cache = await open();
    await cache.fetch("k", nothing, remembered);
    await cache.close();
    expect((await errorOf(() => cache.fetch("k", never))).code).toBe("ERR_CACHE_CLOSED");
  });
});
