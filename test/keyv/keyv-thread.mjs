// A thread with a Keyv over the cache of keyv-store.test.ts.
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import Keyv from "keyv";
import { keyvStore } from "../../dist/src/keyv/mod.js";
import { attachCache } from "../../dist/src/mod.js";

const cache = attachCache(workerData);
const keyv = new Keyv({ store: keyvStore(cache.namespace("shared")), namespace: "n" });
await keyv.set("there", "from a thread");
const cleared = once(parentPort, "message");
parentPort.postMessage(await keyv.get("here"));
await cleared;
parentPort.postMessage(await keyv.get(["here", "there"]));
await cache.close();
parentPort.close();
