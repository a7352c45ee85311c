// A thread of burst.test.ts: fetches all its keys at once, and between them a key that all threads want. Counts the loads of each
// key on the board.

import { parentPort, workerData } from "node:worker_threads";

import { attachCache } from "../../dist/src/mod.js";

const { handle, board, hot, first, count, threads } = workerData;
const cache = attachCache(handle);
// All begin together.
Atomics.add(board, hot + 1, 1);
Atomics.notify(board, hot + 1);
for (let ready = Atomics.load(board, hot + 1); ready < threads;) {
  Atomics.wait(board, hot + 1, ready, 10);
  ready = Atomics.load(board, hot + 1);
}

async function load(key) {
  Atomics.add(board, key, 1);
  await new Promise((resolve) => setImmediate(resolve));
  return `v${key}`;
}

const all = [];
for (let key = first; key < first + count; key++) {
  all.push(cache.fetch(`k${key}`, () => load(key)));
  if (key % 50 === 0) all.push(cache.fetch("hot", () => load(hot)));
}
const values = await Promise.all(all);
let next = 0;
let fault = "right";
for (let key = first; key < first + count; key++) {
  if (values[next++] !== `v${key}`) fault = `key ${key} is wrong`;
  if (key % 50 === 0 && values[next++] !== `v${hot}`) fault = "the hot key is wrong";
}
await cache.close();
parentPort.postMessage(fault);
