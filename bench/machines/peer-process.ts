// One process of peers.ts: rounds of fetches with one change in each, over one store. Every answer
// is checked: a change is noted as settled when the store says that it is made, and an answer to a
// fetch that began later must not be older. The numbers of a key are in a file of all processes.
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { stores, type Value } from "./stores.js";

export interface Work {
  readonly store: string;
  readonly port: number;
  readonly peers: string;
  /** Files with a number for each key. */
  readonly source: string;
  readonly settled: string;
  readonly index: number;
  readonly processes: number;
  readonly keys: number;
  readonly rounds: number;
}
export interface Outcome {
  readonly fetches: number;
  readonly loads: number;
  readonly changes: number;
  readonly errors: number;
  /** How many milliseconds older than a change each stale answer was, at least. */
  readonly staleMs: readonly number[];
  readonly answerMs: readonly number[];
  /** The first error, if there was one. */
  readonly fault: string;
}

const fetchesOfRound = 20;
const pauseMs = 4;
const loadMs = 10;
const text = "what a service has of a user, ".repeat(15);
const work = JSON.parse(process.argv[2] ?? "") as Work;
const { index, processes, keys } = work;
const files = [work.source, work.settled].map((path) => openSync(path, "r+")) as [number, number];
const [source, settled] = files;
const bytes = Buffer.alloc(8);
let seed = 1 + index;

const store = await stores[work.store]?.(work.port, work.peers);
if (store === undefined) throw new Error(`there is no store ${work.store}`);
let [fetches, loads, changes, errors, fault] = [0, 0, 0, 0, ""];
const [staleMs, answerMs] = [[] as number[], [] as number[]];
process.send?.("ready");
await new Promise((resolve) => process.once("message", resolve));
for (let round = 0; round < work.rounds; round++) {
  await Promise.all([...Array.from({ length: fetchesOfRound }, fetchOne), changeOne()]);
  await sleep(pauseMs);
}
const outcome: Outcome = { fetches, loads, changes, errors, staleMs, answerMs, fault };
process.send?.(outcome);
await new Promise((resolve) => process.once("message", resolve));
await store.close().catch(() => undefined);
files.forEach((file) => closeSync(file));
process.exit();

async function fetchOne(): Promise<void> {
  const key = anyKey();
  const least = read(settled, key);
  const start = clockMs();
  fetches += 1;
  try {
    const value = await store?.fetch(`key:${key}`, () => load(key));
    answerMs.push(clockMs() - start);
    if (value === undefined || value.changed < least) staleMs.push(start - least);
  } catch (error) {
    failed(error);
  }
}

async function load(key: number): Promise<Value> {
  loads += 1;
  const changed = read(source, key);
  await sleep(loadMs);
  return { changed, text };
}

/** Each process changes keys of its own, so that the numbers of a key only grow. */
async function changeOne(): Promise<void> {
  const key = Math.floor(anyKey() / processes) * processes + index;
  if (key >= keys) return;
  const changed = clockMs();
  write(source, key, changed);
  changes += 1;
  try {
    await store?.change(`key:${key}`, { changed, text });
    if (read(settled, key) < changed) write(settled, key, changed);
  } catch (error) {
    failed(error);
  }
}

function failed(error: unknown): void {
  errors += 1;
  if (fault === "") fault = error instanceof Error ? error.message : String(error);
}

/** A key; half of all fetches are for a fiftieth of the keys. The same ones in each run. */
function anyKey(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) ** 5.6 * keys);
}

/** Milliseconds on a clock that all processes of the machine share. */
function clockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function read(file: number, key: number): number {
  readSync(file, bytes, 0, 8, key * 8);
  return bytes.readDoubleLE(0);
}

function write(file: number, key: number, value: number): void {
  bytes.writeDoubleLE(value, 0);
  writeSync(file, bytes, 0, 8, key * 8);
}
