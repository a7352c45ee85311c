// Values in chunks are found under their own key, wherever their chunks are.

import { describe, expect, test } from "vitest";
import { codes, Kernel } from "../../dist/src/kernel/mod.js";
import { chunkKey, largeValueOf } from "../../dist/src/memory/mod.js";
import { attachCache, type Cache, ManualClock } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches } from "../cache/opened.js";
import { OpenedStore } from "../memory/opened-store.js";

setUpCaches();
const large = Buffer.alloc(300_000, 7);

/** Leaves the second chunk of the value of "k" on disk only. */
async function demoteChunk(cache: Cache): Promise<void> {
  await cache.flush();
  const { module, memory } = cache.handle().worker;
  const store = new OpenedStore(Kernel.attach(module, memory));
  expect(store.reader.find("k", false)).toBe("memory");
  const head = largeValueOf(store.record);
  expect(store.reader.find(chunkKey(head, 1), false)).toBe("memory");
  expect(store.kernel.verbs.demote(store.kernel.results.record)).toBe(codes.answerDone);
  expect(store.reader.find(chunkKey(head, 1), false)).toBe("disk");
  store.kernel.detach();
}

test.each(["get", "getEntry", "fetch"] as const)(
  "%s gives a value with a chunk that is on disk only",
  async (method) => {
    const cache = await open<Buffer>({ memory: "4mb", near: false, ...diskAt(freshPath()) });
    cache.set("k", large);
    await demoteChunk(cache);
    expect(cache.getSync("k")).toBeUndefined();
    const value =
      method === "fetch"
        ? await cache.fetch("k", () => Buffer.of(1))
        : method === "get"
          ? await cache.get("k")
          : (await cache.getEntry("k"))?.value;
    expect(value?.length).toBe(large.length);
  },
);

test.each([{}, { timeout: { soft: "1m" } }])(
  "fetch loads an expired value in chunks under its own key, with %j",
  async (options) => {
    const clock = new ManualClock();
    const cache = await open<Buffer>({ memory: "4mb", clock });
    cache.set("k", large, { ttl: 10, staleFor: "1h" });
    clock.advance(11);
    const keys: unknown[] = [];
    await cache.fetch(
      "k",
      ({ key }) => {
        keys.push(key);
        return Buffer.of(1);
      },
      options,
    );
    await new Promise(setImmediate);
    expect(keys).toEqual(["k"]);
    expect(cache.getSync("k")).toEqual(Buffer.of(1));
  },
);

/** Takes the second chunk of the value of "k" away, as a full index may. */
function loseChunk(cache: Cache): void {
  const { module, memory } = cache.handle().worker;
  const store = new OpenedStore(Kernel.attach(module, memory));
  expect(store.reader.find("k", false)).toBe("memory");
  const head = largeValueOf(store.record);
  store.writer.remove(chunkKey(head, 1));
  store.kernel.detach();
}

test.each(["getSync", "get", "getEntry"] as const)(
  "%s of a value that has lost a chunk is a miss, and drops what is left of it",
  async (method) => {
    const cache = await open<Buffer>({ memory: "4mb", near: false });
    cache.set("k", large);
    loseChunk(cache);
    expect(await cache[method]("k")).toBeUndefined();
    const { chunksMissing, memory, misses } = cache.stats();
    expect([chunksMissing, memory.entries, memory.bytes, misses]).toEqual([1, 0, 0, 1]);
    expect(cache.has("k")).toBe(false);
    expect(await cache[method]("k")).toBeUndefined();
    expect(cache.stats().chunksMissing).toBe(1);
  },
);

