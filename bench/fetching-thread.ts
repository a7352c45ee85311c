// A thread of the fetch suite: fetches the keys it is given, 64 at a time, and answers when all
// have arrived.

import { parentPort, workerData } from "node:worker_threads";

import { attachCache, type CacheHandle } from "../src/mod.js";
import { profileOf, type Profile } from "./workload.js";

/** What to fetch and how. */
export interface FetchOrder {
  readonly prefix: string;
  readonly keys: number;
  /** Milliseconds that a loader takes; 0 = it answers at once. */
  readonly loadMs: number;
  /** True: by `fetch`. False: by get, a Map of promises in this thread, and set. */
  readonly isShared: boolean;
}

export interface FetchRound {
  readonly wrong: number;
}

const window = 64;

const { handle, calls } = workerData as { handle: CacheHandle; calls: SharedArrayBuffer };
const cache = attachCache<Profile>(handle);
const callCount = new Int32Array(calls);
const loading = new Map<string, Promise<Profile>>();

async function load(id: number, loadMs: number): Promise<Profile> {
  Atomics.add(callCount, 0, 1);
  if (loadMs > 0) {
    await new Promise((resolve) => {
      setTimeout(resolve, loadMs);
    });
  }
  return profileOf(id);
}

async function fetchApart(key: string, id: number, loadMs: number): Promise<Profile> {
  const found = cache.getSync(key);
  if (found !== undefined) return found;
  const running = loading.get(key);
  if (running !== undefined) return running;
  const loaded = load(id, loadMs).then((value) => {
    cache.set(key, value);
    loading.delete(key);
    return value;
  });
  loading.set(key, loaded);
  return loaded;
}

async function fetchAll({ prefix, keys, loadMs, isShared }: FetchOrder): Promise<FetchRound> {
  let wrong = 0;
  for (let first = 0; first < keys; first += window) {
    const fetches: Promise<void>[] = [];
    for (let id = first; id < Math.min(keys, first + window); id++) {
      const key = `${prefix}:${id}`;
      const fetched = isShared
        ? cache.fetch(key, () => load(id, loadMs))
        : fetchApart(key, id, loadMs);
      fetches.push(
        fetched.then((value) => {
          if (value.id !== id) wrong += 1;
        }),
      );
    }
    await Promise.all(fetches);
  }
  return { wrong };
}

parentPort?.on("message", (order: FetchOrder) => {
  void fetchAll(order).then((round) => {
    parentPort?.postMessage(round);
  });
});
const ready: FetchRound = { wrong: 0 };
parentPort?.postMessage(ready);
