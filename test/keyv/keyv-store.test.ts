// The store for keyv beyond what keyv's suites ask: both versions' terms, namespaces over stores,
// threads, restarts and outer tiers, and what the cache refuses.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import Keyv, { type KeyvOptions } from "keyv";
import { describe, expect, test, vi } from "vitest";
import { type Cache, ManualClock } from "../../dist/src/mod.js";
import { keyvStore } from "../../dist/src/keyv/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches } from "../cache/opened.js";
import { MapTier } from "../outer-tiers/map-tier.js";

setUpCaches();

type Store = ReturnType<typeof keyvStore>;

/** Values as they are. */
const bare = { serialize: undefined, deserialize: undefined } as unknown as KeyvOptions;
const large = "x".repeat(1_000_000);
/** Longer than any span that a test adds to the time. */
const year = 365 * 86_400_000;

/** A store as keyv 6 has it: it asks for this before all else. */
function storeOf6(space: Parameters<typeof keyvStore>[0], namespace?: string): Store {
  const store = keyvStore(space);
  expect(store.capabilities.expires).toBe(true);
  store.namespace = namespace;
  return store;
}

function keyvOf(cache: Cache, namespace = ""): Keyv {
  return new Keyv({ store: keyvStore(cache), namespace });
}

async function pairsOf(store: Store): Promise<[string, unknown][]> {
  const pairs: [string, unknown][] = [];
  for await (const pair of store.iterator()) pairs.push(pair);
  return pairs.toSorted(([left], [right]) => (left < right ? -1 : 1));
}

test("what is no cache is refused", () => {
  const wrong = {} as unknown as Cache;
  expect(() => keyvStore(wrong)).toThrow(
    /^Cannot make a store for keyv: its cache is an object; it must be/,
  );
  expect(() => keyvStore(undefined as unknown as Cache)).toThrow(TypeError);
});

test("a cache of any type of values is taken", async () => {
  const cache = await open<string>();
  const spaces = [cache, cache.namespace<string>("a"), cache.namespace<number>("b")];
  const stores = [keyvStore(cache), keyvStore(cache.namespace<string>("a"))];
  expect([...stores, ...spaces.map((space) => keyvStore(space))]).toHaveLength(5);
});

describe("ends of life", () => {
  test("of keyv 5 are durations", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock });
    const keyv = new Keyv({ store: keyvStore(cache), namespace: "" });
    // A duration that would be a time of the past.
    await keyv.set("long", 1, 50 * year);
    await keyv.set("short", 2, 1000);
    await keyv.setMany([{ key: "also", value: 3, ttl: 1000 }]);
    const has = (): Promise<boolean[]> => keyv.hasMany(["long", "short", "also"]);
    expect(await has()).toEqual([true, true, true]);
    clock.advance(999);
    expect(await has()).toEqual([true, true, true]);
    clock.advance(1);
    expect(await has()).toEqual([true, false, false]);
  });

  test("of keyv 6 are times", async () => {
    const clock = new ManualClock();
    const store = storeOf6(await open({ clock }));
    const expires = Date.now() + year;
    await store.set("a", 1, expires);
    await store.setMany([{ key: "b", value: 2, expires }]);
    await store.set("c", 3);
    clock.advance(year - 600_000);
    expect(await store.getMany(["a", "b", "c"])).toEqual([1, 2, 3]);
    clock.advance(600_000);
    expect(await store.getMany(["a", "b", "c"])).toEqual([undefined, undefined, 3]);
  });

  test("that have come leave nothing, not even what was there", async () => {
    const cache = await open();
    for (const past of [Date.now() - 1, 1, 0, -1]) {
      const store = storeOf6(cache);
      await store.set("a", 1);
      await store.set("b", 1);
      expect(await store.set("a", 2, past)).toBe(true);
      expect(await store.setMany([{ key: "b", value: 2, expires: past }])).toEqual([true]);
      expect(await store.hasMany(["a", "b"])).toEqual([false, false]);
    }
    const keyv = keyvOf(cache);
    await keyv.set("a", 1);
    expect(await keyv.set("a", 2, -1)).toBe(true);
    expect(await keyv.get("a")).toBeUndefined();
  });

  test("without a Keyv are what they look like", async () => {
    const clock = new ManualClock();
    const store = keyvStore(await open({ clock }));
    await store.set("a", 1, 1000);
    await store.set("b", 1, Date.now() + 60_000);
    expect(await store.hasMany(["a", "b"])).toEqual([true, true]);
    clock.advance(1000);
    expect(await store.hasMany(["a", "b"])).toEqual([false, true]);
    clock.advance(60_000);
    expect(await store.hasMany(["a", "b"])).toEqual([false, false]);
  });

  test("are counted by the clock that keyv counts by, a fake one too", async () => {
    const store = storeOf6(await open());
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2020, 0, 1) });
    try {
      await store.set("a", 1, Date.now() + 60_000);
      expect(await store.get("a")).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test("that keyv does not give are those of the namespace", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock });
    const keyv = new Keyv({ store: keyvStore(cache.namespace("a", { ttl: "1m" })) });
    await keyv.set("a", 1);
    clock.advance(59_999);
    expect(await keyv.get("a")).toBe(1);
    clock.advance(1);
    expect(await keyv.get("a")).toBeUndefined();
  });
});

