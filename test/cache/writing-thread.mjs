// A thread of guarded-writes.test.ts and of the crash test of writes: lanes that read and write
// rows of a source. The source is a few words of shared memory: a row, and how far it was
// committed.
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { attachCache } from "../../dist/src/mod.js";

const { handle, words, keys, lanes, rounds, dies } = workerData;
const cache = attachCache(handle);
const remote = () => sleep(Math.random() * 3);
let stale = 0;
let reads = 0;
let writes = 0;

function commit(key, version) {
  const at = keys + key;
  for (let seen = Atomics.load(words, at); seen < version;) {
    seen = Atomics.compareExchange(words, at, seen, version);
  }
}

async function read(key) {
  const before = Atomics.load(words, keys + key);
  const row = await cache.fetch(`k${key}`, async () => {
    const version = Atomics.load(words, key);
    await remote();
    return { version };
  });
  reads += 1;
  if (row.version < before) stale += 1;
}

async function write(key) {
  let version;
  await cache
    .write(`k${key}`, async () => {
      version = Atomics.add(words, key, 1) + 1;
      await remote();
      if (Math.random() < 0.1) throw new Error("on purpose");
      return Math.random() < 0.1 ? undefined : { version };
    })
    .catch((error) => {
      if (error.message !== "on purpose") throw error;
    });
  writes += 1;
  commit(key, version);
}

async function lane() {
  for (let round = 0; round < rounds; round++) {
    const key = Math.floor(Math.random() ** 2 * keys);
    await read(key);
    if (Math.random() < 0.3) await write(key);
    if (dies && round === rounds >> 1) process.exit(1);
  }
}

await Promise.all(Array.from({ length: lanes }, lane));
await cache.close();
parentPort.postMessage({ stale, reads, writes });
