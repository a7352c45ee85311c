// One thread of a service, with default options: it attaches to a cache or holds an lru-cache of
// its own, and reads and overwrites by a Zipf-like order, each key string built for its call. Run
// as a worker by the suites `mixes` and `thread-memory`.

import { parentPort, workerData } from "node:worker_threads";

import { LRUCache } from "lru-cache";

import { attachCache, type CacheHandle } from "../../src/mod.js";
import { keyOf, profileOf, type Profile, seededRandom, zipfDraws } from "../workload.js";

/** What a thread is started with. */
export interface ServiceData {
  /** `null`: an lru-cache with room for all. */
  readonly handle: CacheHandle | null;
  readonly entries: number;
  readonly thread: number;
}

/** One window of work. */
export interface Shift {
  /** Overwrites in a hundred calls; the rest are reads. */
  readonly writes: number;
  readonly ms: number;
  /** Threads that begin together, and the word that counts those that are ready. */
  readonly threads: number;
  readonly ready: Int32Array;
}

export interface Worked {
  readonly calls: number;
  readonly ns: number;
  /** Reads without an answer, and sets that were refused. */
  readonly failed: number;
}

/** Calls between two reads of the clock. */
const batch = 512;
const drawsLength = 1 << 18;

const { handle, entries, thread } = workerData as ServiceData;
const draws = zipfDraws(entries, drawsLength, 42 + thread);
const random = seededRandom(thread + 1);
const percents = Uint8Array.from({ length: drawsLength }, () => Math.floor(random() * 100));
const values = Array.from({ length: 1024 }, (_, id) => profileOf(id));
const call = handle === null ? ofLru() : ofCache(handle);
let at = 0;
parentPort?.postMessage("ready");

parentPort?.on("message", ({ writes, ms, threads, ready }: Shift) => {
  Atomics.add(ready, 0, 1);
  while (Atomics.load(ready, 0) < threads);
  const start = performance.now();
  let [calls, failed, now] = [0, 0, start];
  while (now - start < ms) {
    failed += call(writes);
    calls += batch;
    now = performance.now();
  }
  parentPort?.postMessage({ calls, ns: (now - start) * 1e6, failed } satisfies Worked);
});

// Each has its own copy of the loop, so that its calls have one target and may be inlined.

function ofCache(shared: CacheHandle): (writes: number) => number {
  const cache = attachCache<Profile>(shared);
  return (writes) => {
    let failed = 0;
    for (const end = at + batch; at < end; at++) {
      const id = draws[at % drawsLength] as number;
      if ((percents[at % drawsLength] as number) >= writes) {
        if (cache.getSync(keyOf(id)) === undefined) failed++;
      } else if (cache.set(keyOf(id), values[id & 1023] as Profile) !== "stored") failed++;
    }
    return failed;
  };
}

function ofLru(): (writes: number) => number {
  const lru = new LRUCache<string, Profile>({ max: entries });
  for (let id = 0; id < entries; id++) lru.set(keyOf(id), profileOf(id));
  return (writes) => {
    let failed = 0;
    for (const end = at + batch; at < end; at++) {
      const id = draws[at % drawsLength] as number;
      if ((percents[at % drawsLength] as number) >= writes) {
        if (lru.get(keyOf(id)) === undefined) failed++;
      } else lru.set(keyOf(id), values[id & 1023] as Profile);
    }
    return failed;
  };
}
