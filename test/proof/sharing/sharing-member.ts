// A process of the proof `sharing`: does operations on a directory that it shares with others, at
// random, and notes them, until it is told to stop or is killed.
import { kinds, now, OperationLog } from "./operation-log.js";
import type { Cache, openCache as OpenCache } from "../../../src/mod.js";

interface Given {
  readonly door: string;
  readonly path: string;
  readonly file: string;
  readonly process: number;
  readonly seed: number;
  readonly keys: number;
  readonly tags: number;
}

interface Value {
  readonly v: number;
  readonly filler: string;
}

/** Operations at once. */
const chains = 4;

const given = JSON.parse(process.argv[2] ?? "{}") as Given;
const { openCache } = (await import(given.door)) as { openCache: typeof OpenCache };
const log = new OperationLog(given.file, given.process);
const faults: string[] = [];
let state = given.seed >>> 0 || 1;
let isStopped = false;
/** By key: what this process has read or written, and, for each value that it knew before a set of
 *  its own, how many sets it had made by the end of that. */
const known = Array.from({ length: given.keys }, () => new Set<number>());
const buried = Array.from({ length: given.keys }, () => new Map<number, number>());
let sets = 0;

const cache: Cache<Value> = await openCache<Value>({
  memory: "4mb",
  disk: { path: given.path, capacity: "16mb", share: "host" },
  on: {
    role: ({ role }) => process.send?.({ role }),
    error: ({ error }) => {
      if (error.code !== "ERR_TIER") faults.push(`event error: ${error.message}`);
    },
  },
});

function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

/** Resolves to true once no other process can answer what ended before. */
async function flushed(): Promise<boolean> {
  try {
    await cache.flush();
    return true;
  } catch (error) {
    // There was no owner at the moment.
    if ((error as { code?: string }).code === "ERR_TIER") return false;
    throw error;
  }
}

function valueOf(v: number): Value {
  return { v, filler: "x".repeat(v % 700) };
}

/** What was read is whole, and no older than this process has set before. */
function noteRead(key: number, setsBefore: number, value: Value | undefined): number {
  if (value === undefined) return -1;
  const { v, filler } = value;
  if (filler.length !== v % 700) faults.push(`a torn value ${v}`);
  if ((buried[key]?.get(v) ?? Infinity) <= setsBefore) {
    faults.push(`key ${key}: read ${v}, which this process had replaced itself`);
  }
  known[key]?.add(v);
  return v;
}

async function read(key: number): Promise<void> {
  const id = log.begin(kinds.read, key);
  const before = sets;
  const isSync = random(3) === 0;
  const found = isSync ? cache.getSync(`k${key}`) : await cache.get(`k${key}`);
  log.end(id, noteRead(key, before, found));
}

async function fetch(key: number): Promise<void> {
  const tag = random(given.tags);
  const id = log.begin(kinds.fetch, key, tag);
  const before = sets;
  let load = 0;
  const found = await cache.fetch(
    `k${key}`,
    async () => {
      load = log.loads(id);
      await new Promise((resolve) => setTimeout(resolve, random(4)));
      return valueOf(id);
    },
    { tags: [`t${tag}`], forceRefresh: random(20) === 0 },
  );
  log.end(id, noteRead(key, before, found), load);
}

async function set(key: number): Promise<void> {
  const tag = random(given.tags);
  const id = log.begin(kinds.set, key, tag);
  const options = { tags: [`t${tag}`] };
  const isAsync = random(2) === 0;
  const older = Array.from(known[key] ?? []);
  let isSettled = isAsync;
  if (!isAsync) cache.set(`k${key}`, valueOf(id), options);
  else {
    try {
      await cache.setAsync(`k${key}`, valueOf(id), options);
    } catch (error) {
      if ((error as { code?: string }).code !== "ERR_TIER") throw error;
      isSettled = false;
    }
  }
  sets += 1;
  for (const v of older) {
    if (buried[key]?.has(v) !== true) buried[key]?.set(v, sets);
    known[key]?.delete(v);
  }
  known[key]?.add(id);
  if (!isAsync && random(2) === 0) isSettled = await flushed();
  if (isSettled) log.end(id);
}

async function end(kind: number, of: number, change: () => void): Promise<void> {
  const id = log.begin(kind, of);
  change();
  if (await flushed()) log.end(id);
}

async function step(): Promise<void> {
  const kind = random(100);
  const key = random(given.keys);
  if (kind < 50) await read(key);
  else if (kind < 70) await fetch(key);
  else if (kind < 88) await set(key);
  else if (kind < 95) await end(kinds.delete, key, () => cache.delete(`k${key}`));
  else if (kind < 99) {
    const tag = random(given.tags);
    await end(kinds.deleteByTag, tag, () => cache.deleteByTag(`t${tag}`));
  } else await end(kinds.clear, 0, () => cache.clear());
}

async function chain(): Promise<void> {
  while (!isStopped && !log.isFull) {
    try {
      await step();
    } catch (error) {
      faults.push(`rejected: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
}

process.on("message", () => (isStopped = true));
process.send?.({ ready: now() });
await Promise.all(Array.from({ length: chains }, chain));
const { hits, processes, loads } = cache.stats();
await cache.close().catch((error: unknown) => faults.push(`close: ${String(error)}`));
process.send?.({ done: { faults, hits, processes, loads } }, () => process.disconnect());
