// The second thread of app.js.
import { workerData } from "node:worker_threads";
import { attachCache } from "undercroft";
import { SharedHashMap } from "undercroft/shared-map";

async function main() {
  const cache = await attachCache(workerData.cache);
  const map = SharedHashMap.attach(workerData.map);
  const { x } = cache.getSync("object");
  cache.set("answer", { from: "thread", x });
  map.set("answer", x);
  map.close();
  await cache.close();
}

void main();
