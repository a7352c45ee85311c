// A map of a fixed budget for every thread; shown in docs/shared-map.md.
import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { SharedHashMap } from "undercroft/shared-map";

const map = SharedHashMap.create<{ name: string }>({ memory: "64mb" });
console.log(map.set("user:7", { name: "Ada" })); // stored
console.log(map.get("user:7")); // { name: 'Ada' }

const file = new URL("./shared-map-worker.js", import.meta.url);
const [seen] = await once(new Worker(file, { workerData: map.handle() }), "message");
console.log(seen); // Ada
map.close();
