// What the bundlers bundle: a cache on disk that is opened, filled, shared with a second thread, closed and opened again.
// Prints one line and ends by itself. `thread.js` is bundled beside it, as a user bundles the threads that he starts.
import assert from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { openCache } from "undercroft";
import { SharedHashMap } from "undercroft/shared-map";

async function main() {
  const path = mkdtempSync(join(tmpdir(), "undercroft-app-"));
  const options = { memory: "8mb", disk: { path, capacity: "16mb" } };
  const large = "x".repeat(1_000_000);
  const cache = await openCache(options);
  const map = SharedHashMap.create({ memory: "1mb" });
  assert.equal(cache.set("object", { x: 1 }), "stored");
  assert.equal(await cache.setAsync("large", large), "stored");
  const workerData = { cache: cache.handle(), map: map.handle() };
  const thread = new Worker(process.argv[1].replace(/app(?=\.\w+$)/, "thread"), { workerData });
  const code = await new Promise((resolve, reject) => {
    thread.once("error", reject).once("exit", resolve);
  });
  assert.equal(code, 0);
  assert.deepEqual(cache.getSync("answer"), { from: "thread", x: 1 });
  assert.equal(map.get("answer"), 1);
  map.close();
  await cache.close();
  const again = await openCache(options);
  assert.deepEqual(await again.get("object"), { x: 1 });
  assert.equal(await again.get("large"), large);
  await again.close();
  rmSync(path, { recursive: true });
  process.stdout.write("RIGHT\n");
}

main().catch((error) => {
  process.stdout.write(`${error.code}: ${error.message}\n`);
  process.exit(1);
});
