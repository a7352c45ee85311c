// A cache whose caller interns its key strings: hits come from the index of those strings, and everything that makes a value
// old must be seen there too.

import { Worker } from "node:worker_threads";

import fc from "fast-check";
import { afterEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { KeyIdentityDetector } from "../../dist/src/near/key-identity-detector.js";
import { IdentityIndex } from "../../dist/src/near/identity-index.js";
import { NearCache } from "../../dist/src/near/near-cache.js";
import * as at from "../../dist/src/kernel/layout.js";
import { attachCache, type Cache, ManualClock } from "../../dist/src/mod.js";
import { errorOf, open, setUpCaches } from "../cache/opened.js";

setUpCaches();
afterEach(() => vi.restoreAllMocks());

const probes = Array.from({ length: 400 }, (_, index) => `probe:${index}`);

/** Looks for values by their slots, where the identity index has none. */
let looks: MockInstance<NearCache["findBySlot"]>;

/** Lets a cache learn that its caller interns its keys, or not: some hits of some keys are a sample. */
function learn(cache: Cache<number>, isInterned: boolean): void {
  vi.spyOn(KeyIdentityDetector.prototype, "observe").mockReturnValue(isInterned);
  for (const probe of probes) cache.set(probe, 0);
  for (const probe of probes) for (let hit = 0; hit < 10; hit++) cache.getSync(probe);
  for (const probe of probes) cache.delete(probe);
  looks = vi.spyOn(NearCache.prototype, "findBySlot");
}

/** Of a policy that tunes itself a small cache samples all requests, and what is sampled is in no index. */
const eviction = "s3-fifo";

async function openInterned(
  options: Parameters<typeof open<number>>[0] = {},
): Promise<Cache<number>> {
  const cache = await open<number>({ eviction, ...options });
  learn(cache, true);
  return cache;
}

/** The value, and whether the identity index gave it: then nobody looked for its slot. */
function ask(
  cache: Cache<number>,
  key: string,
): { value: number | undefined; isInterned: boolean } {
  const before = looks.mock.calls.length;
  const value = cache.getSync(key);
  return { value, isInterned: value !== undefined && looks.mock.calls.length === before };
}

/** Decoded, then hit and put there; and again, should the janitor have moved the record in between. */
function heat(cache: Cache<number>, key: string): void {
  for (let turn = 0; turn < 100; turn++) if (ask(cache, key).isInterned) return;
  throw new Error(`${key} is not in the index`);
}

describe("a value", () => {
  test("is given by the index from its fourth get on", async () => {
    const cache = await openInterned();
    cache.set("k", 7);
    for (let get = 0; get < 3; get++) {
      expect(ask(cache, "k")).toEqual({ value: 7, isInterned: false });
    }
    heat(cache, "k");
    expect(ask(cache, "k")).toEqual({ value: 7, isInterned: true });
    expect(await cache.get("k")).toBe(7);
    expect((await cache.getEntry("k"))?.source).toBe("near");
    expect(ask(cache, ["", "k"].join(""))).toEqual({ value: 7, isInterned: true });
  });

  test("stays when other keys are written", async () => {
    const cache = await openInterned();
    cache.set("k", 7);
    heat(cache, "k");
    for (let key = 0; key < 100; key++) cache.set(`other:${key}`, key);
    expect(ask(cache, "k")).toEqual({ value: 7, isInterned: true });
  });

  test("is gone from it after a set, a delete and a clear of any thread", async () => {
    const cache = await openInterned();
    const other = attachCache<number>(cache.handle());
    for (const writer of [cache, other]) {
      cache.set("k", 1);
      heat(cache, "k");
      expect(ask(cache, "k")).toEqual({ value: 1, isInterned: true });
      writer.set("k", 2);
      expect(ask(cache, "k")).toEqual({ value: 2, isInterned: false });
      heat(cache, "k");
      writer.delete("k");
      expect(ask(cache, "k")).toEqual({ value: undefined, isInterned: false });
      cache.set("k", 3);
      heat(cache, "k");
      writer.clear();
      expect(ask(cache, "k")).toEqual({ value: undefined, isInterned: false });
    }
    await other.close();
  });

  test("is gone from it after a load and an asynchronous set", async () => {
    const cache = await openInterned();
    cache.set("k", 1);
    heat(cache, "k");
    await cache.fetch("k", () => 2, { forceRefresh: true });
    expect(cache.getSync("k")).toBe(2);
    heat(cache, "k");
    await cache.setAsync("k", 3);
    expect(cache.getSync("k")).toBe(3);
  });

  test("with tags is not put there", async () => {
    const cache = await openInterned();
    cache.set("k", 1, { tags: ["t"] });
    for (let get = 0; get < 5; get++)
      expect(ask(cache, "k")).toEqual({ value: 1, isInterned: false });
    cache.deleteByTag("t");
    expect(cache.getSync("k")).toBeUndefined();
  });

  test("that expires is given until then", async () => {
    const clock = new ManualClock();
    const cache = await openInterned({ clock });
    cache.set("k", 1, { ttl: 100 });
    heat(cache, "k");
    clock.advance(99);
    expect(ask(cache, "k")).toEqual({ value: 1, isInterned: true });
    const before = cache.stats();
    clock.advance(1);
    expect(cache.getSync("k")).toBeUndefined();
    expect(cache.stats().since(before).expiredHits).toBe(1);
    cache.set("k", 2);
    expect(ask(cache, "k").value).toBe(2);
  });

  test("leaves it with the near cache's entry, whose bounds hold for both", async () => {
    const cache = await openInterned({ near: { maxEntries: 8 } });
    const keys = Array.from({ length: 64 }, (_, index) => `user:${index}`);
    for (const [index, key] of keys.entries()) cache.set(key, index);
    for (const key of keys) heat(cache, key);
    // The last first: what is decoded on the way takes the positions of others.
    const interned = keys.toReversed().filter((key) => ask(cache, key).isInterned);
    expect(interned.length).toBeLessThanOrEqual(8);
    expect(interned.length).toBeGreaterThan(0);
  });
});

describe("the Map of so many values that it is given room", () => {
  const keys = Array.from({ length: 3000 }, (_, number) => `user:${number}`);

  /** Adds each key until it is there, as hits do; answers how often that was, all together. */
  function addAll(identity: IdentityIndex): number {
    let adds = 0;
    for (let isWhole = false; !isWhole && adds < 20 * keys.length;) {
      isWhole = true;
      for (const [number, key] of keys.entries()) {
        if (identity.values.has(key)) continue;
        isWhole = false;
        identity.add(key, number);
        adds += 1;
      }
    }
    return adds;
  }

  test.each([
    // Begun anew twice as they came to be too many.
    { expected: 0, addsMax: 3 * keys.length },
    { expected: 3000, addsMax: keys.length + 8192 / 64 },
  ])(
    "has all of them, and nothing by a number, with $expected expected",
    ({ expected, addsMax }) => {
      const identity = new IdentityIndex();
      identity.begin(expected);
      const adds = addAll(identity);
      expect(keys.map((key) => identity.values.get(key))).toEqual(keys.map((_, number) => number));
      for (let number = 0; number < 10_000; number++) {
        expect(identity.values.get(number)).toBeUndefined();
      }
      // For each value at least one and a third numbers, and three at most.
      expect(identity.values.size).toBeGreaterThanOrEqual((7 / 3) * keys.length);
      expect(identity.values.size).toBeLessThanOrEqual(4 * keys.length);
      expect(adds).toBeLessThanOrEqual(addsMax);
    },
  );

  test("has nothing after a clear, room for as many again after the next values, and none at the end", () => {
    const identity = new IdentityIndex();
    identity.begin(keys.length);
    addAll(identity);
    const { size } = identity.values;
    identity.clear();
    expect(identity.values.size).toBe(0);
    addAll(identity);
    expect(identity.values.size).toBe(size);
    identity.end();
    expect(identity.values.size).toBe(0);
    expect(identity.isOn).toBe(false);
  });
});

test("an object is the same one before and after", async () => {
  const cache = await open<object>({ eviction });
  learn(cache as Cache<never>, true);
  cache.set("k", { a: 1 });
  const decoded = cache.getSync("k");
  for (let hit = 0; hit < 5; hit++) expect(cache.getSync("k")).toBe(decoded);
});

test("keys that are no strings go their way", async () => {
  const cache = await openInterned();
  const key = Buffer.from("k");
  cache.set(key, 1);
  for (let hit = 0; hit < 5; hit++) expect(cache.getSync(key)).toBe(1);
  await expect(errorOf(() => cache.getSync("")).then(String)).resolves.toContain("key");
});

test("the index ends when callers come with fresh key strings again", async () => {
  const cache = await openInterned();
  cache.set("k", 1);
  heat(cache, "k");
  expect(ask(cache, "k").isInterned).toBe(true);
  vi.spyOn(KeyIdentityDetector.prototype, "observe").mockReturnValue(false);
  for (let get = 0; get < 1024; get++) cache.getSync("nobody");
  expect(ask(cache, "k")).toEqual({ value: 1, isInterned: false });
});

test("a closed cache gives nothing from it", async () => {
  const cache = await openInterned();
  const other = attachCache<number>(cache.handle());
  learn(other, true);
  cache.set("k", 1);
  heat(cache, "k");
  heat(other, "k");
  expect(ask(other, "k")).toEqual({ value: 1, isInterned: true });
  await cache.close();
  for (const closed of [cache, other]) {
    const error = await errorOf(() => closed.getSync("k"));
    expect(error.code).toBe("ERR_CACHE_CLOSED");
  }
});

test("a thread that has detached gets nothing from it", async () => {
  const cache = await open<number>({ eviction });
  const other = attachCache<number>(cache.handle());
  learn(other, true);
  cache.set("k", 1);
  heat(other, "k");
  await other.close();
  expect((await errorOf(() => other.getSync("k"))).code).toBe("ERR_CACHE_CLOSED");
});

describe("a thread that is behind", () => {
  test("by more than the log holds lets go of everything, and goes on", async () => {
    const cache = await openInterned();
    cache.set("k", 1);
    cache.set("untouched", 1);
    heat(cache, "k");
    heat(cache, "untouched");
    const other = attachCache<number>(cache.handle());
    other.set("k", 2);
    for (let change = 0; change < at.invalidationsMax; change++) other.delete("nobody");
    expect(ask(cache, "k")).toEqual({ value: 2, isInterned: false });
    expect(ask(cache, "untouched")).toEqual({ value: 1, isInterned: false });
    heat(cache, "untouched");
    await other.close();
  });

  test("a writer that numbered its change and went away keeps nobody waiting", async () => {
    const cache = await openInterned();
    cache.set("k", 1);
    heat(cache, "k");
    const words = new Int32Array(cache.handle().worker.memory.buffer);
    Atomics.add(words, at.controlInvalidations / 4, 1);
    expect(ask(cache, "k")).toEqual({ value: 1, isInterned: false });
    for (let get = 0; get < 1000; get++) cache.getSync("k");
    heat(cache, "k");
  });
});

test("who asks again and again, and does nothing else, sees what another thread writes", async () => {
  const cache = await openInterned();
  const key = "k";
  cache.set(key, 1);
  heat(cache, key);
  looks.mockRestore();
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import(workerData.door).then(({ attachCache }) => {
      const cache = attachCache(workerData.handle);
      parentPort.postMessage("attached");
      setTimeout(() => cache.set("k", 2), 300);
    });`;
  const door = new URL("../../dist/src/mod.js", import.meta.url).href;
  const worker = new Worker(code, { eval: true, workerData: { door, handle: cache.handle() } });
  await new Promise((resolve) => worker.once("message", resolve));
  const start = performance.now();
  let asked = 0;
  while (cache.getSync(key) === 1 && performance.now() - start < 20_000) {
    for (let get = 0; get < 100_000 && cache.getSync(key) === 1; get++) asked += 1;
  }
  expect(cache.getSync(key)).toBe(2);
  // It was compiled and asked for long, not interpreted a few times.
  expect(asked).toBeGreaterThan(100_000);
  await worker.terminate();
});

interface Step {
  readonly act: "get" | "set" | "expire" | "delete" | "clear" | "pressure";
  readonly key: number;
  readonly byOther: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.oneof(
    { weight: 60, arbitrary: fc.constant("get" as const) },
    { weight: 20, arbitrary: fc.constant("set" as const) },
    { weight: 5, arbitrary: fc.constant("expire" as const) },
    { weight: 10, arbitrary: fc.constant("delete" as const) },
    { weight: 1, arbitrary: fc.constant("clear" as const) },
    { weight: 1, arbitrary: fc.constant("pressure" as const) },
  ),
  key: fc.nat(15),
  byOther: fc.boolean(),
});

test("it never gives anything but the newest value or a miss", async () => {
  const clock = new ManualClock();
  const cache = await openInterned({ clock });
  const other = attachCache<number>(cache.handle());
  learn(other, true);
  const filler = "x".repeat(10_000) as unknown as number;
  let written = 0;
  let interned = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 200, maxLength: 400 }), (steps) => {
      cache.clear();
      const newest = new Map<string, number>();
      for (const { act, key: index, byOther } of steps) {
        const key = `user:${index}:profile`;
        const [writer, reader] = byOther ? [other, cache] : [cache, other];
        if (act === "set" || act === "expire") {
          const stored = writer.set(key, ++written, act === "set" ? {} : { ttl: 50 }) === "stored";
          if (stored) newest.set(key, written);
          else newest.delete(key);
        }
        if (act === "expire" && byOther) {
          clock.advance(50);
          newest.delete(key);
        }
        if (act === "delete" || act === "clear") newest[act](key);
        if (act === "delete") writer.delete(key);
        if (act === "clear") writer.clear();
        for (let number = 0; act === "pressure" && number < 300; number++) {
          writer.set(`filler:${number}`, filler);
        }
        for (const thread of [reader, writer]) {
          const answer = ask(thread, key);
          if (answer.isInterned) interned += 1;
          if (answer.value === undefined || answer.value === newest.get(key)) continue;
          // A value whose time another step's clock ended is a miss; any other value is a lie.
          throw new Error(`${key} is ${answer.value}; its newest value is ${newest.get(key)}`);
        }
      }
    }),
    { numRuns: 25 },
  );
  expect(interned).toBeGreaterThan(1000);
  await other.close();
});
