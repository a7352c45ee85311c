// A thread that sets `count` values in a namespace's neighbour and posts how they ended.

import { parentPort, workerData } from "node:worker_threads";
import { attachCache } from "../../dist/src/mod.js";

const { handle, name, count, value } = workerData;
const cache = attachCache(handle);
const outcomes = {};
for (let i = 0; i < count; i++) {
  const outcome = cache.set(`${name}-${i}`, value);
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}
parentPort.postMessage(outcomes);
await cache.close();
