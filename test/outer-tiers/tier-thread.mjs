// What the threads of tier-threads.test.ts run: attaches to a cache, and does what it is told.
import { parentPort, workerData } from "node:worker_threads";
import { attachCache } from "../../dist/src/mod.js";

const cache = attachCache(workerData.handle);
const floors = new Int32Array(workerData.floors);
const filler = "x".repeat(2000);
/** The word that says that the writers are done. */
const doneWord = 255;

const steps = {
  get: (key) => cache.get(key),
  getMany: async (keys) => [...(await cache.getMany(keys))],
  getEntry: (key) => cache.getEntry(key),
  fetch: (key, value) => cache.fetch(key, () => value),
  set: (key, value, options) => cache.set(key, value, options),
  setRaw: (key, value) => void cache.set(key, value),
  delete: (key) => cache.delete(key),
  deleteByTag: (tag) => cache.deleteByTag(tag),
  clear: () => cache.clear(),
  flush: () => cache.flush(),
  close: () => cache.close(),
  // Sets or deletes keys of its own in turn, versions rising. After each change has returned, the
  // floor of the key is the version: nobody may read a lower one from then on.
  writeOwn: async (own, rounds, first) => {
    for (let round = 1; round <= rounds; round++) {
      for (const key of own) {
        const version = first + round;
        if ((round + key) % 3 === 0) cache.delete(`v${key}`);
        else cache.set(`v${key}`, version, { tags: [`t${key}`] });
        if ((round + key) % 11 === 0) cache.deleteByTag(`t${key}`);
        Atomics.store(floors, key, version);
        cache.set(`filler${round % 400}`, filler);
      }
      if (round % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  },
  // Until the writers are done: answers what was read below the floor of its key.
  readAll: async (keys) => {
    const lies = [];
    let found = 0;
    while (Atomics.load(floors, doneWord) === 0) {
      for (let key = 0; key < keys; key++) {
        const floor = Atomics.load(floors, key);
        const value = await cache.get(`v${key}`);
        if (value === undefined) continue;
        found += 1;
        if (value < floor) lies.push([key, value, floor]);
      }
    }
    return { lies, found };
  },
  // Sets and deletes keys that others write too.
  race: (name, keys, rounds) => {
    for (let round = 0; round < rounds; round++) {
      const key = `r${(round * 7) % keys}`;
      if (round % 5 === 4) cache.delete(key);
      else cache.set(key, `${name} ${round}`);
    }
  },
  exit: () => process.exit(3),
};

parentPort.on("message", async ({ id, step, args }) => {
  try {
    parentPort.postMessage({ id, value: await steps[step](...args) });
  } catch (error) {
    parentPort.postMessage({ id, error: { code: error.code, message: error.message } });
  }
});
parentPort.postMessage({ id: -1 });
