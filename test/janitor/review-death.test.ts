// A janitor that throws: its worker tells of it twice, as an error and as an exit, and it has died once.

import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Kernel, KeyWindow } from "../../dist/src/kernel/mod.js";
import { type Cache, openCache } from "../../dist/src/mod.js";
import { until } from "../disk-log/killed.js";
import { freeSegments, watermark } from "../disk-log/scratch-cache.js";

/** Makes a record say that it is shorter than its header, on which a walk runs into the weeds; returns what heals it. */
function spoil(cache: Cache<string>, key: string): () => void {
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

test("one death is one restart, and the successor is left alone", async () => {
  const cache = await openCache<string>({ memory: "2mb" });
  const restarts: string[] = [];
  const errors: string[] = [];
  cache.on("error", ({ error }) => errors.push(error.message));
  cache.set("spoilt", "v");
  const heal = spoil(cache, "spoilt");
  cache.on("worker-restarted", ({ reason }) => {
    heal();
    restarts.push(reason);
  });
  const value = "v".repeat(1000);
  // Only while there is room, so that the janitor evicts and no writer has to: it would meet what is spoilt.
  const hasRoom = (): boolean => freeSegments(cache) >= watermark(cache);
  for (let number = 0; restarts.length === 0 && number < 20_000; number++) {
    if (number % 10 === 0) await until(() => restarts.length > 0 || hasRoom());
    cache.set(`k${number}`, value);
  }
  await sleep(500);
  expect(restarts).toHaveLength(1);
  const { evicted } = cache.stats().segments;
  for (let number = 0; number < 20_000; number++) cache.set(`m${number}`, value);
  await until(() => cache.stats().segments.evicted > evicted);
  expect(cache.stats().workerRestarts).toBe(1);
  expect(errors).toEqual([]);
  await cache.close();
});
