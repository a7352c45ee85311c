// One thread of the suite: attaches to a store, then works in each window that it takes part in.
// Run as a worker.

import { parentPort, workerData } from "node:worker_threads";

import { internedKeys, seededRandom } from "../workload.js";
import { type ContestantName, hold } from "./contestants.js";
import {
  atDone,
  atMs,
  atReady,
  atResults,
  atThreads,
  atWindow,
  atWork,
  entries,
  windowWords,
  type Work,
  works,
} from "./window.js";

/** What a thread is started with. */
export interface ThreadData {
  readonly name: ContestantName;
  readonly data: unknown;
  readonly thread: number;
  readonly window: Int32Array;
}

/** Operations between two reads of the clock. */
const batch = 256;
/** Batches that are drawn in advance. */
const batches = 64;
const hotId = 77;

const { name, data, thread, window } = workerData as ThreadData;
const contestant = hold(name, data);
const keys = internedKeys(entries);
const warmUp = Uint32Array.from({ length: entries }, (_, id) => id);
// Twice: the first hit keeps a value near, the second finds it there.
contestant.read(keys, warmUp);
contestant.read(keys, warmUp);
parentPort?.postMessage("ready");

for (let seen = 0; ;) {
  Atomics.wait(window, atWindow, seen);
  seen = Atomics.load(window, atWindow);
  const threads = window[atThreads] as number;
  if (thread < threads) takePart(works[window[atWork] as number] as Work, threads);
}

/** Works through one window with the others. */
function takePart(work: Work, threads: number): void {
  const draws = drawsOf(work, threads);
  const { write } = contestant;
  const first = atResults + thread * windowWords;
  Atomics.add(window, atReady, 1);
  while (Atomics.load(window, atReady) < threads);
  const start = performance.now();
  const end = start + (window[atMs] as number);
  let [operations, answered, now] = [0, 0, start];
  for (let turn = 0; now < end; turn++) {
    const ids = draws[turn % batches] as Batch;
    answered += contestant.read(keys, ids.reads);
    if (write !== undefined) answered += write(keys, ids.writes);
    operations += batch;
    now = performance.now();
  }
  window[first] = operations;
  window[first + 1] = Math.round((now - start) * 1000);
  window[first + 2] = operations - answered;
  Atomics.add(window, atDone, 1);
}

interface Batch {
  readonly reads: Uint32Array;
  readonly writes: Uint32Array;
}

/** What the thread reads and writes, batch by batch; drawn before the window. */
function drawsOf({ writes, keys: which }: Work, threads: number): Batch[] {
  const random = seededRandom(thread + 1);
  const own = Math.floor(entries / threads);
  const draw = (): number => {
    if (which === "one") return hotId;
    if (which === "all") return Math.floor(random() * entries);
    return thread * own + Math.floor(random() * own);
  };
  const written = Math.round((batch * writes) / 100);
  return Array.from({ length: batches }, () => ({
    reads: Uint32Array.from({ length: batch - written }, draw),
    writes: Uint32Array.from({ length: written }, draw),
  }));
}
