// A thread of loader-cycles.test.ts: loads a key by waiting for the next one, which another thread loads.

import { parentPort, workerData } from "node:worker_threads";

import { attachCache } from "../../dist/src/mod.js";

const { handle, key, next, board, threads } = workerData;
const cache = attachCache(handle);

function sleep(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

async function load() {
  Atomics.add(board, 0, 1);
  while (Atomics.load(board, 0) < threads) await sleep(5);
  return cache.fetch(next, () => "the loader is not to run");
}

const error = await cache.fetch(key, load).catch((reason) => reason);
const after = await cache.fetch(`${key} again`, () => "now");
parentPort.postMessage({ code: error.code, message: error.message, after });
await cache.close();
