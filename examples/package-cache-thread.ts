// The second thread of the example: attaches to the cache that the main thread opened and reads its
// entries. package-cache.ts starts it as a worker; it answers with one PassReport.

import { parentPort, workerData } from "node:worker_threads";

import { attachCache, type CacheHandle } from "../src/mod.js";
import type { PackageFile, Parsed } from "./package-files.js";
import { timedPass } from "./package-pass.js";

const { handle, files, rounds } = workerData as {
  handle: CacheHandle;
  files: PackageFile[];
  rounds: number;
};

const start = performance.now();
const cache = attachCache<Parsed>(handle);
const attachMs = performance.now() - start;
const report = await timedPass(
  "second thread, attached",
  cache,
  files,
  rounds,
  (file) => cache.getSync(file.path),
  () => {},
);
await cache.close();
parentPort?.postMessage({ report, attachMs });
