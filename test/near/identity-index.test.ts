// A cache whose caller interns its key strings: hits come from the identity index, which must see
// every write, expiry and clear.

import { Worker } from "node:worker_threads";

import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import {
  driveHashTimes,
  freshTimes,
  internedTimes,
  restoreHashTimes,
  stopHashTimes,
} from "./hash-times.js";
import { IdentityIndex } from "../../dist/src/near/identity-index.js";
import * as at from "../../dist/src/kernel/layout.js";
import { attachCache, type Cache, ManualClock } from "../../dist/src/mod.js";
import { errorOf, open, setUpCaches } from "../cache/opened.js";
import { KernelCalls } from "./kernel-calls.js";

setUpCaches();
afterEach(restoreHashTimes);

/** So many that some are sampled: those enter no index, unless it is the identity index. */
const probes = Array.from({ length: 2000 }, (_, index) => `probe:${index}`);

const kernelCalls = new Map<Cache<number>, KernelCalls>();

function callsOf(cache: Cache<number>): KernelCalls {
  const calls = kernelCalls.get(cache) ?? new KernelCalls(cache);
  kernelCalls.set(cache, calls);
  return calls;
}

/** Lets a cache learn from its hits that its caller interns its keys; then its verdict stays. The
 *  gets are asynchronous ones, which do not read the clock for statistics. */
function learnInterned(cache: Cache<number>): void {
  const calls = callsOf(cache);
  for (const probe of probes) cache.set(probe, 0);
  let isLearned = false;
  for (let round = 0; !isLearned; round++) {
    if (round === 500) throw new Error("the cache does not take its keys for interned");
    // Anew each round: a clock read by anything but the detector spoils the times that follow.
    driveHashTimes(internedTimes);
    isLearned = true;
    for (const probe of probes) {
      for (let hit = 0; hit < 9; hit++) void cache.get(probe);
      if (calls.during(() => void cache.get(probe)).isAsked) isLearned = false;
    }
  }
  stopHashTimes();
  for (const probe of probes) cache.delete(probe);
}

/** With a policy that tunes itself, a small cache samples all requests, and sampled keys enter no
 *  index. */
const eviction = "s3-fifo";

async function openInterned(
  options: Parameters<typeof open<number>>[0] = {},
): Promise<Cache<number>> {
  const cache = await open<number>({ eviction, ...options });
  learnInterned(cache);
  return cache;
}

/** The value, and whether the identity index gave it: then the kernel was not asked. */
function ask(
  cache: Cache<number>,
  key: string,
): { value: number | undefined; isInterned: boolean } {
  const { value, isAsked } = callsOf(cache).during(() => cache.getSync(key));
  return { value, isInterned: value !== undefined && !isAsked };
}

/**
 * Gets a key until the identity index has it: the first get decodes the value, a later hit adds it.
 * More are needed if the janitor moves the record meanwhile, or others have to leave for it.
 */
function heat(cache: Cache<number>, key: string): void {
  for (let turn = 0; turn < 5000; turn++) if (ask(cache, key).isInterned) return;
  throw new Error(`${key} is not in the index`);
}

