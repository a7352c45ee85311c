// The statistics add up: each step of a script says what it must add, and nothing else may have
// changed.

import { describe, expect, test } from "vitest";
import * as at from "../../dist/src/kernel/layout.js";
import { type Cache, type CacheStats, entry, ManualClock } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "./opened.js";

setUpCaches();

/** What one step may add; left out if 0. */
interface Added {
  near?: number;
  memory?: number;
  disk?: number;
  misses?: number;
  loads?: number;
  loadErrors?: number;
  coalesced?: number;
  stale?: number;
  stored?: number;
  tooLarge?: number;
  deletes?: number;
  clears?: number;
}

function addedBy(stats: CacheStats): Added {
  const all: Required<Added> = {
    near: stats.hits.near,
    memory: stats.hits.memory,
    disk: stats.hits.disk,
    misses: stats.misses,
    loads: stats.loads,
    loadErrors: stats.loadErrors,
    coalesced: stats.coalescedLoads,
    stale: stats.staleServed,
    stored: stats.sets.stored,
    tooLarge: stats.sets.tooLarge,
    deletes: stats.deletes,
    clears: stats.clears,
  };
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count !== 0));
}

/** Runs a step and checks what it added. */
async function expectStep(cache: Cache, run: () => unknown, added: Added): Promise<void> {
  const before = cache.stats();
  await run();
  const step = run.toString();
  const seen = (): object => ({ step, ...addedBy(cache.stats().since(before)) });
  // A background refresh ends some turns of the event loop later, and then adds nothing more.
  await expect.poll(seen, { interval: 1, timeout: 10_000 }).toEqual({ step, ...added });
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen()).toEqual({ step, ...added });
  const change = cache.stats().since(before);
  expect(change.hits.total).toBe(change.hits.near + change.hits.memory + change.hits.disk);
  expect(change.requests).toBe(change.hits.total + change.misses);
}

/** Reads of every kind that miss. */
const missing = (cache: Cache, key: string): (() => unknown)[] => [
  () => cache.getSync(key),
  () => cache.get(key),
  () => cache.get(key, { signal: new AbortController().signal }),
  () => cache.getEntry(key),
  () => cache.getMany([key]),
];

