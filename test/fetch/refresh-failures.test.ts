// What becomes of a refresh that fails: an error event, and a back-off that all threads share.
// Caches attached in this one thread count as threads.

import { describe, expect, test } from "vitest";
import {
  attachCache,
  type Cache,
  type CacheEventMap,
  ManualClock,
  UndercroftError,
} from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

type Told = CacheEventMap["error"];

/** A cache whose "k" is stale, a source that is down, and what was told of it. */
async function openStale(tier: "memory" | "disk" = "memory") {
  const clock = new ManualClock();
  const cache = await open({ clock, ...(tier === "disk" ? diskAt(freshPath()) : {}) });
  const told: Told[] = [];
  cache.on("error", (event) => told.push(event));
  cache.set("k", "old", { ttl: 10, staleFor: "1d" });
  clock.advance(11);
  cache.has("k"); // the other threads see what this one reads from the injected clock
  const down = new Error("source is down");
  const source = { loads: 0, isUp: false };
  const load = (): string => {
    source.loads += 1;
    if (!source.isUp) throw down;
    return "new";
  };
  /** Fetches in one cache; resolves when a load that this began has ended. */
  const fetch = async (one: Cache = cache, options = {}): Promise<unknown> => {
    const value = await one.fetch("k", load, options);
    await new Promise((resolve) => setImmediate(resolve));
    return value;
  };
  /** Lets so much time pass for every thread. */
  const pass = (ms: number): void => {
    clock.advance(ms);
    cache.has("k");
  };
  return { cache, told, down, source, fetch, pass };
}

describe("a refresh that fails", () => {
  test("is an error event with code, key and cause, and the next attempts back off", async () => {
    const { cache, told, down, source, fetch, pass } = await openStale();
    let delay = 1000;
    for (let failure = 1; failure <= 9; failure++) {
      expect(await fetch()).toBe("old");
      expect([source.loads, told.length]).toEqual([failure, failure]);
      pass(delay - 1);
      for (let again = 0; again < 3; again++) expect(await fetch()).toBe("old");
      expect(source.loads).toBe(failure);
      pass(1);
      delay = Math.min(60_000, delay * 2);
    }
    const { error, key } = told[0]!;
    expect(error).toBeInstanceOf(UndercroftError);
    expect([error.code, error.cause, key]).toEqual(["ERR_LOADER", down, "k"]);
    expect(error.message).toContain('"k"');
    expect(error.message).toContain("source is down");
    expect(cache.stats()).toMatchObject({ loadErrors: 9, staleServed: 36 });
  });

  test("delays the refreshes of every thread", async () => {
    const { cache, source, fetch, pass } = await openStale();
    const other = attachCache(cache.handle());
    const heard: Told[] = [];
    other.on("error", (event) => heard.push(event));
    expect(await fetch(other)).toBe("old");
    expect([source.loads, heard.length]).toEqual([1, 1]);
    expect(await fetch(cache)).toBe("old");
    expect(source.loads).toBe(1);
    pass(1000);
    expect(await fetch(cache)).toBe("old");
    expect(await fetch(other)).toBe("old");
    expect([source.loads, heard.length]).toEqual([2, 1]);
  });

  test.each<[string, (cache: Cache) => unknown]>([
    ["a set", () => undefined],
    ["a delete and a set", (cache) => cache.delete("k")],
    ["a clear and a set", (cache) => cache.clear()],
  ])("delays nothing after %s", async (_name, end) => {
    const { cache, source, fetch, pass } = await openStale();
    for (const delay of [1000, 2000, 4000]) {
      await fetch();
      pass(delay);
    }
    await fetch();
    end(cache);
    cache.set("k", "next", { ttl: 10, staleFor: "1d" });
    pass(11);
    expect(await fetch()).toBe("next");
    expect(source.loads).toBe(5);
    // It begins with a second anew.
    pass(1000);
    await fetch();
    expect(source.loads).toBe(6);
  });

  test("is forgotten when a load succeeds", async () => {
    const { cache, source, fetch, pass } = await openStale();
    await fetch();
    pass(1000);
    await fetch();
    pass(2000);
    source.isUp = true;
    expect(await fetch(cache, { ttl: 10, staleFor: "1d" })).toBe("old");
    expect(cache.getSync("k")).toBe("new");
    source.isUp = false;
    pass(11);
    expect(await fetch()).toBe("new");
    expect(source.loads).toBe(4);
    pass(1000);
    await fetch();
    expect(source.loads).toBe(5);
  });

  test("delays no load once staleFor has ended, nor a forced one, nor another key", async () => {
    const { cache, source, fetch, pass, down } = await openStale();
    await fetch();
    expect(await errorOf(() => fetch(cache, { forceRefresh: true }))).toBe(down);
    expect(await errorOf(() => cache.fetch("other", () => Promise.reject(down)))).toBe(down);
    expect(source.loads).toBe(2);
    pass(24 * 3_600_000);
    expect(await errorOf(() => fetch())).toBe(down);
    expect(await errorOf(() => fetch())).toBe(down);
    expect(source.loads).toBe(4);
  });

  test("is told too if the stale value was on disk", async () => {
    const { cache, told, source, fetch, pass } = await openStale("disk");
    await cache.flush();
    // Evicts it from memory; the flushed copy stays.
    for (let key = 0; cache.getSync("k") === undefined && key < 40; key++) {
      for (let one = 0; one < 500; one++) cache.set(`fill-${one}`, "x".repeat(2000));
      await cache.flush();
    }
    expect(await fetch()).toBe("old");
    await until(() => told.length === 1);
    for (let again = 0; again < 3; again++) expect(await fetch()).toBe("old");
    expect(await fetch(cache, { timeout: { soft: "1h" } })).toBe("old");
    expect(source.loads).toBe(1);
    pass(1000);
    await fetch();
    await until(() => told.length === 2);
    expect(source.loads).toBe(2);
  });

  test("is told if a caller with a soft timeout gets the stale value for the error", async () => {
    const { cache, told, source, fetch } = await openStale();
    expect(await fetch(cache, { timeout: { soft: "1h" } })).toBe("old");
    await until(() => told.length === 1);
    expect(await fetch(cache, { timeout: { soft: "1h" } })).toBe("old");
    expect(source.loads).toBe(1);
  });

  test("is told if the value cannot be stored", async () => {
    const { cache, told } = await openStale();
    expect(await cache.fetch("k", () => () => 1)).toBe("old");
    await until(() => told.length === 1);
    expect(told[0]!.error.cause).toBeInstanceOf(TypeError);
  });

  test("is told nobody but the caller if that gets the error", async () => {
    const { cache, told, down } = await openStale();
    expect(await errorOf(() => cache.fetch("absent", () => Promise.reject(down)))).toBe(down);
    expect(told).toEqual([]);
  });

  test("is told for a loader that ran past its hard timeout", async () => {
    const { cache, told } = await openStale();
    const hangs = (): Promise<never> => new Promise(() => undefined);
    expect(await cache.fetch("k", hangs, { timeout: 5 })).toBe("old");
    await until(() => told.length === 1);
    expect(told[0]!.error.cause).toMatchObject({ code: "ERR_LOADER_TIMEOUT" });
  });

  test("leaves nothing that counts as an entry", async () => {
    const { cache, fetch } = await openStale();
    await fetch();
    expect(cache.stats()).toMatchObject({ sets: { stored: 1 }, memory: { entries: 1 } });
  });
});
