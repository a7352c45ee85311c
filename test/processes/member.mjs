// A process that shares a directory with others: what tests of `disk.share: "host"` drive. It
// answers each message with what the named call gave, or with its error.
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { attachCache, openCache } from "../../dist/src/mod.js";

const [, , path = "", options = "{}"] = process.argv;
const given = isMainThread ? JSON.parse(options) : {};
const events = [];
const note = (name) => (event) => {
  const { error, ...rest } = event ?? {};
  events.push({ name, ...rest, ...(error === undefined ? {} : { code: error.code }) });
  process.send?.({ event: name, code: error?.code, role: rest.role, kind: rest.kind });
};
const names = ["role", "tier-down", "tier-up", "error", "recovered"];
const cache = isMainThread
  ? await openCache({
      memory: "4mb",
      disk: { path, capacity: "16mb", share: "host", ...given.disk },
      on: Object.fromEntries(names.map((name) => [name, note(name)])),
      ...given.cache,
    })
  : attachCache(workerData);

let loads = 0;
let release = () => undefined;
const spaceOf = (space) => (space === undefined ? cache : cache.namespace(space));

const calls = {
  get: ({ key, space }) => spaceOf(space).get(key),
  getSync: ({ key, space }) => spaceOf(space).getSync(key),
  getMany: async ({ keys, space }) => Array.from(await spaceOf(space).getMany(keys)),
  getStream: async ({ key }) => (await cache.getStream(key))?.size,
  setStream: ({ key, value }) => cache.setStream(key, [value]),
  getEntry: ({ key }) => cache.getEntry(key),
  set: ({ key, value, set, space }) => spaceOf(space).set(key, value, set),
  setMany: ({ keys, value }) => keys.map((key) => cache.set(key, `${value} ${key}`)),
  setAsync: ({ key, value }) => cache.setAsync(key, value),
  delete: ({ key, space }) => spaceOf(space).delete(key),
  deleteByTag: ({ tag }) => cache.deleteByTag(tag),
  clear: ({ space }) => spaceOf(space).clear(),
  flush: ({ fsync = false }) => cache.flush({ fsync }),
  write: ({ key, value }) => cache.write(key, async () => value),
  update: ({ key }) => cache.update(key, (value) => value + 1),
  stats: () => cache.stats(),
  loads: () => loads,
  events: () => events,
  /** Loads a value; the loader waits until it is told to go on, if `held`. */
  fetch: ({ key, value, held = false, fails = false, options }) =>
    cache.fetch(
      key,
      async () => {
        loads += 1;
        tell({ event: "loading" });
        if (held) await new Promise((resolve) => (release = resolve));
        if (fails) throw new Error(`no ${key}`);
        return value;
      },
      options,
    ),
  goOn: () => release(),
  /** Stops the event loop of this thread. */
  stall: ({ ms }) => {
    tell({ event: "stalling" });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  },
  /** Asks for a key without a pause, and answers which values it got until when, by the clock of
   *  the machine. */
  watch: async ({ key, ms }) => {
    const seen = {};
    const end = now() + ms;
    tell({ event: "watching" });
    while (now() < end) seen[String(cache.getSync(key))] = now();
    return seen;
  },
  now: () => now(),
  close: () => cache.close(),
};

function tell(event) {
  if (isMainThread) process.send(event);
  else parentPort.postMessage(event);
}

/** Milliseconds by a clock that is the same in all processes of the machine. */
function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function answer({ id, call, ...rest }, send) {
  try {
    send({ id, value: await calls[call](rest) });
  } catch (error) {
    send({ id, error: { message: error.message, code: error.code } });
  }
}

let worker;
const own = { thread: startThread, inThread: (message) => worker.postMessage(message) };

/** A thread of this process that attaches to its cache. */
async function startThread() {
  worker = new Worker(new URL(import.meta.url), { workerData: cache.handle() });
  worker.on("message", (message) => process.send(message));
  await new Promise((resolve) => worker.once("online", resolve));
}

if (isMainThread) {
  process.on("message", (message) => {
    const { call, inThread } = message;
    if (inThread === true) own.inThread({ ...message, inThread: false });
    else if (call === "thread") {
      void startThread().then(() => process.send({ id: message.id, value: null }));
    } else {
      void answer(message, (reply) => {
        process.send(reply);
        if (call === "close") process.disconnect();
      });
    }
  });
  process.send({ event: "open" });
} else {
  parentPort.on("message", (message) => answer(message, (reply) => parentPort.postMessage(reply)));
}
