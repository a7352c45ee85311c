// A thread of the flights proof. The source of a key is a number on the board; it has none while
// the number is a multiple of four, which is remembered. A change adds one to the number, then
// deletes the key, then notes beside it that a fetch from now on must get that number or a newer
// one.

import { parentPort, workerData } from "node:worker_threads";

import { attachCache, type CacheHandle } from "../../src/mod.js";

export interface FlightsTask {
  readonly handle: CacheHandle;
  /** For each key the source's number, and the least number that a fetch may get, set after a
   *  delete has returned. */
  readonly board: SharedArrayBuffer;
  readonly keys: number;
}

export interface FlightReport {
  /** Since the last report. */
  readonly fetches: number;
  readonly fault?: string;
}

const { handle, board, keys } = workerData as FlightsTask;
const cache = attachCache<number>(handle);
const words = new Int32Array(board);
const chainsAtOnce = 8;
const loadMsMax = 4;
let fetches = 0;

function report(fault?: string): void {
  const message: FlightReport = fault === undefined ? { fetches } : { fetches, fault };
  parentPort?.postMessage(message);
  fetches = 0;
}

function change(key: number): void {
  const number = Atomics.add(words, key * 2, 1) + 1;
  const way = Math.random();
  if (way < 0.05) cache.clear();
  else if (way < 0.4) cache.deleteByTag(`t${key}`);
  else cache.delete(`k${key}`);
  let least = Atomics.load(words, key * 2 + 1);
  while (least < number) {
    const was = Atomics.compareExchange(words, key * 2 + 1, least, number);
    if (was === least) return;
    least = was;
  }
}

async function load(key: number): Promise<number | undefined> {
  const number = Atomics.load(words, key * 2);
  const ms = Math.floor(Math.random() * loadMsMax);
  if (ms > 0) {
    await new Promise((resolve) => {
      setTimeout(resolve, ms);
    });
  }
  if (Math.random() < 0.05) throw new Error("the source is down");
  return isNone(number) ? undefined : number;
}

function isNone(number: number): boolean {
  return number % 4 === 0;
}

/** Whether the source had none at a number from `least` up to what it is now. */
function mayBeNone(key: number, least: number): boolean {
  const now = Atomics.load(words, key * 2);
  for (let number = least; number <= now; number++) if (isNone(number)) return true;
  return false;
}

async function fetchOne(key: number): Promise<void> {
  const signal = Math.random() < 0.05 ? AbortSignal.timeout(1) : undefined;
  const forceRefresh = Math.random() < 0.05;
  // A forced fetch gives what the source is now, deleted or not.
  const least = Atomics.load(words, key * 2 + (forceRefresh ? 0 : 1));
  fetches += 1;
  try {
    const common = { forceRefresh, negativeTtl: "1h", tags: [`t${key}`] };
    const options = signal === undefined ? common : { ...common, signal };
    const number = await cache.fetch(`k${key}`, () => load(key), options);
    const isRight = number === undefined ? mayBeNone(key, least) : number >= least;
    if (!isRight) report(`key ${key}: a fetch gave ${number}; the least is ${least}`);
  } catch (error) {
    const isMeant =
      error instanceof Error &&
      (error.message === "the source is down" || error.name === "TimeoutError");
    if (!isMeant) report(`key ${key}: ${String(error)}`);
  }
}

/** Never ends; the thread is terminated. */
async function work(): Promise<void> {
  for (let step = 0; ; step++) {
    const key = Math.floor(Math.random() * keys);
    if (Math.random() < 0.15) change(key);
    else await fetchOne(key);
    // A hit waits for nothing, so let the event loop turn.
    if (step % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

setInterval(() => {
  report();
}, 100);
for (let chain = 0; chain < chainsAtOnce; chain++) void work();
