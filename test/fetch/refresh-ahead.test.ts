// `refreshAfter` and `jitter`: fresh values loaded before they expire, and expiry that is spread.
import { describe, expect, test } from "vitest";
import { attachCache, type CacheEventMap, entry, ManualClock } from "../../dist/src/mod.js";
import { counterLoads, counterMemoryHits, counterMisses } from "../../dist/src/stats/mod.js";
import { diskAt, freshPath, open, setUpCaches, until } from "../cache/opened.js";
import { expectIdle, fetch, never, setUpFetching, Source, store, turn } from "./fetching.js";
import { Loads } from "./loads.js";

setUpCaches();
setUpFetching();

const ahead = { refreshAfterMs: 100 };

describe("a fresh value older than refreshAfter", () => {
  test("is returned at once, a hit, and loaded in the background once", async () => {
    store.set("k", "old", { ttl: 1000 });
    store.clock.advance(99);
    expect(await fetch("k", never, ahead)).toBe("old");
    store.clock.advance(1);
    const source = new Source();
    expect(await fetch("k", source.load, ahead)).toBe("old");
    expect(await fetch("k", source.load, ahead)).toBe("old");
    expect(source.calls.map(({ stale }) => stale)).toEqual(["old"]);
    source.resolve("new");
    await turn();
    expect(await fetch("k", never, ahead)).toBe("new");
    expect(store.counted(counterMemoryHits)).toBe(4);
    expect(store.counted(counterMisses)).toBe(0);
    expectIdle();
  });

  test("is not loaded if another thread has just stored one", async () => {
    store.set("k", "old");
    store.clock.advance(100);
    store.flights.beforeEnter = () => store.set("k", "theirs");
    expect(await fetch("k", never, ahead)).toBe("old");
    await turn();
    expect(store.valueOf("k")).toBe("theirs");
    expect(store.counted(counterLoads)).toBe(0);
    expectIdle();
  });

  test("on disk is returned at once too", async () => {
    store.setOnDisk("k", "old");
    store.clock.advance(100);
    const source = new Source();
    expect(await fetch("k", source.load, ahead)).toBe("old");
    await turn();
    expect(source.calls.map(({ stale }) => stale)).toEqual(["old"]);
    source.resolve("new");
    await turn();
    expect(store.valueOf("k")).toBe("new");
    expectIdle();
  });

  test("that isValid refuses is waited for, and loaded once", async () => {
    store.set("k", "old");
    store.clock.advance(100);
    const source = new Source();
    expect(await fetch("k", source.load, ahead)).toBe("old");
    const strict = fetch("k", source.load, { ...ahead, isValid: (value) => value !== "old" });
    source.resolve("new");
    expect(await strict).toBe("new");
    expect(source.calls).toHaveLength(1);
    expectIdle();
  });

  test("backs off after a failure, which is told, until it is set", async () => {
    const clock = new ManualClock();
    const told: CacheEventMap["error"][] = [];
    const on = { error: (event: CacheEventMap["error"]) => void told.push(event) };
    const cache = await open({ clock, ttl: "1h", refreshAfter: "1m", on });
    const other = attachCache(cache.handle());
    cache.set("k", "old");
    const pass = (ms: number): void => {
      clock.advance(ms);
      cache.has("k"); // the other thread sees what this one reads from the injected clock
    };
    let loads = 0;
    const down = new Error("source is down");
    const load = (): never => {
      loads += 1;
      throw down;
    };
    const fetchIn = async (one: typeof cache): Promise<unknown> => {
      const value = await one.fetch("k", load);
      await turn();
      return value;
    };
    pass(60_000);
    let delay = 1000;
    for (let failure = 1; failure <= 8; failure++) {
      expect(await fetchIn(cache)).toBe("old");
      expect([loads, told.length]).toEqual([failure, failure]);
      expect(told.at(-1)).toMatchObject({ key: "k", error: { code: "ERR_LOADER", cause: down } });
      pass(delay - 1);
      expect(await fetchIn(cache)).toBe("old");
      expect(await fetchIn(other)).toBe("old");
      expect(loads).toBe(failure);
      pass(1);
      delay = Math.min(60_000, delay * 2);
    }
    const { hits, misses, invalid } = cache.stats();
    expect([hits.total, misses, invalid]).toEqual([24, 0, 0]);
    cache.set("k", "set");
    expect(await fetchIn(cache)).toBe("set");
    expect(loads).toBe(8);
  });

  test("is not held back by a load that failed for another reason", async () => {
    store.set("k", "old");
    store.clock.advance(100);
    const source = new Source();
    const strict = fetch("k", source.load, { isValid: () => false });
    await turn();
    source.reject(new Error("down"));
    await expect(strict).rejects.toThrow("down");
    expect(await fetch("k", source.load, ahead)).toBe("old");
    expect(source.calls).toHaveLength(2);
    source.resolve("new");
    await turn();
    expectIdle();
  });

  test("is loaded by one of all threads", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock });
    const caches = [cache, attachCache(cache.handle()), attachCache(cache.handle())];
    cache.set("k", "old", { tags: ["t"] });
    clock.advance(100);
    cache.has("k");
    const loads = new Loads();
    for (const one of caches) {
      expect(await one.fetch("k", loads.loader, { refreshAfter: 100 })).toBe("old");
    }
    expect(loads.count).toBe(1);
    loads.finish("new");
    await until(() => caches.every((one) => one.getSync("k") === "new"));
    for (const one of caches) {
      expect(await one.fetch("k", loads.loader, { refreshAfter: 100 })).toBe("new");
    }
    expect(loads.count).toBe(1);
  });

  test("from a disk is refreshed after a restart", async () => {
    const clock = new ManualClock();
    const path = freshPath();
    const first = await open({ clock, ...diskAt(path) });
    first.set("k", "old");
    await first.close();
    clock.advance(5000);
    const cache = await open({ clock, ...diskAt(path), refreshAfter: 5000 });
    expect(await cache.fetch("k", () => "new")).toBe("old");
    await until(() => cache.getSync("k") === "new");
    expect(cache.stats().hits.disk).toBe(1);
  });
});

describe("jitter", () => {
  test("spreads the ttl of what loads store, within its bounds, and nothing else", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock, ttl: 10_000, jitter: 0.1 });
    const now = clock.now();
    const lives: number[] = [];
    for (let key = 0; key < 300; key++) {
      await cache.fetch(`k${key}`, () => key);
      lives.push((await cache.getEntry(`k${key}`))!.expiresAt - now);
    }
    expect(Math.min(...lives)).toBeGreaterThanOrEqual(9000);
    expect(Math.max(...lives)).toBeLessThanOrEqual(11_000);
    // The chance that 300 even draws leave out a fifth of the range is 1e-29.
    expect(Math.min(...lives)).toBeLessThan(9400);
    expect(Math.max(...lives)).toBeGreaterThan(10_600);
    cache.set("set", 1);
    await cache.fetch("own", () => entry(1, { ttl: 5000 }));
    await cache.fetch("exact", () => 1, { jitter: 0 });
    await cache.fetch("ever", () => 1, { ttl: Infinity });
    const lifeOf = async (key: string) => (await cache.getEntry(key))!.expiresAt - now;
    expect(await Promise.all(["set", "own", "exact", "ever"].map(lifeOf))).toEqual([
      10_000,
      5000,
      10_000,
      Infinity,
    ]);
  });
});