describe("a value", () => {
  test("is returned by the index from its fourth get on", async () => {
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

  test("stays in the index when other keys are written", async () => {
    const cache = await openInterned();
    cache.set("k", 7);
    heat(cache, "k");
    for (let key = 0; key < 100; key++) cache.set(`other:${key}`, key);
    expect(ask(cache, "k")).toEqual({ value: 7, isInterned: true });
  });

  test("leaves the index after a set, a delete or a clear by any thread", async () => {
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

  test("leaves the index after a load or an asynchronous set", async () => {
    const cache = await openInterned();
    cache.set("k", 1);
    heat(cache, "k");
    await cache.fetch("k", () => 2, { forceRefresh: true });
    expect(cache.getSync("k")).toBe(2);
    heat(cache, "k");
    await cache.setAsync("k", 3);
    expect(cache.getSync("k")).toBe(3);
  });

  test("with tags never enters the index", async () => {
    const cache = await openInterned();
    cache.set("k", 1, { tags: ["t"] });
    for (let get = 0; get < 5; get++)
      expect(ask(cache, "k")).toEqual({ value: 1, isInterned: false });
    cache.deleteByTag("t");
    expect(cache.getSync("k")).toBeUndefined();
  });

  test("with a ttl is returned by the index until it expires", async () => {
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

  test("leaves the index with the near table's entry, so the same bounds hold", async () => {
    const cache = await openInterned({ near: { maxEntries: 2048 } });
    const keys = Array.from({ length: 4096 }, (_, index) => `user:${index}`);
    for (const [index, key] of keys.entries()) cache.set(key, index);
    for (const key of keys) heat(cache, key);
    // The last first: the hand takes what it passes out of the index.
    const interned = keys.toReversed().filter((key) => ask(cache, key).isInterned);
    expect(interned.length).toBeLessThanOrEqual(2048);
    expect(interned.length).toBeGreaterThan(1000);
  });
});

describe("the Map of a large identity index", () => {
  const keys = Array.from({ length: 3000 }, (_, number) => `user:${number}`);

  /** Adds keys until all are there, as hits do; returns the number of adds. */
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
    // It outgrows its room twice and starts anew.
    { expected: 0, addsMax: 3 * keys.length },
    { expected: 3000, addsMax: keys.length + 8192 / 64 },
  ])("holds every key and answers no numbers, with $expected expected", ({ expected, addsMax }) => {
    const identity = new IdentityIndex();
    identity.begin(expected);
    const adds = addAll(identity);
    expect(keys.map((key) => identity.values.get(key))).toEqual(keys.map((_, number) => number));
    for (let number = 0; number < 10_000; number++) {
      expect(identity.values.get(number)).toBeUndefined();
    }
    // One and a third to three fillers for each value.
    expect(identity.values.size).toBeGreaterThanOrEqual((7 / 3) * keys.length);
    expect(identity.values.size).toBeLessThanOrEqual(4 * keys.length);
    expect(adds).toBeLessThanOrEqual(addsMax);
  });

  test("is empty after a clear, has room again after as many values, and none at the end", () => {
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

test("an object is the same one from the near table and from the index", async () => {
  const cache = await open<object>({ eviction });
  learnInterned(cache as Cache<never>);
  cache.set("k", { a: 1 });
  cache.getSync("k");
  const decoded = cache.getSync("k");
  for (let hit = 0; hit < 5; hit++) expect(cache.getSync("k")).toBe(decoded);
});

test("keys that are bytes are found without the index", async () => {
  const cache = await openInterned();
  const key = Buffer.from("k");
  cache.set(key, 1);
  for (let hit = 0; hit < 5; hit++) expect(cache.getSync(key)).toBe(1);
  await expect(errorOf(() => cache.getSync("")).then(String)).resolves.toContain("key");
});

test("the index ends when callers use fresh key strings again", async () => {
  const cache = await openInterned();
  cache.set("k", 1);
  heat(cache, "k");
  expect(ask(cache, "k").isInterned).toBe(true);
  driveHashTimes(freshTimes);
  // One get in 1,024 may be sampled, one sample in four is measured, and a window has 33.
  for (let get = 0; get < 34 * 4 * 1024; get++) void cache.get("nobody");
  stopHashTimes();
  expect(ask(cache, "k")).toEqual({ value: 1, isInterned: false });
});

test("a closed cache returns nothing from the index", async () => {
  const cache = await openInterned();
  const other = attachCache<number>(cache.handle());
  learnInterned(other);
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

test("a detached thread gets nothing from the index", async () => {
  const cache = await open<number>({ eviction });
  const other = attachCache<number>(cache.handle());
  learnInterned(other);
  cache.set("k", 1);
  heat(other, "k");
  await other.close();
  expect((await errorOf(() => other.getSync("k"))).code).toBe("ERR_CACHE_CLOSED");
});

describe("a reader of the invalidation log", () => {
  test("that is further behind than the log holds drops everything and goes on", async () => {
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

  test("is not held up by a writer that took a number and wrote nothing", async () => {
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

test("a loop that does nothing but get sees what another thread writes", async () => {
  const cache = await openInterned();
  const key = "k";
  cache.set(key, 1);
  heat(cache, key);
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import(workerData.door).then(({ attachCache }) => {
      const cache = attachCache(workerData.handle);
      parentPort.postMessage("attached");
      Atomics.wait(workerData.gate, 0, 0);
      cache.set("k", 2);
    });`;
  const door = new URL("../../dist/src/mod.js", import.meta.url).href;
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { door, handle: cache.handle(), gate };
  const worker = new Worker(code, { eval: true, workerData });
  await new Promise((resolve) => worker.once("message", resolve));
  const start = Date.now();
  let asked = 0;
  while (cache.getSync(key) === 1 && Date.now() - start < 20_000) {
    for (let get = 0; get < 1_000_000 && cache.getSync(key) === 1; get++) asked += 1;
    // The other thread writes only now that the loop is compiled.
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
  }
  expect(cache.getSync(key)).toBe(2);
  expect(asked).toBeGreaterThanOrEqual(1_000_000);
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

test("a get returns the newest value or misses, whatever two threads do", async () => {
  const clock = new ManualClock();
  const cache = await openInterned({ clock });
  const other = attachCache<number>(cache.handle());
  learnInterned(other);
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
          // A value that expired is a miss; any other value is wrong.
          throw new Error(`${key} is ${answer.value}; its newest value is ${newest.get(key)}`);
        }
      }
    }),
    { numRuns: 25 },
  );
  expect(interned).toBeGreaterThan(1000);
  await other.close();
});
