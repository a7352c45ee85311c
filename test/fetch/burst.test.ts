// Bursts: more loads and asynchronous sets at once than the flight table has flights, in one thread
// and in several, with a key among them that everybody wants.

import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { flightCountMin } from "../../dist/src/kernel/flight-layout.js";
import { attachCache, type Cache } from "../../dist/src/mod.js";
import { flightCountOf } from "../../dist/test/proof/flight-words.js";
import { open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

function flightsOf(cache: Cache): number {
  return flightCountOf(cache.handle().worker.memory.buffer);
}

test.each([
  ["1mb", flightCountMin],
  ["64mb", 16_384],
  ["200mb", 32_768],
  ["1gb", 262_144],
])("a cache of %s has %i flights", async (memory, flights) => {
  expect(flightsOf(await open({ memory }))).toBe(flights);
});

describe("a burst of fetches", () => {
  test("of many times as many keys as flights is stored whole, one load a key", async () => {
    const cache = await open<number>({ memory: "4mb" });
    const count = 12 * flightsOf(cache);
    const loads = new Map<number, number>();
    let atOnce = 0;
    let mostAtOnce = 0;
    const load = async (key: number): Promise<number> => {
      loads.set(key, (loads.get(key) ?? 0) + 1);
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      await nextTurn();
      atOnce -= 1;
      return key;
    };
    const all = Array.from({ length: count }, (_, key) => cache.fetch(`${key}`, () => load(key)));
    // Each key once more, while its load waits or runs.
    const again = Array.from({ length: count }, (_, key) => cache.fetch(`${key}`, () => load(key)));
    const keys = Array.from({ length: count }, (_, key) => key);
    expect(await Promise.all(all)).toEqual(keys);
    expect(await Promise.all(again)).toEqual(keys);
    expect([loads.size, Math.max(...loads.values())]).toEqual([count, 1]);
    expect(mostAtOnce).toBeLessThanOrEqual(flightsOf(cache));
    expect(mostAtOnce).toBeGreaterThan(0.9 * flightsOf(cache));
    const { fillsRefused, fillsSuperseded, flights, evictions } = cache.stats();
    expect({ fillsRefused, fillsSuperseded }).toEqual({ fillsRefused: 0, fillsSuperseded: 0 });
    expect(flights.queued).toBeGreaterThanOrEqual(count - flightsOf(cache));
    const missing = keys.filter((key) => cache.getSync(`${key}`) === undefined);
    expect(missing.length).toBeLessThanOrEqual(evictions.memory + evictions.index);
  });

  test("over threads is stored whole, and a hot key loads once", async () => {
    const cache = await open<string>({ memory: "8mb" });
    const threads = 3;
    const perThread = 2 * flightsOf(cache);
    const board = new Int32Array(new SharedArrayBuffer(4 * (threads * perThread + 2)));
    const workers = Array.from({ length: threads }, (_, thread) => {
      const task = {
        handle: cache.handle(),
        board,
        hot: threads * perThread,
        first: thread * perThread,
        count: perThread,
        threads,
      };
      return new Worker(new URL("burst-thread.mjs", import.meta.url), { workerData: task });
    });
    const ends = workers.map((worker) => {
      return new Promise((resolve, reject) => {
        worker.once("message", resolve).once("error", reject);
      });
    });
    expect(await Promise.all(ends)).toEqual(Array(threads).fill("right"));
    const loads = Array.from(board.subarray(0, threads * perThread + 1));
    expect(loads.every((count) => count === 1)).toBe(true);
    const { fillsRefused, flights, evictions } = cache.stats();
    expect(fillsRefused).toBe(0);
    expect(flights.queued).toBeGreaterThan(0);
    expect(flights.alone).toEqual({ full: 0, busy: 0, twice: 0, unstored: 0 });
    let missing = 0;
    for (let key = 0; key < threads * perThread; key++) {
      if (cache.getSync(`k${key}`) === undefined) missing += 1;
    }
    expect(missing).toBeLessThanOrEqual(evictions.memory + evictions.index);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  test("whose loaders fetch other keys of it ends", async () => {
    const cache = await open<number>();
    const count = 3 * flightsOf(cache);
    // Each waits for the next, and the last for none: more loads than flights wait in one chain.
    const load = async (key: number): Promise<number> => {
      await nextTurn();
      return key === count - 1 ? 0 : 1 + (await cache.fetch(`${key + 1}`, () => load(key + 1)));
    };
    const all = Array.from({ length: count }, (_, key) => cache.fetch(`${key}`, () => load(key)));
    expect(await Promise.all(all)).toEqual(all.map((_, key) => count - 1 - key));
    expect(cache.stats().flights.cycles).toBe(0);
    expect(cache.stats().flights.alone.full).toBeGreaterThan(0);
  });

  test("waits for flights that another thread has", async () => {
    const cache = await open<number>();
    const other = attachCache<number>(cache.handle());
    const ends: (() => void)[] = [];
    const gate = (): Promise<number> => new Promise((resolve) => void ends.push(() => resolve(1)));
    const count = flightsOf(cache);
    const held = Array.from({ length: 2 * count }, (_, key) => other.fetch(`o${key}`, gate));
    await until(() => ends.length > 0.9 * count);
    const all = Array.from({ length: count }, (_, key) => cache.fetch(`c${key}`, () => key));
    await until(() => cache.stats().flights.queued > count);
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
      end();
      await nextTurn();
    }
    expect(await Promise.all(all)).toEqual(all.map((_, key) => key));
    await Promise.all(held);
    expect(cache.stats().fillsRefused).toBe(0);
  });
});

test("asynchronous sets in a burst take no flights from loads, and are not lost", async () => {
  const cache = await open<string>({ memory: "16mb" });
  const count = 3 * flightsOf(cache);
  const sets = Array.from({ length: count }, (_, key) => cache.setAsync(`s${key}`, `set ${key}`));
  const loads = Array.from({ length: 200 }, (_, key) =>
    cache.fetch(`l${key}`, () => `load ${key}`),
  );
  const outcomes = await Promise.all(sets);
  expect(await Promise.all(loads)).toEqual(loads.map((_, key) => `load ${key}`));
  expect(new Set(outcomes)).toEqual(new Set(["stored", "overloaded"]));
  for (const [key, outcome] of outcomes.entries()) {
    expect(cache.getSync(`s${key}`)).toBe(outcome === "stored" ? `set ${key}` : undefined);
  }
  for (const key of loads.keys()) expect(cache.getSync(`l${key}`)).toBe(`load ${key}`);
  const { fillsRefused, flights } = cache.stats();
  expect([fillsRefused, flights.queued, flights.alone.full]).toEqual([0, 0, 0]);
});
