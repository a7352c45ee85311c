// The first layer of bentocache beyond what its suite asks: under a BentoCache, over prefixes,
// namespaces and threads, with ends of life, refusals, and a disk behind memory.
import { BentoCache, bentostore } from "bentocache";
import type { CreateDriverResult, L1CacheDriver } from "bentocache/types";
import { describe, expect, test, vi } from "vitest";
import { type Cache, ManualClock } from "../../dist/src/mod.js";
import { bentocacheDriver } from "../../dist/src/bentocache/mod.js";
import { diskAt, freshPath, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

type Space = Parameters<typeof bentocacheDriver>[0];

const large = "x".repeat(1_000_000);

/** As bentocache has it, by its own types. */
function driverOf(space: Space, prefix?: string): L1CacheDriver {
  const made: CreateDriverResult<L1CacheDriver> = bentocacheDriver(space);
  return made.factory(prefix === undefined ? {} : { prefix });
}

function bentoOf(space: Space, options: { grace?: string; prefix?: string } = {}) {
  const store = bentostore().useL1Layer(bentocacheDriver(space));
  return new BentoCache({ default: "store", stores: { store }, ...options });
}

test("what is no cache is refused", () => {
  const wrong = null as unknown as Cache;
  expect(() => bentocacheDriver(wrong)).toThrow(/^Cannot make a driver for bentocache: its cache/);
});

describe("a BentoCache", () => {
  test("finds what another one over the cache has loaded", async () => {
    const cache = await open();
    const [one, two] = [bentoOf(cache.namespace("a")), bentoOf(cache.namespace("a"))];
    const value = { at: "once", list: [1, null] };
    expect(await one.getOrSet({ key: "k", factory: () => value })).toEqual(value);
    expect(await two.getOrSet({ key: "k", factory: () => "anew" })).toEqual(value);
    expect(await bentoOf(cache.namespace("b")).get({ key: "k" })).toBeUndefined();
    await one.deleteMany({ keys: ["k", "none"] });
    expect(await two.has({ key: "k" })).toBe(false);
  });

  test("has its tags and namespaces", async () => {
    const bento = bentoOf(await open());
    await bento.set({ key: "a", value: 1, tags: ["t"] });
    await bento.set({ key: "b", value: 2 });
    await bento.namespace("n").set({ key: "a", value: 3 });
    expect(await bento.namespace("n").namespace("m").get({ key: "a" })).toBeUndefined();
    await bento.deleteByTag({ tags: ["t"] });
    expect(await bento.get({ key: "a" })).toBeUndefined();
    expect(await bento.get({ key: "b" })).toBe(2);
    await bento.namespace("n").clear();
    expect(await bento.namespace("n").get({ key: "a" })).toBeUndefined();
    expect(await bento.get({ key: "b" })).toBe(2);
    await bento.clear();
    expect(await bento.get({ key: "b" })).toBeUndefined();
  });

  test("serves what it has expired while it loads, and no longer than its grace", async () => {
    const clock = new ManualClock();
    const bento = bentoOf(await open({ clock }), { grace: "1h" });
    const failing = (): never => {
      throw new Error("no source");
    };
    const load = (): Promise<string> =>
      bento.getOrSet({ key: "k", ttl: "10m", grace: "1h", factory: failing });
    await bento.set({ key: "k", value: "first", ttl: "10m", grace: "1h" });
    await bento.expire({ key: "k" });
    expect(await load()).toBe("first");
    clock.advance(3_600_000);
    await expect(load()).rejects.toThrow(/factory/i);
  });

  test("leaves the cache open when it disconnects", async () => {
    const cache = await open();
    const bento = bentoOf(cache);
    await bento.set({ key: "k", value: 1 });
    await bento.disconnect();
    expect(await bentoOf(cache).get({ key: "k" })).toBe(1);
  });
});

describe("namespaces", () => {
  test("are cleared with the drivers that they are within, and alone", async () => {
    const cache = await open();
    const root = driverOf(cache, "p");
    const [users, other] = [root.namespace("users"), driverOf(cache, "pq")];
    const posts = users.namespace("posts") as L1CacheDriver;
    const set = (): void => {
      for (const driver of [root, users, posts, other]) driver.set("k", "v");
    };
    const left = (): boolean[] =>
      [root, users, posts, other].map((driver) => driver.get("k") !== undefined);
    set();
    posts.clear();
    expect(left()).toEqual([true, true, false, true]);
    set();
    users.clear();
    expect(left()).toEqual([true, false, false, true]);
    set();
    root.clear();
    expect(left()).toEqual([false, false, false, true]);
  });

  test("are those of the cache's namespace alone", async () => {
    const cache = await open();
    const drivers = [cache, cache.namespace("a"), cache.namespace("b")].map((space) =>
      driverOf(space, "p"),
    );
    for (const driver of drivers) driver.set("k", "v");
    drivers[1]?.clear();
    expect(drivers.map((driver) => driver.get("k"))).toEqual(["v", undefined, "v"]);
  });

  test("clear what was set by a longer key from outside", async () => {
    const root = driverOf(await open(), "p");
    const posts = root.namespace("users").namespace("posts");
    root.set("users:posts:k", "v");
    expect(posts.get("k")).toBe("v");
    posts.clear();
    expect(root.get("users:posts:k")).toBeUndefined();
    root.set("users:k:posts", "v");
    posts.clear();
    expect(root.get("users:k:posts")).toBe("v");
    root.namespace("users").clear();
    expect(root.get("users:k:posts")).toBeUndefined();
  });

  test("are refused at a depth that an entry has no tags for", async () => {
    let driver: Pick<L1CacheDriver, "namespace" | "set" | "get"> = driverOf(await open(), "p");
    for (let depth = 2; depth <= 16; depth++) driver = driver.namespace("n");
    expect(driver.set("k", "v")).toBe(true);
    expect(driver.get("k")).toBe("v");
    expect(() => driver.namespace("n")).toThrow(/^Cannot make namespace "n": .* depth 17; .* 16,/);
  });
});

describe("an entry", () => {
  test("lives for its ttl, and says what is left", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2020, 0, 1) });
    try {
      const clock = new ManualClock();
      const driver = driverOf(await open({ clock }));
      driver.set("k", "a:b", 1000);
      driver.set("forever", "v");
      driver.set("infinite", "v", Infinity);
      expect(driver.get("k")).toBe("a:b");
      expect(driver.getRemainingTtl("k")).toBe(1000);
      vi.setSystemTime(Date.now() + 400);
      clock.advance(400);
      expect(driver.getRemainingTtl("k")).toBe(600);
      for (const key of ["forever", "infinite", "none"]) {
        expect(driver.getRemainingTtl(key)).toBeUndefined();
      }
      clock.advance(600);
      expect([driver.get("k"), driver.get("forever")]).toEqual([undefined, "v"]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("whose time is over leaves nothing older", async () => {
    const driver = driverOf(await open());
    for (const ttl of [0, -1]) {
      driver.set("k", "older");
      expect(driver.set("k", "v", ttl)).toBe(true);
      expect(driver.get("k")).toBeUndefined();
    }
  });

  test("that is refused is a miss, and counted", async () => {
    const cache = await open();
    const driver = driverOf(cache);
    driver.set("k", "older");
    const before = cache.stats();
    expect(driver.set("k", large)).toBe(false);
    expect(driver.get("k")).toBeUndefined();
    expect(cache.stats().since(before).sets.tooLarge).toBe(1);
  });

  test("that is on disk only is gone once it was asked for", async () => {
    const options = diskAt(freshPath());
    const first = await open(options);
    driverOf(first).set("k", "v");
    await first.close();
    const cache = await open(options);
    expect(cache.has("k")).toBe(true);
    const driver = driverOf(cache);
    expect(driver.getRemainingTtl("k")).toBeUndefined();
    expect(driver.get("k")).toBeUndefined();
    await until(() => !cache.has("k"));
    expect(await cache.get("k")).toBeUndefined();
  });
});
