// Compares the hit ratios of Undercroft and lru-cache at the same resident memory, on the same
// reads.
// `node --expose-gc hit-ratio.js [trace] [MiB]`: replays a trace in the format that `undercroft
// simulate` reads, else Zipf-like reads over 2,000,000 entries. A read that misses sets the entry.
// Every value is an agent-like record (about 148 bytes of msgpack), whatever size the trace says.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { LRUCache } from "lru-cache";

import { openCache } from "../src/mod.js";
import { readTrace } from "../src/simulation/mod.js";
import { agentKey, agentValue } from "./entries/contents.js";
import { residentBytes } from "./entries/subjects.js";
import { type Profile, zipfDraws } from "./workload.js";

const MiB = 1024 ** 2;
/** Most runs of lru-cache until its memory is within 3 % of Undercroft's. */
const searchesMax = 5;

interface Replayed {
  readonly hits: number;
  readonly reads: number;
  readonly residentBytes: number;
}

/** The reads of a trace as entry numbers, in the order of their first read. */
async function readsOf(file: string): Promise<Uint32Array | Int32Array> {
  return file === "" ? zipfDraws(2_000_000, 4_000_000, 7) : (await readTrace(file)).key;
}

async function replay(
  reads: Uint32Array | Int32Array,
  get: (key: string) => unknown,
  set: (key: string, value: Profile) => void,
): Promise<number> {
  let hits = 0;
  for (let read = 0; read < reads.length; read++) {
    const id = reads[read] as number;
    const key = agentKey(id);
    if (get(key) === undefined) set(key, agentValue(id));
    else hits += 1;
    // Yield to the event loop, as a service does.
    if ((read & 1023) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return hits;
}

async function measured(name: string, file: string, bound: number): Promise<Replayed> {
  const reads = await readsOf(file);
  const before = residentBytes();
  let hits: number;
  let close = (): Promise<void> => Promise.resolve();
  if (name === "lru-cache") {
    const cache = new LRUCache<string, Profile>({ max: bound });
    hits = await replay(
      reads,
      (key) => cache.get(key),
      (key, value) => cache.set(key, value),
    );
    close = () => Promise.resolve(cache.clear());
  } else {
    const cache = await openCache<Profile>({
      memory: bound,
      near: name === "undercroft" ? {} : false,
    });
    hits = await replay(
      reads,
      (key) => cache.getSync(key),
      (key, value) => cache.set(key, value),
    );
    close = () => cache.close();
  }
  const replayed = { hits, reads: reads.length, residentBytes: residentBytes() - before };
  await close();
  return replayed;
}

async function inChild(name: string, file: string, bound: number): Promise<Replayed> {
  const child = fork(fileURLToPath(import.meta.url), ["--replay", name, file, String(bound)], {
    execArgv: ["--expose-gc", "--max-old-space-size=8192"],
  });
  const ended = once(child, "exit");
  const [replayed] = (await Promise.race([
    once(child, "message"),
    ended.then(([code]) => Promise.reject(new Error(`A replay ended with ${String(code)}`))),
  ])) as [Replayed];
  await ended;
  return replayed;
}

function report(
  name: string,
  { hits, reads, residentBytes: bytes }: Replayed,
  bound: string,
): void {
  const ratio = `${((100 * hits) / reads).toFixed(2)} %`;
  console.log(
    `${name.padEnd(24)} ${ratio.padStart(8)}  ` +
      `${(bytes / MiB).toFixed(0).padStart(5)} MiB  ${bound}`,
  );
}

/** Finds the number of entries at which lru-cache takes as much resident memory as Undercroft. */
async function lruAt(file: string, bytes: number): Promise<void> {
  let max = Math.floor(bytes / 600);
  for (let search = 1; ; search++) {
    const replayed = await inChild("lru-cache", file, max);
    const ratio = bytes / replayed.residentBytes;
    if (search === searchesMax || Math.abs(ratio - 1) < 0.03) {
      report("lru-cache", replayed, `max ${max} entries`);
      return;
    }
    max = Math.floor(max * ratio);
  }
}

if (process.argv[2] === "--replay") {
  const [name = "", file = "", bound = ""] = process.argv.slice(3);
  process.send?.(await measured(name, file, Number(bound)));
} else {
  const [file = "", budget = "64"] = process.argv.slice(2);
  const bound = Number(budget) * MiB;
  for (const name of ["undercroft", "undercroft, near: false"]) {
    const replayed = await inChild(name, file, bound);
    report(name, replayed, `memory ${budget} MiB`);
    await lruAt(file, replayed.residentBytes);
  }
}
