// `getOrFetch`: the value itself if it is in memory, else a promise.
import { describe, expect, expectTypeOf, test } from "vitest";
import { ManualClock } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "../cache/opened.js";
import { never } from "./loads.js";

setUpCaches();

describe("getOrFetch", () => {
  test("gives a value in memory itself, near or not, and counts each call once", async () => {
    for (const near of [false, {}] as const) {
      const cache = await open({ near });
      const loading = cache.getOrFetch("k", async () => "v");
      expect(loading).toBeInstanceOf(Promise);
      expect(await loading).toBe("v");
      expect(cache.getOrFetch("k", never)).toBe("v");
      expect(cache.getOrFetch("k", never)).toBe("v");
      cache.set("null", null);
      expect(cache.getOrFetch("null", never)).toBe(null);
      const { requests, hits, misses, loads } = cache.stats();
      expect([requests, hits.total, misses, loads]).toEqual([4, 3, 1, 1]);
      await cache.close();
    }
  });

  test("gives a promise of what is on disk, or known to be absent, counted once", async () => {
    const path = freshPath();
    const before = await open(diskAt(path));
    before.set("k", "v");
    await before.close();
    const cache = await open({ ...diskAt(path), negativeTtl: "1m" });
    const read = cache.getOrFetch("k", never);
    expect(read).toBeInstanceOf(Promise);
    expect(await read).toBe("v");
    expect(await cache.getOrFetch("none", () => undefined)).toBeUndefined();
    const known = cache.getOrFetch("none", never);
    expect(known).toBeInstanceOf(Promise);
    expect(await known).toBeUndefined();
    const { requests, hits, misses, negativesServed } = cache.stats();
    expect([requests, hits.disk, misses, negativesServed]).toEqual([3, 1, 2, 1]);
  });

  test("asks isValid, refreshes ahead, and serves stale values", async () => {
    const clock = new ManualClock();
    const cache = await open<string>({ clock, ttl: 1000, staleFor: 1000, refreshAfter: 500 });
    cache.set("k", "old");
    clock.advance(500);
    expect(cache.getOrFetch("k", () => "ahead")).toBe("old");
    await until(() => cache.getSync("k") === "ahead");
    const loading = cache.getOrFetch("k", () => "loaded", { isValid: (text) => text !== "ahead" });
    expect(loading).toBeInstanceOf(Promise);
    expect(await loading).toBe("loaded");
    expect(cache.getOrFetch("k", never, { isValid: (text) => text !== "ahead" })).toBe("loaded");
    clock.advance(1500);
    expect(cache.getOrFetch("k", () => "refreshed")).toBe("loaded");
    await until(() => cache.getSync("k") === "refreshed");
    expect(await cache.getOrFetch("k", () => "forced", { forceRefresh: true })).toBe("forced");
    expect(cache.stats().invalid).toBe(1);
  });

  test("rejects with what is wrong, and never throws", async () => {
    const cache = await open();
    cache.set("k", 1);
    const wrong: [() => unknown, string | RegExp][] = [
      [() => cache.getOrFetch("k", undefined as never), "the loader is undefined"],
      [() => cache.getOrFetch(5 as never, never), "5"],
      [() => cache.getOrFetch(5 as never, never, { forceRefresh: true }), "5"],
      [() => cache.getOrFetch("k", never, { ttl: 0 }), "option ttl"],
      [
        () =>
          cache.getOrFetch("k", never, {
            isValid: () => {
              throw new Error("no hash");
            },
          }),
        "no hash",
      ],
      [
        () => cache.getOrFetch("k", never, { signal: AbortSignal.abort(new Error("over")) }),
        "over",
      ],
    ];
    for (const [call, text] of wrong) {
      const answer = call();
      expect(answer).toBeInstanceOf(Promise);
      expect((await errorOf(() => answer)).message).toContain(text);
    }
    await cache.close();
    await expect(cache.getOrFetch("k", never)).rejects.toMatchObject({ code: "ERR_CACHE_CLOSED" });
  });

  test("has the types of fetch", async () => {
    const cache = await open();
    const number = cache.getOrFetch("n", async () => 5);
    expectTypeOf(number).toEqualTypeOf<number | Promise<number>>();
    expect(await number).toBe(5);
  });
});