describe.each([["memory"], ["disk"]])("gets are hits and misses (%s)", (tier) => {
  const openOne = (clock?: ManualClock): Promise<Cache> =>
    open({ ...(clock && { clock }), ...(tier === "disk" ? diskAt(freshPath()) : {}) });

  test("each get of an absent key is one miss", async () => {
    const cache = await openOne();
    for (const get of missing(cache, "none")) await expectStep(cache, get, { misses: 1 });
    await expectStep(cache, () => cache.getMany(["a", "b", "c"]), { misses: 3 });
    await expectStep(cache, () => cache.has("none"), {});
    await expectStep(cache, () => cache.delete("none"), {});
  });

  test("the first get of a key in memory is a memory hit, the others are near", async () => {
    const cache = await openOne();
    await expectStep(cache, () => cache.set("k", 1), { stored: 1 });
    await expectStep(cache, () => cache.getSync("k"), { memory: 1 });
    for (const get of missing(cache, "k")) await expectStep(cache, get, { near: 1 });
    await expectStep(cache, () => cache.fetch("k", () => 1), { near: 1 });
    await expectStep(cache, () => cache.set("k", 2), { stored: 1 });
    await expectStep(cache, () => cache.getEntry("k"), { memory: 1 });
    await expectStep(cache, () => cache.getEntry("k"), { near: 1 });
    await expectStep(cache, () => cache.has("k"), {});
    // prettier-ignore
    await expectStep(cache, () => cache.setMany([["k", 3], ["l", 1]]), { stored: 2 });
    await expectStep(cache, () => cache.fetch("k", () => 1), { memory: 1 });
    await expectStep(cache, () => cache.delete("k"), { deletes: 1 });
    await expectStep(cache, () => cache.deleteMany(["k", "l"]), { deletes: 1 });
    await expectStep(cache, () => cache.clear(), { clears: 1 });
  });

  test("a value in chunks is one hit, one set and one entry", async () => {
    const cache = await openOne();
    await expectStep(cache, () => cache.set("k", Buffer.alloc(100_000)), { stored: 1 });
    await expectStep(cache, () => cache.get("k"), { memory: 1 });
    await expectStep(cache, () => cache.setAsync("k", "a".repeat(100_000)), { stored: 1 });
    await expectStep(cache, () => cache.get("k"), { memory: 1 });
    await expectStep(cache, () => cache.set("k", Buffer.alloc(2_000_000)), { tooLarge: 1 });
    await expectStep(cache, () => cache.get("k"), { misses: 1 });
  });

  test("a fetch is one get, however its load ends", async () => {
    const cache = await openOne();
    await expectStep(cache, () => cache.fetch("k", () => 1), { misses: 1, loads: 1, stored: 1 });
    await expectStep(cache, () => cache.fetch("k", () => 2), { near: 1 });
    await expectStep(cache, () => cache.fetch("none", () => undefined), { misses: 1, loads: 1 });
    const failing = () => errorOf(() => cache.fetch("bad", () => Promise.reject(new Error("no"))));
    await expectStep(cache, failing, { misses: 1, loads: 1, loadErrors: 1 });
    const many = () => Promise.all([1, 2, 3].map(() => cache.fetch("many", () => 1)));
    await expectStep(cache, many, { misses: 3, loads: 1, coalesced: 2, stored: 1 });
    const wrapped = cache.wrap(() => 1, { key: () => "wrapped" });
    await expectStep(cache, wrapped, { misses: 1, loads: 1, stored: 1 });
    await expectStep(cache, wrapped, { near: 1 });
  });

  test("each call is one request, whatever it does", async () => {
    const clock = new ManualClock();
    const cache = await openOne(clock);
    const forced = (key: string): Promise<unknown> =>
      cache.fetch(key, () => 2, { forceRefresh: true });
    await expectStep(cache, () => cache.set("k", 1), { stored: 1 });
    await expectStep(cache, () => forced("k"), { misses: 1, loads: 1, stored: 1 });
    const both = (): Promise<unknown> => Promise.all([forced("k"), forced("k")]);
    await expectStep(cache, both, { misses: 2, loads: 1, coalesced: 1, stored: 1 });
    const mixed = (): Promise<unknown> => Promise.all([cache.fetch("m", () => 1), forced("m")]);
    await expectStep(cache, mixed, { misses: 2, loads: 2, stored: 1 });
    const nothing = (): Promise<unknown> =>
      cache.fetch("none", () => undefined, { negativeTtl: "1h" });
    await expectStep(cache, nothing, { misses: 1, loads: 1 });
    await expectStep(cache, nothing, { misses: 1 });
    await expectStep(cache, () => cache.getMany(["k", "k", "none"]), { near: 2, misses: 1 });
    const soft = { timeout: { soft: "1h" } } as const;
    cache.set("s", 1, { ttl: 10, staleFor: 100 });
    clock.advance(10);
    await expectStep(cache, () => cache.fetch("s", () => 2, soft), {
      misses: 1,
      loads: 1,
      stored: 1,
    });
  });

  test("a fetch that looks again, as the load it joined is too old, is one request", async () => {
    const cache = await openOne();
    const joined = async (): Promise<void> => {
      let answer: () => void = () => undefined;
      const asked = new Promise<void>((resolve) => (answer = resolve));
      const first = cache.fetch("k", async () => {
        await asked;
        return entry(1, { tags: ["t"] });
      });
      await new Promise((resolve) => setImmediate(resolve));
      const second = cache.fetch("k", () => 2);
      const other = cache.fetch("l", () => 3, { tags: ["t"] });
      await other;
      cache.deleteByTag("t");
      answer();
      expect(await Promise.all([first, second])).toEqual([1, 2]);
    };
    await expectStep(cache, joined, { misses: 3, loads: 3, coalesced: 1, stored: 2 });
  });

  test("a call that throws before it looks is none", async () => {
    const cache = await openOne();
    const calls = [
      () => errorOf(() => cache.getSync("")),
      () => errorOf(() => cache.fetch("k", () => 1, { signal: AbortSignal.abort() })),
      () => errorOf(() => cache.get("k", { signal: AbortSignal.abort() })),
      () => errorOf(() => cache.fetch("", () => 1, { forceRefresh: true })),
    ];
    for (const call of calls) await expectStep(cache, call, {});
  });

  test("an expired entry is one miss, and a stale answer is counted apart", async () => {
    const clock = new ManualClock();
    const cache = await openOne(clock);
    const expired = (): void => {
      cache.set("k", 1, { ttl: 10 });
      clock.advance(10);
    };
    for (const get of missing(cache, "k")) {
      await expectStep(cache, expired, { stored: 1 });
      await expectStep(cache, get, { misses: 1 });
    }
    await expectStep(cache, expired, { stored: 1 });
    await expectStep(cache, () => cache.fetch("k", () => 2), { misses: 1, loads: 1, stored: 1 });
    cache.set("k", 1, { ttl: 10, staleFor: 100 });
    clock.advance(10);
    for (const get of missing(cache, "k")) await expectStep(cache, get, { misses: 1 });
    const served = { misses: 1, stale: 1, loads: 1 };
    await expectStep(cache, () => cache.fetch("k", () => undefined), served);
    await expectStep(cache, () => cache.fetch("k", () => 2), { ...served, stored: 1 });
    cache.set("k", 1, { ttl: 10, staleFor: 100 });
    clock.advance(110);
    await expectStep(cache, () => cache.fetch("k", () => 3), { misses: 1, loads: 1, stored: 1 });
  });

  test("latencies are of gets that hit", async () => {
    const cache = await openOne();
    cache.set("k", 1);
    for (let get = 0; get < 2000; get++) cache.getSync("k");
    await cache.fetch("l", () => 1);
    const { latency } = cache.stats();
    expect(latency.near?.p50).toBeGreaterThan(0);
    expect(latency.load?.p50).toBeGreaterThan(0);
    expect(latency.near!.p999).toBeGreaterThanOrEqual(latency.near!.p50);
  });
});

