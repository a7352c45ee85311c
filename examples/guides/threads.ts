// One cache for every thread: this one opens it, the workers attach. Shown in
// docs/guides/threads.md.
import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { openCache } from "undercroft";

const cache = await openCache<string>({ memory: "16mb" });

const file = new URL("./threads-worker.js", import.meta.url);
const workers = Array.from(
  { length: 2 },
  () => new Worker(file, { workerData: { handle: cache.handle() } }),
);
const exits = workers.map((worker) => once(worker, "exit"));
const answers = await Promise.all(workers.map((worker) => once(worker, "message")));

console.log(answers.flat().join()); // loaded,loaded
console.log(cache.getSync("report")); // loaded
console.log(cache.stats().loads); // 1

await Promise.all(exits);
await cache.close(); // the thread that opened a cache closes it, last of all
