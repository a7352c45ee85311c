// A worker of leak.ts: attaches and detaches, then attaches once more and ends that way.

import { parentPort, workerData } from "node:worker_threads";

import { attachCache } from "../../src/mod.js";
import type { LeakData } from "./leak.js";

const { handle, rounds, way } = workerData as LeakData;
for (let round = 1; round < rounds; round++) {
  const cache = attachCache(handle);
  cache.set(`w${round}`, round);
  await cache.close();
}
const cache = attachCache(handle);
cache.set("last", way);
if (way === "throw") throw new Error("on purpose");
if (way === "exit") process.exit(0);
parentPort?.postMessage("attached");
// Terminated by then.
setInterval(() => cache.getSync("last"), 1000);
