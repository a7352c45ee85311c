// The tiers of a cache with several threads: the opener has them, the others reach them through it.
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Kernel, KeyWindow } from "../../dist/src/kernel/mod.js";
import { type Cache, openCache, type TierEntry } from "../../dist/src/mod.js";
import { openAll, openKey, TierWords } from "../../dist/src/outer-tiers/tier-words.js";
import { gate, MapTier } from "./map-tier.js";

const floors = new SharedArrayBuffer(256 * 4);
let tier: MapTier;
let cache: Cache;
const threads = new Set<Thread>();

beforeEach(async () => {
  tier = new MapTier();
  new Int32Array(floors).fill(0);
  cache = await openCache({ memory: "1mb", eviction: "fifo", tiers: [tier] });
});
afterEach(async () => {
  await Promise.all(Array.from(threads, ({ worker }) => worker.terminate()));
  threads.clear();
  await cache.close();
});

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

class Thread {
  readonly worker = new Worker(new URL("tier-thread.mjs", import.meta.url), {
    workerData: { handle: cache.handle(), floors },
  });
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly isReady: Promise<Answer>;
  #calls = 0;

  constructor() {
    this.isReady = new Promise((resolve) => this.#waiting.set(-1, resolve));
    this.worker.on("message", (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
    threads.add(this);
  }

  async call(step: string, ...args: readonly unknown[]): Promise<unknown> {
    const id = this.#calls++;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.worker.postMessage({ id, step, args });
    const { value, error } = await answered;
    if (error !== undefined) throw Object.assign(new Error(error.message), { code: error.code });
    return value;
  }
}

async function attached(): Promise<Thread> {
  const thread = new Thread();
  await thread.isReady;
  return thread;
}

/** Pushes what the opener has set out of memory; an attached thread's open segment stays. */
function fillMemory(): void {
  const others = ["a", "b", "c"];
  for (let key = 0; others.some((other) => cache.has(other)); key++) {
    if (key > 100_000) throw new Error("memory keeps what was set first");
    cache.set(`fill${key}`, "x".repeat(100));
  }
}

describe("an attached thread", () => {
  test("reads from the tiers, and what it read is there for all", async () => {
    cache.set("a", { deep: [1n] }, { ttl: 60_000, tags: ["t"] });
    cache.set("b", "2");
    fillMemory();
    await cache.flush();
    const thread = await attached();
    expect(cache.getSync("a")).toBeUndefined();
    expect(await thread.call("getEntry", "a")).toMatchObject({
      value: { deep: [1n] },
      source: "tier",
      tags: ["t"],
    });
    expect(cache.getSync("a")).toEqual({ deep: [1n] });
    expect(await thread.call("fetch", "b", "loaded")).toBe("2");
    expect(await thread.call("getMany", ["a", "none"])).toEqual([["a", { deep: [1n] }]]);
    expect(cache.stats().tiers).toMatchObject({ hits: 2, corrupt: 0 });
  });

  test("tells them what it changes, and waits for them in flush and close", async () => {
    const thread = await attached();
    for (const key of ["a", "b", "c", "d"]) await thread.call("set", key, key, { tags: [key] });
    await thread.call("flush");
    expect([...tier.rows.keys()].toSorted()).toEqual(["a", "b", "c", "d"]);
    await thread.call("delete", "a");
    await thread.call("deleteByTag", "b");
    await thread.call("close");
    await cache.flush();
    expect([...tier.rows.keys()].toSorted()).toEqual(["c", "d"]);
    const other = await attached();
    await other.call("clear");
    await cache.flush();
    expect(tier.rows.size).toBe(0);
  });

  test("ends what the tiers have, at once and for all threads", async () => {
    const thread = await attached();
    for (const key of ["a", "b", "c"]) cache.set(key, "old", { tags: [`t${key}`] });
    fillMemory();
    await cache.flush();
    const { promise, open } = gate();
    tier.applyGate = promise;
    await thread.call("delete", "a");
    await thread.call("deleteByTag", "tb");
    await thread.call("set", "c", "new");
    expect(await cache.getMany(["a", "b", "c"])).toEqual(new Map([["c", "new"]]));
    expect(await thread.call("getMany", ["a", "b", "c"])).toEqual([["c", "new"]]);
    open();
  });

  test("gets misses while a tier is down, and a flush that rejects", async () => {
    const thread = await attached();
    tier.fault = new Error("down");
    await thread.call("set", "a", "1");
    expect(await thread.call("get", "b")).toBeUndefined();
    await expect(thread.call("flush")).rejects.toMatchObject({ code: "ERR_TIER" });
    tier.fault = undefined;
    await thread.call("flush");
    expect([...tier.rows.keys()]).toEqual(["a"]);
  });

  test("that is terminated leaves what it has told", async () => {
    const thread = await attached();
    await thread.call("set", "a", "1");
    thread.worker.postMessage({ id: 99, step: "exit", args: [] });
    await new Promise((resolve) => thread.worker.once("exit", resolve));
    await cache.flush();
    expect([...tier.rows.keys()]).toEqual(["a"]);
  });
});

test("no thread reads an older value, however memory, queue and tier take turns", async () => {
  const keys = 24;
  const writers = [await attached(), await attached()];
  const reader = await attached();
  const own = (thread: number): number[] =>
    Array.from({ length: keys }, (_, key) => key).filter((key) => key % 2 === thread);
  const reading = reader.call("readAll", keys) as Promise<{ lies: unknown[]; found: number }>;
  const values = new Int32Array(floors);
  const written = Promise.all(
    writers.map((thread, index) => thread.call("writeOwn", own(index), 500, 0)),
  ).finally(() => Atomics.store(values, 255, 1));
  const lies: unknown[] = [];
  while (Atomics.load(values, 255) === 0) {
    for (let key = 0; key < keys; key++) {
      const floor = Atomics.load(values, key);
      const value = (await cache.get(`v${key}`)) as number | undefined;
      if (value !== undefined && value < floor) lies.push([key, value, floor]);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await written;
  const read = await reading;
  expect([lies, read.lies]).toEqual([[], []]);
  expect(read.found).toBeGreaterThan(0);
  await Promise.all([...writers, reader].map((thread) => thread.call("close")));
  // Until one of them has left memory. Every third is replaced at once, so that segments are
  // compacted too: the one that compaction has begun is evicted only once that has filled it.
  const names = Array.from({ length: keys }, (_, key) => `v${key}`);
  const inMemory = names.filter((name) => cache.has(name));
  for (let key = 0; inMemory.length > 0 && inMemory.every((name) => cache.has(name)); key++) {
    cache.set(`fill${key % 3 === 0 ? 0 : key}`, "x".repeat(100));
    if (key % 1000 === 999) await new Promise((resolve) => setImmediate(resolve));
  }
  const left = await cache.getMany(names);
  for (const [name, value] of left) {
    expect(value).toBeGreaterThanOrEqual(Atomics.load(values, Number(String(name).slice(1))));
  }
  expect(cache.stats().tiers?.hits).toBeGreaterThan(0);
});

test("keys that several threads write end in the tier as in the cache", async () => {
  await cache.close();
  cache = await openCache({ memory: "16mb", tiers: [tier] });
  const racers = await Promise.all([attached(), attached(), attached()]);
  const keys = 37;
  const done = Promise.all(racers.map((thread, index) => thread.call("race", index, keys, 20_000)));
  for (let round = 0; round < 200; round++) {
    for (let key = 0; key < keys; key += 3) cache.set(`r${key}`, `main ${round}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  await cache.flush();
  const inCache = Array.from({ length: keys }, (_, key) => cache.getSync(`r${key}`));
  expect(inCache.filter((value) => value !== undefined).length).toBeGreaterThan(keys / 4);
  const told = Array.from({ length: keys }, (_, key) => valueOf(tier.rows.get(`r${key}`)));
  expect(told).toEqual(inCache);
});

/** A short text, as the codec keeps it behind the eight bytes of an envelope. */
function valueOf(entry: TierEntry | undefined): unknown {
  return entry === undefined ? undefined : Buffer.from(entry.value.subarray(8)).toString();
}

describe("what a thread left open when it died", () => {
  test("is not taken from the tiers any more: its key", async () => {
    cache.set("a", "old");
    cache.set("b", "old");
    fillMemory();
    await cache.flush();
    const thread = await attached();
    // As a thread that dies between its change of the cache and its message leaves the words.
    const hash = hashOf("a");
    words().begin(1, openKey, hash.hashLow, hash.hashHigh);
    await thread.worker.terminate();
    expect(await cache.get("a")).toBeUndefined();
    expect(await cache.get("b")).toBe("old");
    expect(words().busyThreads()).toEqual([]);
  });

  test("or everything", async () => {
    cache.set("a", "old");
    fillMemory();
    await cache.flush();
    const errors: string[] = [];
    cache.on("error", ({ error }) => errors.push(error.code));
    const thread = await attached();
    words().begin(1, openAll, 0, 0);
    await thread.worker.terminate();
    expect(await cache.get("a")).toBeUndefined();
    expect(errors).toEqual(["ERR_TIER"]);
    expect(await cache.get("a")).toBeUndefined();
  });

  test("also if another thread has its id by then", async () => {
    cache.set("a", "old");
    fillMemory();
    await cache.flush();
    const hash = hashOf("a");
    words().begin(1, openKey, hash.hashLow, hash.hashHigh);
    const thread = await attached();
    expect(await thread.call("get", "a")).toBeUndefined();
    expect(words().busyThreads()).toEqual([]);
  });

  test("a read waits for what is under way, and then is a miss", async () => {
    cache.set("a", "old");
    fillMemory();
    await cache.flush();
    await attached();
    words().begin(1, openKey, 1, 1);
    expect(await cache.get("a")).toBeUndefined();
  });
});

function words(): TierWords {
  return new TierWords(cache.handle().tiers as SharedArrayBuffer);
}

/** The hash of a key, as the tier is asked for it. */
function hashOf(key: string): { readonly hashLow: number; readonly hashHigh: number } {
  const { module, memory } = cache.handle().worker;
  const kernel = Kernel.attach(module, memory);
  const keys = new KeyWindow(kernel);
  keys.write(key);
  const hash = keys.take(key);
  kernel.detach();
  return hash;
}
