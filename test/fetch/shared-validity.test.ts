// `isValid` over all threads: one load of a refused value. Caches attached in this one thread count
// as threads; real threads are at the end.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, expectTypeOf, test } from "vitest";
import { attachCache, type Cache, ManualClock } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches, until } from "../cache/opened.js";
import { Loads, never, waits } from "./loads.js";

setUpCaches();

interface Agent {
  readonly hash: number;
}

const has =
  (hash: number) =>
  (agent: unknown): boolean =>
    (agent as Agent).hash === hash;

function threadsOf(cache: Cache): Cache[] {
  return [cache, attachCache(cache.handle()), attachCache(cache.handle())];
}

describe("a value that isValid refuses in all threads", () => {
  test.each(["memory", "disk"])("and that is in %s is loaded once, and counted", async (tier) => {
    const path = freshPath();
    if (tier === "disk") {
      const before = await open(diskAt(path));
      before.set("k", { hash: 1 });
      await before.close();
    }
    const cache = await open(tier === "disk" ? diskAt(path) : {});
    if (tier === "memory") cache.set("k", { hash: 1 });
    const loads = new Loads();
    const all = threadsOf(cache).map((one) => one.fetch("k", loads.loader, { isValid: has(2) }));
    await until(() => loads.count === 1 && waits(cache) === 2);
    loads.finish({ hash: 2 });
    expect(await Promise.all(all)).toEqual([{ hash: 2 }, { hash: 2 }, { hash: 2 }]);
    const { loads: run, invalid, misses, hits, requests } = cache.stats();
    const counted = { run, invalid, misses, hits: hits.total, requests };
    expect(counted).toEqual({ run: 1, invalid: 3, misses: 3, hits: 0, requests: 3 });
  });

  test("is not the answer of a load that another thread had begun before", async () => {
    const cache = await open();
    const [, other] = threadsOf(cache) as [Cache, Cache];
    const loads = new Loads();
    const first = cache.fetch("k", loads.loader);
    await until(() => loads.count === 1);
    const later = other.fetch("k", loads.loader, { isValid: has(2) });
    await until(() => waits(cache) === 1);
    loads.finish({ hash: 1 });
    expect(await first).toEqual({ hash: 1 });
    await until(() => loads.count === 2);
    loads.finish({ hash: 1 }, 1); // its own load's answer is taken as it is
    expect(await later).toEqual({ hash: 1 });
    expect(cache.stats().invalid).toBe(1);
  });

  test("rejects all of them with the loader's error", async () => {
    const cache = await open({ staleFor: "1h" });
    cache.set("k", { hash: 1 });
    const loads = new Loads();
    const all = threadsOf(cache).map((one) =>
      one.fetch("k", loads.loader, { isValid: has(2) }).catch((error: Error) => error.message),
    );
    await until(() => loads.count === 1 && waits(cache) === 2);
    loads.fail(new Error("down"));
    expect(await Promise.all(all)).toEqual(["down", "down", "down"]);
    expect(await cache.fetch("k", never)).toEqual({ hash: 1 });
  });
});

interface CacheTimes {
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly tags: readonly string[];
}

