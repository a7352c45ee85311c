// The driver of unstorage, under a storage of the package: what drivers must do, and what is ours:
// units of time, refusals, threads' and restarts' items, the cache that stays open.
import { createStorage, type Driver, type Storage, type StorageValue } from "unstorage";
import { describe, expect, test } from "vitest";
import { type Cache, ManualClock } from "../../dist/src/mod.js";
import { unstorageDriver } from "../../dist/src/unstorage/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches } from "../cache/opened.js";

setUpCaches();

const large = "x".repeat(1_000_000);

function storageOf(space: Parameters<typeof unstorageDriver>[0]): Storage {
  const driver: Driver = unstorageDriver(space);
  return createStorage({ driver });
}

async function keysOf(storage: Storage, ...args: Parameters<Storage["getKeys"]>) {
  return (await storage.getKeys(...args)).toSorted();
}

test("what is no cache is refused", () => {
  const wrong = new Map() as unknown as Cache;
  expect(() => unstorageDriver(wrong)).toThrow(/^Cannot make a driver for unstorage: its cache is/);
});

describe("items", () => {
  test("come back as they were set, and absent ones as null", async () => {
    const storage = storageOf(await open());
    const values = [0, false, null, "", "text", { a: [1, { b: null }] }, [1, 2]];
    for (const [index, value] of values.entries()) {
      await storage.setItem(`v:${index}`, value);
      expect(await storage.getItem(`v:${index}`)).toEqual(value);
      expect(await storage.hasItem(`v:${index}`)).toBe(true);
    }
    expect(await storage.getItem("v:none")).toBeNull();
    expect(await storage.getItemRaw("v:none")).toBeNull();
    expect(await storage.hasItem("v:none")).toBe(false);
    expect(await storage.getMeta("v:none")).toEqual({});
  });

  test("many come in their order, one of them twice", async () => {
    const storage = storageOf(await open());
    await storage.setItems<StorageValue>([
      { key: "a:1", value: 1 },
      { key: "b?q=2", value: { two: 2 } },
    ]);
    expect(await storage.getItems(["b", "none", { key: "a:1" }, "b?q=1"])).toEqual([
      { key: "b", value: { two: 2 } },
      { key: "none", value: null },
      { key: "a:1", value: 1 },
      { key: "b", value: { two: 2 } },
    ]);
  });

  test("raw ones keep their kind", async () => {
    const storage = storageOf(await open());
    const raw = [new Uint8Array([1, 2, 3]), Buffer.from("abc"), new Date(0), new Map([[1, 2n]])];
    for (const value of raw) {
      await storage.setItemRaw("raw", value);
      expect(await storage.getItemRaw("raw")).toEqual(value);
    }
    const bytes: unknown = await storage.getItemRaw("none");
    expect(bytes).toBeNull();
  });

  test("are removed, alone and with their meta", async () => {
    const storage = storageOf(await open());
    await storage.setItem("a", 1);
    await storage.setMeta("a", { note: "of a" });
    expect(await storage.getMeta("a")).toMatchObject({ note: "of a" });
    await storage.removeItem("a", { removeMeta: true });
    expect(await keysOf(storage)).toEqual([]);
    expect(await storage.hasItem("a")).toBe(false);
  });
});

describe("keys", () => {
  test("are those under a base, to a depth, mounts included", async () => {
    const cache = await open();
    const storage = storageOf(cache.namespace("root"));
    storage.mount("b", unstorageDriver(cache.namespace("b")));
    for (const key of ["a", "a:1", "a:1:x", "ab:1", "b:1", "b:2:x"]) await storage.setItem(key, 1);
    expect(await keysOf(storage)).toEqual(["a", "a:1", "a:1:x", "ab:1", "b:1", "b:2:x"]);
    expect(await keysOf(storage, "a")).toEqual(["a:1", "a:1:x"]);
    expect(await keysOf(storage, undefined, { maxDepth: 1 })).toEqual(["a", "a:1", "ab:1", "b:1"]);
    expect(await keysOf(storage, "b:2")).toEqual(["b:2:x"]);
    expect(await cache.namespace("b").get("2:x")).toBe("1");
  });

  test("are cleared under a base, or all of the driver's", async () => {
    const cache = await open();
    cache.set("other", 1);
    const driver = unstorageDriver(cache.namespace("root"));
    const storage = createStorage({ driver });
    for (const key of ["a:1", "a:2", "ab:1"]) await storage.setItem(key, 1);
    await driver.clear("a:"); // which a storage asks of whole mounts only
    expect(await keysOf(storage)).toEqual(["ab:1"]);
    await storage.clear();
    expect(await keysOf(storage)).toEqual([]);
    await storage.clear();
    expect(cache.getSync("other")).toBe(1);
  });
});

