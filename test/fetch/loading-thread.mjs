// What the threads of shared-fetch-threads.test.ts run: fetches whose loaders count their calls on
// a board in shared memory and end when the test opens the gate there.
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, threadId, workerData } from "node:worker_threads";
import { attachCache } from "../../dist/src/mod.js";

const cache = attachCache(workerData.handle);
const board = new Int32Array(workerData.board);
const gate = 0;

const loaders = {
  /** A slow source. Counts the call under the key's number. */
  counted: async ({ key }) => {
    Atomics.add(board, Number(key.slice(1)), 1);
    await sleep(5);
    return { key, from: threadId };
  },
  gated: async ({ key }) => {
    Atomics.add(board, Number(key.slice(1)), 1);
    while (Atomics.load(board, gate) === 0) await sleep(2);
    return workerData.name;
  },
  /** Blocks the event loop of its thread. */
  blocking: ({ key }) => {
    Atomics.add(board, Number(key.slice(1)), 1);
    Atomics.wait(board, gate, 0, 30_000);
    return workerData.name;
  },
  quick: ({ key }) => {
    Atomics.add(board, Number(key.slice(1)), 1);
    return workerData.name;
  },
};

parentPort.on("message", async ({ keys, loader, options }) => {
  try {
    const values = keys.map((key) => cache.fetch(key, loaders[loader], options));
    parentPort.postMessage({ values: await Promise.all(values) });
  } catch (error) {
    parentPort.postMessage({ error });
  }
});
parentPort.postMessage({ values: "ready" });
