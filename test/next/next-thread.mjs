// A thread with a handler over the cache of use-cache-handler.test.ts.
import { parentPort, workerData } from "node:worker_threads";
import { attachCache } from "../../dist/src/mod.js";
import { nextCacheHandler } from "../../dist/src/next/mod.js";

const cache = attachCache(workerData);
const handler = nextCacheHandler(cache);
const found = await handler.get("key", []);
await handler.updateTags(["tag"]);
parentPort.postMessage(await new Response(found?.value).text());
await cache.close();
parentPort.close();
