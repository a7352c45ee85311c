// What the threads of attached.ts run: attaches to a cache and calls the methods it is told to, one
// at a time.
import { createHash } from "node:crypto";
import { getEnvironmentData, parentPort, threadId, Worker, workerData } from "node:worker_threads";
import * as at from "../../dist/src/kernel/layout.js";
import { attachCache, openCache } from "../../dist/src/mod.js";

let cache;

function attach(handle) {
  cache = attachCache(handle);
}

/** Steps that one message cannot describe. */
const steps = {
  attach,
  // Counts up under its own keys until the cache is closed.
  writeUntilStopped: (name) => {
    let writes = 0;
    do {
      cache.set(`${name}-${writes % 100}`, { name, writes });
      writes += 1;
      const read = cache.getSync(`${name}-${writes % 100}`);
      if (read !== undefined && read.name !== name) throw new Error("another's value");
    } while (!cache.has("stop") && writes < 1_000_000);
    return writes;
  },
  // Reads a key of a namespace until the cache has the key "stop".
  readNamespaceUntilStopped: (name) => {
    const space = cache.namespace(name);
    cache.set("begun", name);
    let reads = 0;
    do {
      for (let turn = 0; turn < 50; turn++) space.getSync("k");
      reads += 50;
    } while (!cache.has("stop"));
    return reads;
  },
  // Sets and deletes keys of its own, in and out of the index, until the cache has the key "stop".
  churnUntilStopped: (name) => {
    let writes = 0;
    cache.set(`begun-${name}`, name);
    for (; !cache.has("stop"); writes++) {
      const key = `churn-${name}-${(writes * 7919) % 2000}`;
      if (writes % 3 === 0) cache.delete(key);
      else cache.set(key, `${key}!`);
    }
    return writes;
  },
  writeMany: (name, count) => {
    for (let write = 0; write < count; write++) cache.set(`${name}-${write}`, write);
  },
  // Values of ever new schemas, each seen often enough to get an id.
  writeSchemas: (name, count) => {
    for (let schema = 0; schema < count; schema++) {
      for (let turn = 0; turn < 20; turn++) {
        cache.set(`${name}-${schema}`, { [`${name} ${schema}`]: { turn, [`in ${schema}`]: name } });
      }
    }
  },
  readUntil: (key, value) => {
    while (cache.getSync(key) !== value);
  },
  copyStream: async (from, to) => cache.setStream(to, await cache.getStream(from)),
  // Reads a value by streams until the cache has the key "stop"; the hashes and error codes met.
  readStreams: async (key) => {
    const met = new Set();
    for (let reads = 0; !cache.has("stop"); reads++) {
      const hash = createHash("sha256");
      try {
        const stream = await cache.getStream(key);
        for await (const piece of stream ?? []) hash.update(piece);
        met.add(stream === undefined ? "absent" : hash.digest("hex"));
      } catch (error) {
        met.add(error.code);
      }
      if (reads === 0) cache.set(`begun-${threadId}`, true);
    }
    return [...met];
  },
  fetchSlow: (key) => cache.fetch(key, () => new Promise(() => {})),
  exit: (code) => process.exit(code),
  // The thread ends by itself: nothing keeps it alive.
  leave: () => {
    setImmediate(() => parentPort.unref());
  },
  throwLater: () => {
    setImmediate(() => {
      throw new Error("on purpose");
    });
  },
  exhaust: () => {
    const held = [];
    while (true) held.push(Array.from({ length: 100_000 }, () => held.length));
  },
  holdLocks,
  sleepFor: (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
  // A thread started by this thread.
  begin: (handle) =>
    new Promise((resolve, reject) => {
      const child = new Worker(new URL(import.meta.url), { workerData: { handle } });
      children.push(child);
      child.once("online", resolve).once("error", reject);
    }),
  endChildren: async () => {
    await Promise.all(children.map((child) => child.terminate()));
  },
  open: async (options) => {
    cache = await openCache(options);
    return cache.handle();
  },
};

const children = [];

/** Takes two bucket locks as the kernel does, and keeps them. */
function holdLocks() {
  const { memory } = cache.handle().worker;
  const words = new Int32Array(memory.buffer);
  const blockOf = (thread) => at.threadTable + thread * at.threadBlockSize;
  const threads = Array.from({ length: at.threadsMax }, (_, thread) => thread);
  const thread = threads.find(
    (each) => words[(blockOf(each) + at.threadWorkerId) / 4] === threadId,
  );
  const block = blockOf(thread);
  const word = (thread + 1) | (words[(block + at.threadIncarnation) / 4] << 8);
  const base = words[at.controlBucketBase / 4];
  const last = base + (words[at.controlBucketCount / 4] - 1) * at.bucketSize;
  for (const [note, lock] of [base, last].entries()) {
    words[(block + at.threadLock0) / 4 + note] = lock;
    while (Atomics.compareExchange(words, lock / 4, 0, word) !== 0);
  }
}

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
