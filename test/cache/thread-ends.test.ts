// How attached threads end, and what the others see of it: by themselves, by process.exit, by an
// error, out of memory, by terminate(), and when the thread that ends opened the cache.

import { describe, expect, test } from "vitest";
import * as at from "../../dist/src/kernel/layout.js";
import { attachCache, type Cache, type CacheHandle, openCache } from "../../dist/src/mod.js";
import { attached, setUpThreads, Thread } from "./attached.js";
import { diskAt, errorOf, freshPath, held, open, setUpCaches, until } from "./opened.js";

setUpCaches();
setUpThreads();

/** Only Linux tells whether a thread is alive. */
const isLinux = process.platform === "linux";

function wordsOf(cache: Cache): Int32Array {
  return new Int32Array(cache.handle().worker.memory.buffer);
}

/** The lock words that are not 0. */
function locksHeld(cache: Cache): number[] {
  const words = wordsOf(cache);
  const base = (words[at.controlBucketBase / 4] as number) / 4;
  const buckets = words[at.controlBucketCount / 4] as number;
  const locks = Array.from({ length: buckets }, (_, bucket) =>
    Atomics.load(words, base + (bucket * at.bucketSize) / 4),
  );
  return locks.filter((word) => word !== 0);
}

describe("a thread that ends by itself gives back its thread id", () => {
  test.each([
    ["when nothing keeps it", "leave", []],
    ["by process.exit(0)", "exit", [0]],
    ["by process.exit(3)", "exit", [3]],
    ["by an error that nobody catches", "throwLater", []],
  ])("%s", async (_name, method, args) => {
    const cache = await open();
    const thread = attached(cache);
    expect(await thread.call("set", "k", { by: "the one that left" })).toBe("stored");
    expect(cache.stats().threads).toEqual({ attached: 2, recovered: 0 });
    void thread.call(method, ...args);
    await thread.exited;
    // Nothing of it was recovered: it gave everything back itself.
    expect(cache.stats().threads).toEqual({ attached: 1, recovered: 0 });
    expect(cache.getSync("k")).toEqual({ by: "the one that left" });
  });
});

describe("a thread that is ended is recovered", () => {
  test("by terminate(), with a fetch under way and locks held", async () => {
    const cache = await open(diskAt(freshPath()));
    const thread = attached(cache);
    expect(await thread.call("set", "k", 1)).toBe("stored");
    void thread.call("fetchSlow", "slow");
    // Otherwise the fetch would record its own lock over the ones that are held below.
    await until(() => Atomics.load(wordsOf(cache), at.controlFlightThreads / 4) !== 0);
    await thread.call("holdLocks");
    expect(locksHeld(cache).length).toBeGreaterThanOrEqual(2);
    await thread.worker.terminate();
    await until(() => cache.stats().threads.recovered === 1);
    await until(() => locksHeld(cache).length === 0);
    expect(cache.stats().threads).toEqual({ attached: 1, recovered: 1 });
    expect(cache.getSync("k")).toBe(1);
    expect(cache.set("k", 2)).toBe("stored");
    expect(Atomics.load(wordsOf(cache), at.controlFlightThreads / 4)).toBe(0);
    await cache.flush();
  });

  test("when it runs out of memory", async () => {
    const cache = await open();
    const options = { resourceLimits: { maxOldGenerationSizeMb: 24 } };
    const thread = new Thread({ handle: cache.handle() }, options);
    expect(await thread.call("set", "k", 1)).toBe("stored");
    void thread.call("exhaust");
    await thread.exited;
    await until(() => cache.stats().threads.recovered === 1);
    expect(cache.stats().threads).toEqual({ attached: 1, recovered: 1 });
  });

  // The exit events reach the worker's parent, not this thread, so only the system tells.
  test.runIf(isLinux)("when another worker started and ended it", async () => {
    const cache = await open();
    const parent = new Thread(undefined);
    await parent.call("begin", cache.handle());
    await until(() => cache.stats().threads.attached === 2);
    await parent.call("endChildren");
    await until(() => cache.stats().threads.recovered === 1);
    expect(cache.stats().threads.attached).toBe(1);
  });

  // An exit event would need a turn of the event loop.
  test.runIf(isLinux)("while the event loop of its parent is busy", async () => {
    const cache = await open();
    const thread = attached(cache);
    await thread.call("has", "k");
    await thread.call("holdLocks");
    const terminated = thread.worker.terminate();
    const start = performance.now();
    while (locksHeld(cache).length > 0 && performance.now() - start < 10_000);
    expect(locksHeld(cache)).toEqual([]);
    await terminated;
  });
});

test("a lock is not taken from a live thread, however long it sleeps", async () => {
  const cache = await open();
  const [sleeper, other] = [attached(cache), attached(cache)];
  await sleeper.call("has", "k");
  await sleeper.call("holdLocks");
  await other.call("has", "k");
  const asleep = sleeper.call("sleepFor", 600);
  const outcomes = new Set<unknown>();
  let isAsleep = true;
  void asleep.then(() => (isAsleep = false));
  while (isAsleep) {
    for (let key = 0; key < 200; key++) outcomes.add(await other.call("set", `k${key}`, 1));
  }
  expect(outcomes).toContain("stored");
  expect(locksHeld(cache).length).toBeGreaterThanOrEqual(2);
  expect(cache.stats().threads).toEqual({ attached: 3, recovered: 0 });
});