describe("isValid", () => {
  test("gets the caller's key, and the value of a hit near or decoded", async () => {
    const clock = new ManualClock();
    for (const near of [false, { mode: "shared" }, { mode: "copy" }, { mode: "frozen" }] as const) {
      const cache = await open({ clock, near });
      const key = new Uint8Array([1, 2]);
      cache.set(key, { hash: 1 }, { ttl: 1000, tags: ["t"] });
      const asked: unknown[] = [];
      const isValid = (value: unknown, context: object): boolean => asked.push(value, context) > 0;
      for (let hit = 0; hit < 3; hit++) await cache.fetch(key, never, { isValid });
      const context = { key, createdAt: clock.now(), expiresAt: clock.now() + 1000, tags: ["t"] };
      expect(asked).toEqual([1, 2, 3].flatMap(() => [{ hash: 1 }, context]));
      const { hits } = cache.stats();
      expect(hits.near + hits.memory).toBe(3);
      await cache.close();
    }
  });

  test("is asked about one record's value and times, though a thread replaces it", async () => {
    const clock = new ManualClock();
    let replace = (): void => undefined;
    const now = (): number => {
      replace(); // a read looks at the clock between its lookups
      return clock.now();
    };
    const cache = await open({ clock: { now } });
    const other = attachCache(cache.handle());
    const put = (one: Cache, hash: number): void =>
      void one.set("k", { hash }, { ttl: 1000 * hash, tags: [`hash ${hash}`] });
    const told: unknown[] = [];
    const tell = (value: unknown, { createdAt, expiresAt, tags }: CacheTimes): boolean =>
      told.push({ value, ttl: expiresAt - createdAt, tags }) > 0;
    const reads: (() => Promise<unknown>)[] = [
      () => cache.fetch("k", never, { isValid: tell }),
      async () => {
        const entry = await cache.getEntry("k");
        if (entry !== undefined) tell(entry.value, entry);
      },
    ];
    for (const read of reads) {
      put(cache, 1);
      for (let hit = 0; hit < 3; hit++) expect(cache.getSync("k")).toEqual({ hash: 1 });
      let isReplaced = false;
      replace = () => {
        replace = () => undefined;
        put(other, 2);
        isReplaced = true;
      };
      await read();
      expect(isReplaced).toBe(true);
      expect((await cache.getEntry("k"))?.tags).toEqual(["hash 2"]);
    }
    expect(told).toHaveLength(2);
    for (const one of told) {
      const { hash } = (one as { readonly value: { readonly hash: number } }).value;
      expect(one).toEqual({ value: { hash }, ttl: 1000 * hash, tags: [`hash ${hash}`] });
    }
    expect(cache.stats().invalid).toBe(0);
  });

  test("may call the cache, and close it", async () => {
    const cache = await open();
    cache.set("k", { hash: 1 });
    const isValid = (): boolean => {
      cache.set("other", "x".repeat(1000));
      return cache.getSync("k") === undefined;
    };
    expect(await cache.fetch("k", () => ({ hash: 2 }), { isValid })).toEqual({ hash: 2 });
    const closing: Promise<void>[] = [];
    const close = (): boolean => closing.push(cache.close()) === 0;
    const fetched = cache.fetch("k", never, { isValid: close });
    await expect(fetched).rejects.toMatchObject({ code: "ERR_CACHE_CLOSED" });
    await Promise.all(closing);
  });

  test("has the type of what the fetch gives, in fetch and in wrap", async () => {
    const cache = await open();
    const load = async (): Promise<Agent> => ({ hash: 2 });
    cache.set("k", { hash: 1 });
    const agent = await cache.fetch("k", load, { isValid: ({ hash }) => hash === 2 });
    expectTypeOf(agent).toEqualTypeOf<Agent>();
    const wrapped = cache.wrap(load, { key: () => "k", isValid: ({ hash }) => hash === 3 });
    expect([agent, await wrapped()]).toEqual([{ hash: 2 }, { hash: 2 }]);
    expect(cache.stats().invalid).toBe(2);
  });
});

const program = `
  const { parentPort, workerData } = require("node:worker_threads");
  import(workerData.entry).then(({ attachCache }) => {
    const cache = attachCache(workerData.handle);
    const words = workerData.words;
    const load = async () => {
      Atomics.add(words, 1, 1);
      const hash = Atomics.load(words, 0);
      await new Promise((resolve) => setImmediate(resolve));
      return { hash };
    };
    parentPort.on("message", async (wanted) => {
      const isValid = ({ hash }) => hash === wanted;
      const fetches = Array.from({ length: 8 }, () => cache.fetch("k", load, { isValid }));
      for (const { hash } of await Promise.all(fetches)) {
        if (hash !== wanted) Atomics.add(words, 2, 1);
      }
      parentPort.postMessage("done");
    });
    parentPort.postMessage("ready");
  });`;

test("in real threads that find a value wrong at one moment, one loads it", async () => {
  const cache = await open();
  // Wanted hash, loads, values of another hash.
  const words = new Int32Array(new SharedArrayBuffer(12));
  const entry = new URL("../../dist/src/mod.js", import.meta.url).href;
  const workerData = { entry, words, handle: cache.handle() };
  const workers = [0, 1, 2].map(() => new Worker(program, { eval: true, workerData }));
  // Rejects with what a worker throws.
  const answered = () => Promise.all(workers.map((worker) => once(worker, "message")));
  await answered();
  for (let wanted = 1; wanted <= 30; wanted++) {
    Atomics.store(words, 0, wanted);
    const ends = answered();
    for (const worker of workers) worker.postMessage(wanted);
    await ends;
    expect([Atomics.load(words, 1), Atomics.load(words, 2)]).toEqual([wanted, 0]);
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
});
