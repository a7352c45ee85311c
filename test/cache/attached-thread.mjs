// What the threads of threads.test.ts run: attaches to a cache and does what it is told, a method at a time.
import { getEnvironmentData, parentPort, workerData } from "node:worker_threads";
import { attachCache } from "../../dist/src/mod.js";

let cache;

function attach(handle) {
  cache = attachCache(handle);
}

/** Steps that one message could not say. */
const steps = {
  attach,
  // Counts up under its own keys until told to stop by the cache itself.
  writeUntilStopped: (name) => {
    let writes = 0;
    while (!cache.has("stop") && writes < 1_000_000) {
      cache.set(`${name}-${writes % 100}`, { name, writes });
      writes += 1;
      const read = cache.getSync(`${name}-${writes % 100}`);
      if (read !== undefined && read.name !== name) throw new Error("another's value");
    }
    return writes;
  },
  writeMany: (name, count) => {
    for (let write = 0; write < count; write++) cache.set(`${name}-${write}`, write);
  },
  readUntil: (key, value) => {
    while (cache.getSync(key) !== value);
  },
  fetchSlow: (key) => cache.fetch(key, () => new Promise(() => {})),
  exit: () => process.exit(0),
};

parentPort.on("message", async ({ id, method, args }) => {
  try {
    const step = steps[method];
    const value = step === undefined ? await cache[method](...args) : await step(...args);
    parentPort.postMessage({ id, value });
  } catch (error) {
    parentPort.postMessage({ id, error: { code: error.code, message: error.message } });
  }
});

if (workerData?.handle !== undefined) attach(workerData.handle);
else if (workerData?.environmentKey !== undefined) {
  attach(getEnvironmentData(workerData.environmentKey));
}