describe("namespaces of keyv", () => {
  test("keep entries apart, in one cache and over both versions", async () => {
    const cache = await open();
    const [a5, b5] = [keyvOf(cache, "a"), keyvOf(cache, "b")];
    const [a6, b6] = [storeOf6(cache, "a"), storeOf6(cache, "b")];
    await a5.set("k", "in a");
    await b5.set("k", "in b");
    expect(await a6.get("k")).toBe('{"value":"in a"}');
    expect(await b6.get("k")).toBe('{"value":"in b"}');
    expect(await a6.deleteMany(["k", "k"])).toEqual([true, false]);
    expect([await a5.get("k"), await b5.get("k")]).toEqual([undefined, "in b"]);
    expect(await b5.delete(["k", "none"])).toBe(false);
    expect(await b5.get("k")).toBeUndefined();
  });

  test("are cleared alone, by every store with the cache", async () => {
    const cache = await open();
    const spaces = [cache, cache.namespace("x"), cache.namespace("a:"), cache.namespace("a")];
    const stores = spaces.map((space) => storeOf6(space, "n"));
    for (const space of spaces) {
      await storeOf6(space, "n").set("k", "cleared");
      await storeOf6(space, "other").set("k", "kept");
      space.set("n", "kept");
    }
    for (const [cleared, store] of stores.entries()) {
      await store.clear();
      const left = await Promise.all(stores.map((each) => each.has("k")));
      expect(left).toEqual(stores.map((_, index) => index > cleared));
    }
    for (const space of spaces) {
      expect(await storeOf6(space, "other").get("k")).toBe("kept");
      expect(await space.get("n")).toBe("kept");
    }
  });

  test("are told apart where two names would read alike", async () => {
    const cache = await open();
    const [left, right] = [
      storeOf6(cache.namespace("a:"), "n"),
      storeOf6(cache.namespace("a"), ":n"),
    ];
    await left.set("k", 1);
    await right.clear();
    expect(await left.get("k")).toBe(1);
  });

  test("none: clear takes all of the store's cache or namespace", async () => {
    const cache = await open();
    const store = storeOf6(cache.namespace("x"));
    await store.set("a", 1);
    await storeOf6(cache.namespace("x"), "n").set("b", 2);
    cache.set("c", 3);
    expect(await pairsOf(store)).toEqual([
      ["a", 1],
      ["n:b", 2],
    ]);
    await store.clear();
    expect(await pairsOf(store)).toEqual([]);
    expect(cache.getSync("c")).toBe(3);
  });

  test("are walked alone, in the terms of each version", async () => {
    const cache = await open();
    const store5 = keyvStore(cache);
    const keyv = new Keyv({ store: store5, namespace: "a" });
    await keyv.set("x:1", "one");
    await keyvOf(cache, "ab").set("x", "other");
    const raw = '{"value":"one"}';
    expect(await pairsOf(storeOf6(cache, "a"))).toEqual([["x:1", raw]]);
    expect(await pairsOf(store5)).toEqual([["a:x:1", raw]]);
    const walked: unknown[] = [];
    for await (const pair of keyv.iterator?.(undefined) ?? []) walked.push(pair);
    expect(walked).toEqual([["x:1", "one"]]);
  });

  test("a cleared one stays clear after a restart and behind a tier", async () => {
    const options = { ...diskAt(freshPath()), tiers: [new MapTier()] };
    const first = await open(options);
    await storeOf6(first, "a").set("k", 1);
    await storeOf6(first, "b").set("k", 2);
    await first.flush();
    await storeOf6(first, "a").clear();
    expect(await storeOf6(first, "a").get("k")).toBeUndefined();
    await first.close();
    const again = await open(options);
    expect(await storeOf6(again, "a").get("k")).toBeUndefined();
    expect(await storeOf6(again, "b").get("k")).toBe(2);
  });

  test("two Keyvs of version 5 on one store are told", async () => {
    const store = keyvStore(await open());
    const errors: Error[] = [];
    const first = new Keyv({ store, namespace: "a" }).on("error", (error: Error) => {
      errors.push(error);
    });
    await first.set("k", 1);
    const second = new Keyv({ store, namespace: "b" });
    expect(await second.set("k", 2)).toBe(true);
    expect([await first.get("k"), await second.get("k")]).toEqual([1, 2]);
    expect(await first.set("k", 3)).toBe(false);
    expect(errors.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^Cannot store key "a:k": .*"b"; make a store for each Keyv/),
    ]);
  });

  test("a Keyv of each version on one store is refused", async () => {
    const cache = await open();
    const store = storeOf6(cache);
    expect(() => new Keyv({ store })).toThrow(/make a store for each Keyv$/);
    const store5 = keyvStore(cache);
    expect(new Keyv({ store: store5 })).toBeInstanceOf(Keyv);
    expect(() => store5.capabilities).toThrow(/in keyv 6: a Keyv of version 5 has it/);
  });
});

