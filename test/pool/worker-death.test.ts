// What happens when workers of the pool die. Node's "worker" event reports each thread that this
// one starts; `terminate()` stops one at any instruction, as a crash would.

import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { attachCache, type Cache, type CacheEventMap } from "../../dist/src/mod.js";
import { closeLossy, diskAt, freshPath, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

let started: Worker[] = [];

function note(worker: Worker): void {
  started.push(worker);
}

beforeEach(() => {
  started = [];
  process.on("worker", note);
});
afterEach(() => {
  process.off("worker", note);
});

/** Opens a cache; its janitor is the first worker that it starts. */
async function openWatched(tier: string): Promise<{
  readonly cache: Cache;
  readonly restarts: CacheEventMap["worker-restarted"][];
  readonly errors: CacheEventMap["error"][];
}> {
  const cache = await open({ memory: "8mb", ...(tier === "disk" ? diskAt(freshPath()) : {}) });
  const restarts: CacheEventMap["worker-restarted"][] = [];
  const errors: CacheEventMap["error"][] = [];
  cache.on("worker-restarted", (event) => restarts.push(event));
  cache.on("error", (event) => errors.push(event));
  expect(started).toHaveLength(1);
  return { cache, restarts, errors };
}

/** Checks that a janitor is at work: only a janitor removes what expired and is never read. */
async function expectAtWork(cache: Cache): Promise<void> {
  const { expirations } = cache.stats();
  cache.set("pulse", 1, { ttl: 1 });
  await until(() => cache.stats().expirations > expirations);
  expect(await cache.flush()).toBe(undefined);
}

describe.each([["memory"], ["disk"]])("a janitor that dies (%s)", (tier) => {
  test("is replaced; entries stay, and flush and eviction work", async () => {
    const { cache, restarts, errors } = await openWatched(tier);
    for (let key = 0; key < 100; key++) cache.set(`k${key}`, { key });
    await started[0]!.terminate();
    for (let key = 0; key < 100; key++) expect(cache.getSync(`k${key}`)).toEqual({ key });
    await until(() => restarts.length > 0);
    expect(restarts).toEqual([{ worker: "janitor", reason: expect.stringMatching(/./) as string }]);
    await cache.flush();
    for (let key = 0; key < 100; key++) expect(await cache.get(`k${key}`)).toEqual({ key });
    expect(started).toHaveLength(2);
    await expectAtWork(cache);
    expect(errors).toEqual([]);
    expect(cache.stats().workerRestarts).toBe(1);
  });

  test("in the middle of its work loses no write, and no older value comes back", async () => {
    const { cache, restarts } = await openWatched(tier);
    const newest = new Map<string, number>();
    for (let write = 0; write < 6000; write++) {
      const key = `k${write % 700}`;
      if (write % 7 === 0) {
        cache.delete(key);
        newest.delete(key);
      } else if (cache.set(key, { write, pad: "x".repeat(2000) }) === "stored") {
        newest.set(key, write);
      } else newest.delete(key);
      if (write === 3000) void started[0]!.terminate();
      if (write % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => restarts.length === 1);
    await cache.flush();
    let found = 0;
    for (let key = 0; key < 700; key++) {
      const value = (await cache.get(`k${key}`)) as { readonly write: number } | undefined;
      // It may be absent for want of room, but never an older value.
      if (value === undefined) continue;
      found += 1;
      expect([key, value.write]).toEqual([key, newest.get(`k${key}`)]);
    }
    expect(found).toBeGreaterThan(100);
    await expectAtWork(cache);
  });

  test("while a flush waits for it leaves the flush to the next one", async () => {
    const { cache, restarts } = await openWatched(tier);
    for (let key = 0; key < 500; key++) cache.set(`k${key}`, Buffer.alloc(5000));
    const flushed = Promise.all([cache.flush(), cache.flush({ fsync: true })]);
    const terminated = started[0]!.terminate();
    expect(await flushed).toEqual([undefined, undefined]);
    await terminated;
    await until(() => restarts.length === 1);
    await expectAtWork(cache);
    expect(await cache.flush({ fsync: true })).toBe(undefined);
  });

  test("just before close does not keep close from ending", async () => {
    const { cache } = await openWatched(tier);
    cache.set("k", 1);
    const closed = closeLossy(cache);
    await started[0]!.terminate();
    // It may have been written before.
    expect(await closed).toMatch(
      tier === "disk" ? /^kept$|: (1 entry that was|0 entries that were) not on disk/ : "kept",
    );
    expect(() => cache.getSync("k")).toThrow("it is closed");
  });

  test("again and again is given up with an error, and memory goes on", async () => {
    const { cache, restarts, errors } = await openWatched(tier);
    for (let death = 1; death <= 6; death++) {
      await started.at(-1)!.terminate();
      await until(() => restarts.length === death);
      // Ready, not only started: the next one must die at work.
      if (errors.length === 0) await expectAtWork(cache);
    }
    expect(errors).toHaveLength(1);
    expect(errors[0]!.error).toMatchObject({ code: "ERR_WORKER" });
    expect(errors[0]!.error.message).toContain("it died 6 times within a minute");
    for (let key = 0; key < 5000; key++) cache.set(`k${key}`, Buffer.alloc(5000));
    cache.set("last", 1);
    expect(cache.getSync("last")).toBe(1);
    const closed = await closeLossy(cache);
    expect(closed).toMatch(tier === "disk" ? /\d+ entries that were not on disk are lost/ : "kept");
  });
});

test("the set of a store worker that dies rejects or is stored whole", async () => {
  const { cache, restarts } = await openWatched("memory");
  expect(await cache.setAsync("k", "x".repeat(100_000))).toBe("stored");
  const worker = started.at(-1)!;
  expect(started.length).toBeGreaterThan(1);
  const value = "y".repeat(1_000_000);
  const stored = cache.setAsync("k", value).then(
    (outcome) => outcome,
    (error: { readonly code: string }) => error.code,
  );
  await worker.terminate();
  const outcome = await stored;
  expect(["stored", "ERR_WORKER"]).toContain(outcome);
  expect(cache.getSync("k")).toBe(outcome === "stored" ? value : undefined);
  await until(() => restarts.some(({ worker: which }) => which === "store"));
  expect(await cache.setAsync("k", "z".repeat(100_000))).toBe("stored");
  expect(cache.getSync("k")).toBe("z".repeat(100_000));
  await expectAtWork(cache);
});

test("store workers that die one after the other leave their thread ids free", async () => {
  const { cache, restarts } = await openWatched("memory");
  for (let death = 0; death < 6; death++) {
    const known = started.length;
    // Two at once, so that a dead worker's successor is started while the other is idle or not.
    await Promise.all([cache.setAsync("k", `${death}`), cache.setAsync("l", `${death}`)]);
    await (started[known] ?? started.at(-1)!).terminate();
    await until(() => restarts.length > death);
  }
  expect(await cache.setAsync("k", "last")).toBe("stored");
  expect(cache.getSync("k")).toBe("last");
  // The workers have ids of their own; of the user's 64 the opener has one.
  const attached = Array.from({ length: 63 }, () => attachCache(cache.handle()));
  expect(attached.at(-1)!.getSync("k")).toBe("last");
});