test("each get from disk is one hit, shared reads included", async () => {
  const path = freshPath();
  const first = await open(diskAt(path));
  const keys = ["a", "b", "c", "d", "e", "f"];
  for (const key of keys) first.set(key, key);
  first.set("stale", 1, { ttl: 1, staleFor: "1h" });
  await first.close();
  const cache = await open(diskAt(path));
  await expectStep(cache, () => cache.getSync("a"), { misses: 1 });
  await expectStep(cache, () => cache.get("a"), { disk: 1 });
  await expectStep(cache, () => cache.getEntry("b"), { disk: 1 });
  await expectStep(cache, () => cache.fetch("c", () => 1), { disk: 1 });
  await expectStep(cache, () => cache.getMany(["d", "none"]), { disk: 1, misses: 1 });
  const reads = cache.stats().disk!.reads;
  await expectStep(cache, () => Promise.all([cache.get("e"), cache.get("e"), cache.get("e")]), {
    disk: 3,
  });
  expect(cache.stats().disk!.reads).toBe(reads + 1);
  await expectStep(cache, () => cache.get("stale"), { misses: 1 });
  const served = { misses: 1, stale: 1, loads: 1, stored: 1 };
  await expectStep(cache, () => cache.fetch("stale", () => 2), served);
  expect(cache.stats().latency.disk?.p50).toBeGreaterThan(0);
});