describe("values", () => {
  test("are stored as they are if keyv does not serialize", async () => {
    const cache = await open();
    const keyv = new Keyv({ store: keyvStore(cache), ...bare });
    const value = { at: new Date(0), list: new Map([["a", 1n]]) };
    await keyv.set("k", value);
    expect(await keyv.get("k")).toEqual(value);
    expect(cache.getSync("keyv:k")).toEqual({ value, expires: undefined });
  });

  test.each([
    ["too large", large, "ERR_NOT_STORED"],
    ["not encodable", { run: (): void => {} }, undefined],
  ])("that are %s are an error event and false", async (_, value, code) => {
    const cache = await open();
    const keyv = new Keyv({ store: keyvStore(cache), ...bare });
    const errors: (Error & { code?: string })[] = [];
    keyv.on("error", (error: Error) => errors.push(error));
    await keyv.set("k", "older");
    expect(await keyv.set("k", value)).toBe(false);
    const results: unknown = await keyv.setMany([
      { key: "a", value: 1 },
      { key: "k", value },
      { key: "b", value: 2 },
    ]);
    expect(results).toEqual([true, false, true]);
    expect(errors.map((error) => error.code)).toEqual([code, code]);
    expect(await keyv.get(["a", "b"])).toEqual([1, 2]);
    if (code === undefined) return;
    expect(errors[0]?.message).toMatch(
      /^the value of key "keyv:k" was not stored \("too-large"\): /,
    );
    expect(await keyv.get("k")).toBeUndefined();
    const strict = new Keyv({ store: keyvStore(cache), throwOnErrors: true });
    expect((await errorOf(() => strict.set("k", value))).message).toContain("too-large");
  });
});

test("more than memory holds is stored as fast as the disk takes it", async () => {
  const cache = await open(diskAt(freshPath(), "32mb"));
  const keyv = keyvOf(cache);
  const errors: Error[] = [];
  keyv.on("error", (error: Error) => errors.push(error));
  const keys = Array.from({ length: 4000 }, (_, index) => `k${index}`);
  for (const key of keys) await keyv.set(key, key + "x".repeat(2000));
  expect(errors.slice(0, 1)).toEqual([]);
  expect((await keyv.hasMany(keys)).filter((has) => !has)).toHaveLength(0);
});

test("disconnect leaves the cache open, for its other users", async () => {
  const cache = await open();
  const keyv = keyvOf(cache);
  await keyv.set("k", 1);
  await keyv.disconnect();
  expect(await keyvOf(cache).get("k")).toBe(1);
});

test("another thread's Keyv has the same entries", async () => {
  const cache = await open();
  const keyv = new Keyv({ store: keyvStore(cache.namespace("shared")), namespace: "n" });
  await keyv.set("here", { from: "opener" });
  const worker = new Worker(new URL("keyv-thread.mjs", import.meta.url), {
    workerData: cache.handle(),
  });
  const [answer] = (await once(worker, "message")) as [unknown];
  expect(answer).toEqual({ from: "opener" });
  expect(await keyv.get("there")).toBe("from a thread");
  await keyv.clear();
  worker.postMessage("cleared");
  expect(await once(worker, "message")).toEqual([[undefined, undefined]]);
  await once(worker, "exit");
});