test("on disk it is dropped as well", async () => {
  const cache = await open<Buffer>({ memory: "4mb", near: false, ...diskAt(freshPath()) });
  cache.set("k", large);
  await cache.flush();
  const { module, memory } = cache.handle().worker;
  const store = new OpenedStore(Kernel.attach(module, memory));
  expect(store.reader.find("k", false)).toBe("memory");
  const head = largeValueOf(store.record);
  const { verbs, results } = store.kernel;
  for (let number = 1; number < head.chunks; number++) {
    store.reader.find(chunkKey(head, number), false);
    expect(verbs.demote(results.record)).toBe(codes.answerDone);
  }
  store.reader.find("k", false);
  expect(verbs.demote(results.record)).toBe(codes.answerDone);
  expect(await cache.get("k")).toEqual(large);
  verbs.setValue(head.hashLow, head.hashHigh, head.idLow, head.idHigh, 0);
  expect(verbs.dropChunk(3, 1)).toBe(codes.answerDone);
  store.kernel.tombstones.drop();
  store.kernel.detach();
  expect(await cache.get("k")).toBeUndefined();
  const { chunksMissing, disk, memory: gauges } = cache.stats();
  expect([chunksMissing, disk?.entries, gauges.entries, gauges.bytes]).toEqual([1, 0, 0, 0]);
});

test("fetch loads a value of which a chunk is gone under its own key", async () => {
  const cache = await open<Buffer>({ memory: "4mb", near: false });
  cache.set("k", large);
  loseChunk(cache);
  const keys: unknown[] = [];
  expect(
    await cache.fetch("k", ({ key }) => {
      keys.push(key);
      return Buffer.of(1);
    }),
  ).toEqual(Buffer.of(1));
  expect(keys).toEqual(["k"]);
  expect(cache.getSync("k")).toEqual(Buffer.of(1));
});

describe("a value in chunks that is replaced while it is read", () => {
  const first = Buffer.alloc(300_000, 1);
  const second = Buffer.alloc(300_000, 2);

  /** Stores `first`, for a minute and with the tag "first". `second` replaces it for ever, with the
   *  tag "second", between the look at its head and that at its chunks: the clock is asked there.
   *  `readings` of the clock come before. */
  async function replacedMidway(
    readings: number,
    staleFor: number,
  ): Promise<{ readonly cache: Cache<Buffer>; readonly begin: () => void }> {
    let left = -1;
    let nowMs = Date.UTC(2025, 0, 1);
    const clock = {
      now: (): number => {
        if (left-- === 0) other.set("k", second, { tags: ["second"] });
        return nowMs;
      },
    };
    const cache = await open<Buffer>({ memory: "4mb", near: false, clock });
    const other = attachCache<Buffer>(cache.handle());
    cache.set("k", first, { ttl: "1m", staleFor, tags: ["first"] });
    const begin = (): void => {
      if (staleFor > 0) nowMs += 60_000;
      left = readings;
    };
    return { cache, begin };
  }

  test("getEntry gives the new one with its own metadata", async () => {
    const { cache, begin } = await replacedMidway(0, 0);
    begin();
    const { value, tags, expiresAt, source } = (await cache.getEntry("k"))!;
    expect([value[0], tags, expiresAt, source]).toEqual([2, ["second"], Infinity, "memory"]);
    expect(cache.stats().hits.memory).toBe(1);
  });

  test("isValid is asked about the new one with its own metadata", async () => {
    const { cache, begin } = await replacedMidway(0, 0);
    const asked: unknown[] = [];
    begin();
    await cache.fetch("k", () => Buffer.of(3), {
      isValid: (value, { tags, expiresAt }) => asked.push([value[0], tags, expiresAt]) > 0,
    });
    expect(asked).toEqual([[2, ["second"], Infinity]]);
    expect(cache.stats().hits.memory).toBe(1);
  });

  test("fetch gives the new one, and takes it for no stale one", async () => {
    const { cache, begin } = await replacedMidway(1, 60_000);
    begin();
    const loaded = await cache.fetch("k", () => Buffer.of(3));
    await new Promise(setImmediate);
    const { staleServed, loads } = cache.stats();
    expect([loaded![0], staleServed, loads]).toEqual([2, 0, 0]);
    expect(cache.getSync("k")![0]).toBe(2);
  });
});
