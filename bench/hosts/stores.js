// One measured process of the suite `hosts`: `node stores.js <mode> <host> <store> [directory]`.
// Prints what it measured as JSON. Modes: `times` (both stores in turns), `many` (entries that are
// still found, and resident memory), `put` and `find` (a life before a restart and one after it),
// `thread` (what a second thread finds). The store is `own` or `undercroft`.

import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { agentValue, contents } from "../../dist/bench/entries/contents.js";
import { attachCache, openCache } from "../../dist/src/mod.js";
import { fewOf, manyOf, subjects } from "./subjects.js";

const rounds = 5;

async function eachOf(count, call) {
  let found = 0;
  for (let id = 0; id < count; id++) if ((await call(id)) === true) found += 1;
  return found;
}

/** Microseconds of a call, and how many said true. */
async function timed(count, call) {
  const start = performance.now();
  const found = await eachOf(count, call);
  return { us: ((performance.now() - start) * 1000) / count, found };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** Both stores in one process, in turns, so that a noisy moment hits both. Each set is a new key. */
async function times(name) {
  const cache = await openCache();
  const measured = [];
  for (const under of [undefined, cache]) {
    const subject = await subjects[name].over(under);
    measured.push({ subject, sets: [], gets: [], found: 0 });
  }
  const count = fewOf(name);
  for (let round = 0; round < rounds; round++) {
    for (const each of measured) {
      const first = round * count;
      const put = (id) => each.subject.put(first + id, agentValue(id));
      each.sets.push((await timed(count, put)).us);
      const { us, found } = await timed(count, (id) => each.subject.find(first + id));
      each.gets.push(us);
      each.found = found;
    }
  }
  for (const { subject } of measured) await subject.close?.();
  await cache.close();
  return measured.map(({ sets, gets, found }) => ({ set: median(sets), get: median(gets), found }));
}

function resident() {
  for (let times = 0; times < 3; times++) globalThis.gc();
  return process.memoryUsage.rss() / 1024 ** 2;
}

async function many(name, store) {
  const before = resident();
  const cache = store === "own" ? undefined : await openCache();
  const subject = await subjects[name].over(cache);
  const count = manyOf(name);
  await eachOf(count, (id) => subject.put(id, contents.document.value(id)));
  const grown = resident() - before;
  // From the newest: a client that asks for what is gone stores it, and pushes others out.
  const found = await eachOf(count, (id) => subject.find(count - 1 - id));
  await subject.close?.();
  await cache?.close();
  return { found, grown };
}

const open = (directory) =>
  openCache(directory === undefined ? {} : { disk: { path: directory, capacity: "256mb" } });

/** A life of a program that puts, or that finds what the last one put. */
async function life(mode, name, store, directory) {
  const cache = store === "own" ? undefined : await open(directory);
  const subject = await subjects[name].over(cache);
  const found = await eachOf(fewOf(name), (id) => subject[mode](id, agentValue(id)));
  await subject.close?.();
  await cache?.close();
  return { found };
}

async function thread(name, store) {
  const cache = store === "own" ? undefined : await openCache();
  const subject = await subjects[name].over(cache);
  await eachOf(fewOf(name), (id) => subject.put(id, agentValue(id)));
  await subject.close?.();
  const data = { name, handle: cache?.handle() };
  const worker = new Worker(new URL(import.meta.url), { workerData: data });
  const [found] = await once(worker, "message");
  await once(worker, "exit");
  await cache?.close();
  return { found };
}

async function secondThread({ name, handle }) {
  const cache = handle && attachCache(handle);
  const subject = await subjects[name].over(cache);
  const found = await eachOf(fewOf(name), (id) => subject.find(id));
  await subject.close?.();
  await cache?.close();
  parentPort.postMessage(found);
}

const [mode, name, store, directory] = process.argv.slice(2);
if (isMainThread) {
  const modes = { times, many, thread };
  const run = modes[mode] ?? ((...rest) => life(mode, ...rest));
  process.stdout.write(JSON.stringify(await run(name, store, directory)));
} else await secondThread(workerData);
