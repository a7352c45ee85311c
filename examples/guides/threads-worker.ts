// A worker that attaches to the cache of docs/guides/threads.md, and loads through it.
import { parentPort, workerData } from "node:worker_threads";

import { attachCache, type CacheHandle } from "undercroft";

const { handle } = workerData as { readonly handle: CacheHandle };
const cache = attachCache<string>(handle);

/** Each thread has loaders of its own: functions are not shared. */
const loadReport = async (): Promise<string> => "loaded";

parentPort?.postMessage(await cache.fetch("report", loadReport));
await cache.close(); // this thread detaches; the cache stays open
