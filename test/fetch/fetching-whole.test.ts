// `fetch` on a whole cache, memory and disk: what the tests of ReadThrough cannot show with parts
// that are Maps.

import { describe, expect, test } from "vitest";
import { attachCache, type Cache, ManualClock } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

/** A load that ends when told to. */
class Load {
  isBegun = false;
  signal: AbortSignal | undefined;
  finish: (value: unknown) => void = () => {};
  fail: (error: Error) => void = () => {};
  readonly loader = ({ signal }: { readonly signal: AbortSignal }): Promise<unknown> => {
    this.isBegun = true;
    this.signal = signal;
    return new Promise((resolve, reject) => {
      this.finish = resolve;
      this.fail = reject;
    });
  };

  async begin(cache: Cache, key = "k"): Promise<{ readonly fetched: Promise<unknown> }> {
    const fetched = cache.fetch(key, this.loader);
    await until(() => this.isBegun);
    return { fetched };
  }
}

describe.each([["memory"], ["disk"]])("a load that is superseded (%s)", (tier) => {
  const openOne = (): Promise<Cache> =>
    open({ name: "whole", ...(tier === "disk" ? diskAt(freshPath()) : {}) });

  test.each<[string, (cache: Cache) => unknown, unknown]>([
    ["a set", (cache) => cache.set("k", "newer"), "newer"],
    ["a set of bytes for the key", (cache) => cache.set(Buffer.from("k"), "newer"), "newer"],
    ["a delete", (cache) => cache.delete("k"), undefined],
    ["a set and a delete", (cache) => [cache.set("k", 1), cache.delete("k")], undefined],
    ["a clear", (cache) => cache.clear(), undefined],
    ["an asynchronous set", (cache) => cache.setAsync("k", "newer"), "newer"],
    ["a set too large", (cache) => cache.set("k", Buffer.alloc(2_000_000)), undefined],
    ["another thread's set", (cache) => attachCache(cache.handle()).set("k", "newer"), "newer"],
    ["another thread's delete", (cache) => attachCache(cache.handle()).delete("k"), undefined],
    ["another thread's clear", (cache) => attachCache(cache.handle()).clear(), undefined],
  ])("by %s is given to who waited, and not stored", async (_name, write, expected) => {
    const cache = await openOne();
    const load = new Load();
    const { fetched } = await load.begin(cache);
    await write(cache);
    load.finish("older");
    expect(await fetched).toBe("older");
    expect(cache.getSync("k")).toBe(expected);
    expect(await cache.get("k")).toBe(expected);
    expect(cache.stats().fillsSuperseded).toBe(1);
  });

  test("is not superseded by writes of other keys", async () => {
    const cache = await openOne();
    const load = new Load();
    const { fetched } = await load.begin(cache);
    for (let key = 0; key < 1000; key++) cache.set(`other-${key}`, key);
    cache.delete("other-5");
    load.finish("loaded");
    expect(await fetched).toBe("loaded");
    expect(cache.getSync("k")).toBe("loaded");
    expect(cache.stats().fillsSuperseded).toBe(0);
  });

  test("is not joined by a fetch after the write", async () => {
    const cache = await openOne();
    const load = new Load();
    const { fetched } = await load.begin(cache);
    cache.delete("k");
    expect(await cache.fetch("k", () => "after")).toBe("after");
    load.finish("before");
    expect(await fetched).toBe("before");
    expect(cache.getSync("k")).toBe("after");
  });

  test("thousands of loads at once each fill their own key", async () => {
    const cache = await open({ memory: "8mb", ...(tier === "disk" ? diskAt(freshPath()) : {}) });
    const keys = Array.from({ length: 3000 }, (_, key) => `k${key}`);
    const loaded = await Promise.all(keys.map((key) => cache.fetch(key, () => `v-${key}`)));
    expect(loaded).toEqual(keys.map((key) => `v-${key}`));
    const { loads, fillsRefused, sets } = cache.stats();
    expect(loads).toBe(3000);
    expect(sets.stored + fillsRefused).toBe(3000);
    for (const key of keys) expect([undefined, `v-${key}`]).toContain(cache.getSync(key));
    // Every entry of the flight table was given back.
    for (const key of keys) cache.delete(key);
    await cache.fetch("last", () => 1);
    expect(cache.getSync("last")).toBe(1);
  });
});

