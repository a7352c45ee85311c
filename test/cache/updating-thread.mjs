// A thread of updates.test.ts: counts up a few keys that other threads count up too.
import { parentPort, workerData } from "node:worker_threads";
import { attachCache } from "../../dist/src/mod.js";

const { handle, rounds, keys } = workerData;
const cache = attachCache(handle);
const outcomes = new Set();
for (let round = 0; round < rounds; round++) {
  outcomes.add(cache.update(`k${round % keys}`, (count) => count + 1, { absent: 1 }));
}
await cache.close();
parentPort.postMessage({ done: rounds, outcomes: [...outcomes] });
