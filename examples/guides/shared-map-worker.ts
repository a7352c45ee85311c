// A worker that attaches to the map of docs/shared-map.md.
import { parentPort, workerData } from "node:worker_threads";

import { type MapHandle, SharedHashMap } from "undercroft/shared-map";

const map = SharedHashMap.attach<{ name: string }>(workerData as MapHandle);
parentPort?.postMessage(map.get("user:7")?.name); // what any thread has set, at once
map.close(); // gives this thread's id back