test("64 threads attached leave the pool its own ids: setAsync and the janitor go on", async () => {
  const path = freshPath();
  const cache = await open(diskAt(path));
  for (let thread = 1; thread < 64; thread++) attachCache(cache.handle());
  const error = await errorOf(() => attachCache(cache.handle()));
  expect(error).toMatchObject({ code: "ERR_TOO_MANY_THREADS" });
  expect(error.message).toContain("close() it in threads that no longer need it");
  const sets = [0, 1, 2, 3].map((key) => cache.setAsync(`k${key}`, "y".repeat(100_000)));
  expect(await Promise.all(sets)).toEqual(["stored", "stored", "stored", "stored"]);
  await cache.flush({ fsync: true });
  expect(await cache.fetch("f", async () => 7)).toBe(7);
  expect(cache.stats().threads.attached).toBe(64);
});

test("the 65th thread gets an error, and then the id of a thread that left", async () => {
  const cache = await open();
  const rest = Array.from({ length: 63 }, () => attachCache(cache.handle()));
  expect((await errorOf(() => attachCache(cache.handle()))).code).toBe("ERR_TOO_MANY_THREADS");
  expect(cache.stats().threads.attached).toBe(64);
  await rest[17]!.close();
  const late = attachCache(cache.handle());
  expect((await errorOf(() => attachCache(cache.handle()))).code).toBe("ERR_TOO_MANY_THREADS");
  late.set("k", 1);
  expect(cache.getSync("k")).toBe(1);
});

test("attaching and detaching adds no listeners to the process", async () => {
  const count = (): number[] =>
    (["exit", "worker"] as const).map((event) => process.listenerCount(event as "exit"));
  // The registrations of closed caches are dropped when the next cache is made.
  await (await open()).close();
  const before = count();
  const cache = await open();
  const during = count();
  const all = Array.from({ length: 40 }, () => attachCache(cache.handle()));
  expect(count()).toEqual(during);
  for (const one of all) await one.close();
  await cache.close();
  expect(count()).toEqual(before);
});

test("close() in an attached thread waits for its reads from disk", async () => {
  const cache = await open(diskAt(freshPath()));
  for (let key = 0; key < 400; key++) cache.set(`k${key}`, "x".repeat(8000));
  await cache.flush();
  const other = attachCache(cache.handle());
  const onDisk = Array.from({ length: 400 }, (_, key) => `k${key}`).filter(
    (key) => other.getSync(key) === undefined && other.has(key),
  );
  expect(onDisk.length).toBeGreaterThan(0);
  const reads = onDisk.map((key) => other.get(key).catch((error: { code: string }) => error.code));
  let ended = 0;
  for (const read of reads) void read.then(() => (ended += 1));
  const closing = other.close();
  // When a read ends, it uses its thread's id, so nobody else may have that id until then.
  expect(cache.stats().threads.attached).toBe(2);
  await closing;
  expect(cache.stats().threads.attached).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(ended).toBe(onDisk.length);
  for (const value of await Promise.all(reads)) expect(value).toBe("ERR_CACHE_CLOSED");
});

describe("an opener that is a worker", () => {
  async function openInWorker(options: unknown): Promise<{ opener: Thread; cache: Cache }> {
    const opener = new Thread(undefined);
    const handle = (await opener.call("open", options)) as CacheHandle;
    return { opener, cache: attachCache(handle) };
  }

  test.each([
    ["is terminated", (opener: Thread) => opener.worker.terminate()],
    ["ends by process.exit()", (opener: Thread) => opener.call("exit", 0)],
    ["throws", (opener: Thread) => opener.call("throwLater").then(() => opener.exited)],
  ])("%s: closed for all, never a hang, and the directory is free", async (_name, end) => {
    const threadsBefore = held().threads;
    const path = freshPath();
    const options = { memory: "2mb", ...diskAt(path) };
    const { opener, cache } = await openInWorker(options);
    const third = new Thread({ handle: cache.handle() });
    expect(await third.call("set", "k", 1)).toBe("stored");
    await cache.flush();
    const waiting = errorOf(async () => {
      while (true) await cache.flush();
    });
    await end(opener);
    expect((await waiting).code).toBe("ERR_CACHE_CLOSED");
    expect((await errorOf(() => cache.getSync("k"))).code).toBe("ERR_CACHE_CLOSED");
    // Elsewhere only the opener's parent sees a terminate(), and tells the others.
    const told = (): Promise<unknown> =>
      third.call("getSync", "k").catch(({ code }: { code: string }) => code);
    await expect.poll(told, { timeout: 10_000 }).toBe("ERR_CACHE_CLOSED");
    expect((await errorOf(() => attachCache(cache.handle()))).code).toBe("ERR_CACHE_CLOSED");
    await cache.close();
    await third.worker.terminate();
    const next = await openCache(options);
    expect(await next.get("k")).toBe(1);
    await next.close();
    await until(() => held().threads <= threadsBefore);
  });
});
