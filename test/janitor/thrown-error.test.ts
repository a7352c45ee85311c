// A janitor that throws: its worker emits an error and an exit, which count as one death.

import type { Worker } from "node:worker_threads";

import { expect, test } from "vitest";
import { Kernel, KeyWindow } from "../../dist/src/kernel/mod.js";
import { type Cache, openCache } from "../../dist/src/mod.js";
import { until } from "../disk-log/killed.js";
import { freeSegments, watermark } from "../disk-log/scratch-cache.js";

/** Makes a record's size smaller than its header: to move it throws. Returns what repairs it. */
function damage(cache: Cache<string>, key: string): () => void {
  const { module, memory } = cache.handle().worker;
  const kernel = Kernel.attach(module, memory);
  const keys = new KeyWindow(kernel);
  const length = keys.write(key);
  expect(kernel.verbs.find(keys.at, length, 0, 0, 0)).toBeGreaterThanOrEqual(0);
  const { record } = kernel.results;
  const { u32 } = kernel.views;
  const size = u32[record / 4] as number;
  u32[record / 4] = 8;
  kernel.detach();
  return () => {
    u32[record / 4] = size;
  };
}

test("a janitor that throws is restarted once, and its successor goes on", async () => {
  // The janitor is the first worker that the cache starts.
  let exits = 0;
  process.once("worker", (worker: Worker) => worker.once("exit", () => (exits += 1)));
  // The first segment that "lfu" empties has room in the main log: its records are moved.
  const cache = await openCache<string>({ memory: "2mb", eviction: "lfu" });
  const restarts: string[] = [];
  const errors: string[] = [];
  cache.on("error", ({ error }) => errors.push(error.message));
  cache.set("damaged", "v");
  const repair = damage(cache, "damaged");
  cache.on("worker-restarted", ({ reason }) => {
    repair();
    restarts.push(reason);
  });
  const value = "v".repeat(1000);
  // Only while there is room, so that the janitor evicts: a writer that evicts would meet the
  // damage.
  const hasRoom = (): boolean => freeSegments(cache) >= watermark(cache);
  for (let number = 0; restarts.length === 0 && number < 20_000; number++) {
    if (number % 10 === 0) await until(() => restarts.length > 0 || hasRoom());
    cache.set(`k${number}`, value);
  }
  await until(() => exits === 1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(restarts).toHaveLength(1);
  const { evicted } = cache.stats().segments;
  for (let number = 0; number < 20_000; number++) cache.set(`m${number}`, value);
  await until(() => cache.stats().segments.evicted > evicted);
  expect(restarts).toHaveLength(1);
  expect(cache.stats().workerRestarts).toBe(1);
  expect(errors).toEqual([]);
  await cache.close();
});