describe("a load", () => {
  test("fills with its options", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock, ttl: "1h" });
    await cache.fetch("k", () => 1, { ttl: "5m", staleFor: "1m", tags: ["a", "b", "a"] });
    expect(await cache.getEntry("k")).toMatchObject({
      expiresAt: clock.now() + 300_000,
      staleUntil: clock.now() + 360_000,
      tags: ["a", "b"],
    });
  });

  test("is aborted at its hard timeout with a coded error", async () => {
    const cache = await open();
    const load = new Load();
    const error = await errorOf(() => cache.fetch("k", load.loader, { timeout: "20ms" }));
    expect(error.code).toBe("ERR_LOADER_TIMEOUT");
    expect(load.signal?.aborted).toBe(true);
    load.finish("late");
    await new Promise((resolve) => setImmediate(resolve));
    expect(cache.getSync("k")).toBe(undefined);
  });

  test("goes on for the others when one of the waiters leaves", async () => {
    const cache = await open();
    const load = new Load();
    const leaver = new AbortController();
    const left = errorOf(() => cache.fetch("k", load.loader, { signal: leaver.signal }));
    await until(() => load.isBegun);
    const stays = cache.fetch("k", () => "not run");
    const reason = new Error("enough");
    leaver.abort(reason);
    expect(await left).toBe(reason);
    expect(load.signal?.aborted).toBe(false);
    load.finish("loaded");
    expect(await stays).toBe("loaded");
    expect(cache.getSync("k")).toBe("loaded");
  });

  test("of a key on disk does not run, even when many ask at once", async () => {
    const path = freshPath();
    const first = await open(diskAt(path));
    first.set("k", { a: 1 });
    await first.close();
    const cache = await open(diskAt(path));
    const never = (): never => {
      throw new Error("the loader is not to run");
    };
    const all = await Promise.all(Array.from({ length: 20 }, () => cache.fetch("k", never)));
    expect(all).toEqual(Array.from({ length: 20 }, () => ({ a: 1 })));
  });

  test("of undefined is remembered for negativeTtl, until a set", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock });
    let loads = 0;
    const load = (): Promise<unknown> =>
      cache.fetch(
        "k",
        () => {
          loads++;
          return undefined;
        },
        { negativeTtl: "1s" },
      );
    expect([await load(), await load(), loads]).toEqual([undefined, undefined, 1]);
    clock.advance(1000);
    await load();
    expect(loads).toBe(2);
    cache.set("k", null);
    expect(await load()).toBe(null);
    cache.delete("k");
    await load();
    expect(loads).toBe(3);
    expect(cache.has("k")).toBe(false);
  });

  test("of a value that cannot be stored rejects with a TypeError and ends cleanly", async () => {
    const cache = await open();
    expect(await errorOf(() => cache.fetch("k", () => () => 1))).toBeInstanceOf(TypeError);
    expect(await cache.fetch("k", () => 1)).toBe(1);
    for (const loader of [undefined, null, 5, {}]) {
      const error = await errorOf(() => cache.fetch("k2", loader as never));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain("it must be a function");
    }
  });
});

describe("get() with a signal", () => {
  test("ends the wait alone", async () => {
    const path = freshPath();
    const first = await open(diskAt(path));
    first.set("k", 1);
    await first.close();
    const cache = await open(diskAt(path));
    const reason = new Error("enough");
    const leaver = new AbortController();
    const left = errorOf(() => cache.get("k", { signal: leaver.signal }));
    const stays = cache.get("k");
    leaver.abort(reason);
    expect(await left).toBe(reason);
    expect(await stays).toBe(1);
    expect(await errorOf(() => cache.get("k", { signal: leaver.signal }))).toBe(reason);
    expect(await cache.get("k", { signal: new AbortController().signal })).toBe(1);
    expect(await cache.get("k", {})).toBe(1);
  });
});

describe("wrap()", () => {
  test("caches by key and passes the arguments on", async () => {
    const cache = await open();
    let calls = 0;
    const add = cache.wrap(
      (a: number, b: number) => {
        calls++;
        return Promise.resolve(a + b);
      },
      { key: (a, b) => `${a}+${b}`, ttl: "1h" },
    );
    expect([await add(1, 2), await add(1, 2), await add(2, 2), calls]).toEqual([3, 3, 4, 2]);
    expect(cache.getSync("1+2")).toBe(3);
    expect((await cache.getEntry("1+2"))!.expiresAt).toBeLessThan(Infinity);
  });

  test("refuses what it cannot wrap at once", async () => {
    const cache = await open();
    const wrong: [unknown, unknown][] = [
      [undefined, { key: () => "k" }],
      [() => 1, {}],
      [() => 1, { key: "k" }],
      [() => 1, undefined],
      [() => 1, null],
    ];
    for (const [fn, options] of wrong) {
      expect(() => cache.wrap(fn as never, options as never)).toThrow(TypeError);
    }
    const bad = new Error("no key");
    const wrapped = cache.wrap(() => 1, {
      key: () => {
        throw bad;
      },
    });
    expect(await errorOf(() => wrapped())).toBe(bad);
  });
});