/** Slots of the index that name a record. */
function slotsTaken(cache: Cache): number {
  const { buffer } = cache.handle().worker.memory;
  const words = new BigUint64Array(buffer);
  const control = (offset: number): number => new Uint32Array(buffer)[offset / 4] as number;
  let taken = 0;
  for (let bucket = 0; bucket < control(at.controlBucketCount); bucket++) {
    const first = (control(at.controlBucketBase) + bucket * at.bucketSize) / 8 + 1;
    for (let slot = 0; slot < at.bucketSlots; slot++) if (words[first + slot] !== 0n) taken += 1;
  }
  return taken;
}

describe("gauges", () => {
  test("count entries after set, overwrite, delete and clear", async () => {
    const cache = await open(diskAt(freshPath()));
    const entries = (): number => cache.stats().memory.entries;
    for (let key = 0; key < 100; key++) cache.set(`k${key}`, key);
    for (let key = 0; key < 50; key++) cache.set(`k${key}`, -key);
    expect(entries()).toBe(100);
    for (let key = 0; key < 10; key++) cache.delete(`k${key}`);
    expect(entries()).toBe(90);
    await cache.flush();
    await until(() => cache.stats().admissions.flushed >= 90);
    cache.clear();
    expect(cache.stats().memory).toMatchObject({ entries: 0, bytes: 0 });
    expect(cache.stats().disk).toMatchObject({ entries: 0 });
    cache.set("new", 1);
    expect(entries()).toBe(1);
    // The janitor takes cleared entries out of the index meanwhile; that changes no count.
    await until(() => slotsTaken(cache) === 1);
    expect(entries()).toBe(1);
    expect(cache.stats().memory.bytes).toBeGreaterThan(0);
    cache.clear();
    cache.clear();
    expect(cache.stats().memory).toMatchObject({ entries: 0, bytes: 0 });
  });

  test("stay within the limits while ten times the memory is written", async () => {
    const cache = await open(diskAt(freshPath()));
    for (let key = 0; key < 2000; key++) {
      cache.set(`k${key}`, Buffer.alloc(10_000));
      const { memory, disk } = cache.stats();
      expect(memory.usedBytes).toBeLessThanOrEqual(memory.limitBytes);
      expect(memory.bytes).toBeLessThanOrEqual(memory.usedBytes);
      expect(disk!.bytes).toBeLessThanOrEqual(disk!.limitBytes);
      if (key % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const { sets, memory, near } = cache.stats();
    expect(memory.limitBytes).toBe(2 * 1024 * 1024);
    expect(sets.stored + sets.overloaded).toBe(2000);
    expect(near.entries).toBe(0);
  });

  test("the near cache keeps to its bounds", async () => {
    const cache = await open({ memory: "8mb", near: { maxEntries: 10, maxBytes: "10kb" } });
    for (let key = 0; key < 100; key++) {
      cache.set(`k${key}`, "x".repeat(500));
      // More often than there are values near, each of which the hand passes once.
      for (let get = 0; get < 40; get++) cache.getSync(`k${key}`);
      const { near } = cache.stats();
      expect(near.entries).toBeLessThanOrEqual(10);
      expect(near.bytes).toBeLessThanOrEqual(10_240);
    }
    expect(cache.stats().near.evictions).toBeGreaterThan(0);
    cache.set("large", "x".repeat(20_000));
    cache.getSync("large");
    expect(cache.stats().near.bytes).toBeLessThanOrEqual(10_240);
  });
});

test("since() takes only stats() of the same cache", async () => {
  const [cache, other] = [await open({ name: "one" }), await open({ name: "two" })];
  const [before, foreign] = [cache.stats(), other.stats()];
  cache.getSync("k");
  const after = cache.stats();
  expect(after.since(before).misses).toBe(1);
  expect(() => after.since(foreign)).toThrow(RangeError);
  expect(() => before.since(after)).toThrow(RangeError);
  expect(() => after.since({ ...before })).toThrow(TypeError);
  expect(() => after.since(undefined as never)).toThrow(TypeError);
  expect(JSON.parse(JSON.stringify(after))).toMatchObject({ name: "one", misses: 1 });
  expect(structuredClone({ ...after, since: undefined })).toMatchObject({ hitRatio: 0 });
});
