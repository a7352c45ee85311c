// The program that is measured: it opens caches, writes far more than they may hold, and reports
// what the process and the directory took. bounds.test.ts starts it in its own process, with access
// to the garbage collector.

import { readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type * as Undercroft from "../../dist/src/mod.js";

/** What the program is told. */
export interface MeasuredOptions {
  readonly door: string;
  readonly task: "fill" | "reopen";
  readonly memory: number;
  /** Null for a cache in memory only. */
  readonly disk: { readonly path: string; readonly capacity: number } | null;
  /** Bytes to write, or caches to open. */
  readonly amount: number;
}

export interface Filled {
  readonly written: number;
  readonly rssGrowth: number;
  readonly directoryMost: number;
}

export interface Reopened {
  readonly descriptors: number;
  readonly threads: number;
  readonly rssGrowth: number;
}

const options = JSON.parse(process.argv[2] ?? "{}") as MeasuredOptions;
const { openCache } = (await import(options.door)) as typeof Undercroft;

function collect(): void {
  for (let turn = 0; turn < 3; turn++) globalThis.gc?.();
}

function open(): Promise<Undercroft.Cache<string>> {
  const { memory, disk } = options;
  return openCache<string>({ memory, near: false, ...(disk === null ? {} : { disk }) });
}

function directoryBytes(): number {
  if (options.disk === null) return 0;
  const { path } = options.disk;
  return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

const valueBytes = 1000;
let number = 0;

/** Writes this many bytes under ever new keys, reads some, and returns the most bytes that the
 *  directory took. */
async function write(cache: Undercroft.Cache<string>, bytes: number): Promise<number> {
  let most = directoryBytes();
  let stored = 0;
  while (stored < bytes) {
    for (let set = 0; set < 100; set++) {
      number += 1;
      const key = `key-${number}`;
      if (cache.set(key, key.padEnd(valueBytes, ".")) === "stored") stored += valueBytes;
      if (set % 10 === 0) await cache.get(`key-${number - Math.floor(set * 7)}`);
    }
    most = Math.max(most, directoryBytes());
    await new Promise((resolve) => setImmediate(resolve));
  }
  await cache.flush();
  return Math.max(most, directoryBytes());
}

async function fill(): Promise<Filled> {
  // Warm: the code is compiled, the worker's heap has its size, and little of the shared memory is
  // used yet.
  const warm = await open();
  await write(warm, options.memory);
  await warm.close();
  const cache = await open();
  collect();
  const before = process.memoryUsage.rss();
  const directoryMost = await write(cache, options.amount);
  collect();
  const rssGrowth = process.memoryUsage.rss() - before;
  await cache.close();
  return {
    written: options.amount,
    rssGrowth,
    directoryMost: Math.max(directoryMost, directoryBytes()),
  };
}

function threadCount(): number {
  return Number(/^Threads:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

async function cycle(): Promise<void> {
  const cache = await open();
  cache.set(`key-${number++}`, "value");
  await cache.close();
}

async function reopen(): Promise<Reopened> {
  for (let warm = 0; warm < 2; warm++) await cycle();
  collect();
  const descriptors = readdirSync("/proc/self/fd").length;
  const threads = threadCount();
  const before = process.memoryUsage.rss();
  for (let cycles = 0; cycles < options.amount; cycles++) await cycle();
  collect();
  // The system thread of a worker that has ended leaves a little later.
  for (let turn = 0; turn < 500 && threadCount() > threads; turn++) await sleep(10);
  return {
    descriptors: readdirSync("/proc/self/fd").length - descriptors,
    threads: threadCount() - threads,
    rssGrowth: process.memoryUsage.rss() - before,
  };
}

const result = options.task === "fill" ? await fill() : await reopen();
writeSync(1, `${JSON.stringify(result)}\n`);