describe("time", () => {
  test("ttl is in seconds; 0 and none are the namespace's", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock });
    const storage = storageOf(cache.namespace("a", { ttl: "1h" }));
    await storage.setItem("s", 1, { ttl: 90 });
    await storage.setItemRaw("r", 1, { ttl: 0.5 });
    await storage.setItems([{ key: "m", value: 1, options: { ttl: 90 } }], { ttl: 1 });
    await storage.setItem("none", 1);
    await storage.setItem("zero", 1, { ttl: 0 });
    const there = (): Promise<string[]> => keysOf(storage);
    clock.advance(499);
    expect(await there()).toEqual(["m", "none", "r", "s", "zero"]);
    clock.advance(1);
    expect(await there()).toEqual(["m", "none", "s", "zero"]);
    clock.advance(89_500);
    expect(await there()).toEqual(["none", "zero"]);
    clock.advance(3_600_000 - 90_000);
    expect(await there()).toEqual([]);
  });

  test.each([
    [-1, RangeError],
    [Number.NaN, RangeError],
    ["1h", TypeError],
  ])("a ttl of %s is refused, and nothing changes", async (ttl, Kind) => {
    const storage = storageOf(await open());
    await storage.setItem("a", "older");
    const error = await errorOf(() => storage.setItem("a", 1, { ttl }));
    expect(error).toBeInstanceOf(Kind);
    expect(error.message).toMatch(/^Cannot use option ttl: current value is .*of seconds/);
    expect(await storage.getItem("a")).toBe("older");
  });

  test("getMeta says when an item was stored, and when it ends", async () => {
    const clock = new ManualClock();
    const storage = storageOf(await open({ clock }));
    const mtime = new Date(clock.now());
    await storage.setItem("a", 1, { ttl: 60 });
    await storage.setItem("b", 1);
    clock.advance(1000);
    const expires = new Date(mtime.getTime() + 60_000);
    expect(await storage.getMeta("a")).toEqual({ mtime, expires, size: expect.any(Number) });
    expect(await storage.getMeta("b")).toEqual({ mtime, size: expect.any(Number) });
  });
});

test("what the cache does not store rejects, and leaves nothing older", async () => {
  const storage = storageOf(await open());
  for (const set of [
    () => storage.setItem("a", large),
    () => storage.setItemRaw("a", Buffer.alloc(1_000_000)),
    () => storage.setItems([{ key: "a", value: large }]),
  ]) {
    await storage.setItem("a", "older");
    const error = await errorOf(set);
    expect(error.code).toBe("ERR_NOT_STORED");
    expect(error.message).toMatch(/^the value of key "a" was not stored \("too-large"\): /);
    expect(await storage.getItem("a")).toBeNull();
  }
  const error = await errorOf(() => storage.setItemRaw("a", { run: () => 1 }));
  expect(error).toBeInstanceOf(TypeError);
});

test("bytes stay the caller's, even if their set waits for the disk", async () => {
  const cache = await open(diskAt(freshPath(), "32mb"));
  const storage = storageOf(cache);
  const all = Array.from({ length: 300 }, (_, index) => new Uint8Array(20_000).fill(index % 256));
  for (const [index, bytes] of all.entries()) await storage.setItemRaw(`b${index}`, bytes);
  expect(all.filter(({ length }) => length !== 20_000)).toHaveLength(0);
  expect(await storage.getItemRaw("b299")).toEqual(all[299]);
});

test("items are there after a restart, and for every storage with the cache", async () => {
  const options = diskAt(freshPath());
  const first = await open(options);
  await storageOf(first.namespace("pages")).setItem("a:1", { from: "before" });
  await storageOf(first.namespace("pages")).setItem("b:1", 1);
  await storageOf(first.namespace("pages")).removeItem("b:1");
  await first.close();
  const storage = storageOf((await open(options)).namespace("pages"));
  expect(await storage.getItem("a:1")).toEqual({ from: "before" });
  expect(await keysOf(storage)).toEqual(["a:1"]);
});

test("dispose leaves the cache open, for its other users", async () => {
  const cache = await open();
  const storage = storageOf(cache);
  await storage.setItem("a", 1);
  await storage.dispose();
  expect(await storageOf(cache).getItem("a")).toBe(1);
});
