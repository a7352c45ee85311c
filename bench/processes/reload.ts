// What a rolling reload of processes that share a directory costs: the share of fetches that no
// loader was called for, before, while and after all of them are replaced, one by one, under load.
// Also errors, and stale answers: a value that is older than what was flushed before the fetch
// began. `node dist/bench/processes/reload.js [processes] [keys]`. Processes are this program,
// forked.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openCache } from "../../src/mod.js";
import { TemporaryDirectory } from "../temporary-directory.js";

const program = fileURLToPath(import.meta.url);
const [, , first = "4", second = "5000", folder, given = "0"] = process.argv;
const [processes, keys, index] = [first, second, given].map(Number) as [number, number, number];
const [sampleMs, warmMs, afterMs] = [250, 6000, 12_000];
/** Milliseconds: of a load, between two rounds of fetches, and between two changes of a process. */
const [loadMs, pauseMs, changeMs] = [5, 4, 50];
const fetchesOfRound = 20;
const writersMax = 16;
/** Points of the hit ratio within which it counts as back. */
const backPoints = 5;

interface Sample {
  readonly atMs: number;
  readonly fetches: number;
  readonly loads: number;
  readonly errors: number;
  readonly stale: number;
}

/** A number for each key, in a file that all processes read and write. */
class Numbers {
  readonly #file: number;
  readonly #bytes = Buffer.alloc(8);

  constructor(path: string) {
    this.#file = openSync(path, "r+");
  }

  get(key: number): number {
    readSync(this.#file, this.#bytes, 0, 8, key * 8);
    return this.#bytes.readDoubleLE(0);
  }

  set(key: number, value: number): void {
    this.#bytes.writeDoubleLE(value, 0);
    writeSync(this.#file, this.#bytes, 0, 8, key * 8);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** A key; half of all fetches are for a fiftieth of the keys. */
function anyKey(): number {
  return Math.floor(Math.random() ** 5.6 * keys);
}

async function serve(path: string): Promise<void> {
  const source = new Numbers(`${path}/source`);
  const settled = new Numbers(`${path}/settled`);
  const disk = { path: `${path}/cache`, capacity: "64mb", share: "host" } as const;
  const cache = await openCache<number>({ memory: "32mb", disk });
  let [fetches, loads, errors, stale] = [0, 0, 0, 0];
  let isStopped = false;
  const fetchOne = async (): Promise<void> => {
    const key = anyKey();
    const least = settled.get(key);
    fetches += 1;
    try {
      const value = await cache.fetch(`key ${key}`, async () => {
        loads += 1;
        const read = source.get(key);
        await sleep(loadMs);
        return read;
      });
      if (value === undefined || value < least) stale += 1;
    } catch {
      errors += 1;
    }
  };
  /** Each process changes keys of its own, so the numbers of a key only grow. */
  const change = async (): Promise<void> => {
    const key = (anyKey() - (anyKey() % writersMax) + (index % writersMax)) % keys;
    if (key % writersMax !== index % writersMax || key < 0) return;
    const number = Number(process.hrtime.bigint());
    source.set(key, number);
    try {
      cache.delete(`key ${key}`);
      await cache.flush();
      settled.set(key, number);
    } catch {
      errors += 1;
    }
  };
  const report = setInterval(() => {
    process.send?.({ atMs: Date.now(), fetches, loads, errors, stale } satisfies Sample);
    [fetches, loads, errors, stale] = [0, 0, 0, 0];
  }, sampleMs);
  const changing = (async () => {
    for (; !isStopped; await sleep(changeMs)) await change();
  })();
  process.once("message", () => (isStopped = true));
  process.send?.("ready");
  for (; !isStopped; await sleep(pauseMs)) {
    await Promise.all(Array.from({ length: fetchesOfRound }, fetchOne));
  }
  await changing;
  clearInterval(report);
  process.send?.({ atMs: Date.now(), fetches, loads, errors, stale } satisfies Sample);
  await cache.close();
  for (const numbers of [source, settled]) numbers.close();
  process.disconnect();
}

async function start(path: string, number: number, samples: Sample[]): Promise<ChildProcess> {
  const child = fork(program, [first, second, path, String(number)]);
  await once(child, "message");
  child.on("message", (sample: Sample) => samples.push(sample));
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.send("stop");
  await ended;
}

const sum = (samples: readonly Sample[], name: keyof Sample): number =>
  samples.reduce((total, sample) => total + sample[name], 0);
const ratioOf = (samples: readonly Sample[]): number =>
  100 * (1 - sum(samples, "loads") / Math.max(1, sum(samples, "fetches")));

async function main(): Promise<void> {
  const directory = new TemporaryDirectory("reload");
  const { path } = directory;
  for (const name of ["source", "settled"]) {
    writeFileSync(`${path}/${name}`, Buffer.alloc(keys * 8));
  }
  const samples: Sample[] = [];
  const children: ChildProcess[] = [];
  for (let one = 0; one < processes; one++) children.push(await start(path, one, samples));
  await sleep(warmMs);
  const beginMs = Date.now();
  for (const [one, old] of children.entries()) {
    children[one] = await start(path, processes + one, samples);
    await stop(old);
  }
  const endMs = Date.now();
  await sleep(afterMs);
  await Promise.all(children.map(stop));
  directory.remove();
  const between = (from: number, to: number): Sample[] =>
    samples.filter(({ atMs }) => atMs >= from && atMs < to);
  const before = ratioOf(between(beginMs - 2000, beginMs));
  console.log(`before: ${before.toFixed(1)} % without a load`);
  console.log(`reload, ${endMs - beginMs} ms: ${ratioOf(between(beginMs, endMs)).toFixed(1)} %`);
  let backMs = 0;
  for (let atMs = endMs; atMs + 1000 <= endMs + afterMs; atMs += 500) {
    const ratio = ratioOf(between(atMs, atMs + 500));
    if (ratio < before - backPoints) backMs = atMs + 500 - endMs;
    if ((atMs - endMs) % 2000 === 0) console.log(`+${atMs - endMs} ms: ${ratio.toFixed(1)} %`);
  }
  const [fetches, errors, stale] = (["fetches", "errors", "stale"] as const).map((name) =>
    sum(samples, name),
  );
  console.log(
    `within ${backPoints} points for good after ${backMs} ms; ${fetches} fetches, ` +
      `${errors} errors, ${stale} stale`,
  );
}

if (folder === undefined) await main();
else await serve(folder);
