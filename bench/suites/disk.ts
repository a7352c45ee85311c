// A hit on disk, against a bare fs.read of the same size from a file of the same size, one at a
// time and 64 in flight. The files were just written, so both read from the operating system's page
// cache: the difference is the library's cost.

import { closeSync, openSync, read, writeSync } from "node:fs";
import { join } from "node:path";

import { openCache, type Cache } from "../../src/mod.js";
import { timeRounds, type Contestant } from "../rounds.js";
import { timingRows, type Row, type Suite } from "../suite.js";
import { TemporaryDirectory } from "../temporary-directory.js";
import { keyOf, seededRandom, shuffled } from "../workload.js";

const valueSize = 2048;
const entries = 32_768;
const batchSize = 1024;
const rounds = 12;

export const disk: Suite = {
  name: "disk",
  about:
    "One get of a value of 2,048 bytes that is on disk only (near: false, each key read once " +
    "after a reopen), against a " +
    "bare fs.read of 2,048 bytes at a random offset of a file of the same size. " +
    "Both files are in the page cache.",
  cases: ["1", "64"],
  run: async (caseName) => {
    const inFlight = Number(caseName);
    const directory = new TemporaryDirectory("disk");
    await writeCache(directory.path);
    const cache = await openAt(directory.path);
    const before = cache.stats();
    const file = new RawFile();
    const order = shuffled(entries, seededRandom(5));
    const timings = await timeRounds(
      [diskGets(cache, order, inFlight), rawReads(file, order, inFlight)],
      rounds,
    );
    const { hits } = cache.stats().since(before);
    const fromDisk = hits.disk / (hits.near + hits.memory + hits.disk);
    await cache.close();
    file.remove();
    directory.remove();
    const share = `${(100 * fromDisk).toFixed(1)} %`;
    return timingRows({ "in flight": inFlight, "hits from disk": share }, timings) satisfies Row[];
  },
};

function openAt(path: string): Promise<Cache<Uint8Array>> {
  return openCache<Uint8Array>({
    memory: "128mb",
    near: false,
    disk: { path, capacity: "512mb" },
  });
}

async function writeCache(path: string): Promise<void> {
  const cache = await openAt(path);
  const random = seededRandom(3);
  const value = Uint8Array.from({ length: valueSize }, () => Math.floor(random() * 256));
  for (let id = 0; id < entries; id++) {
    value[id % valueSize] = id & 255;
    cache.set(keyOf(id), value);
    if (id % 1024 === 1023) await cache.flush();
  }
  await cache.close();
}

function diskGets(cache: Cache<Uint8Array>, order: Uint32Array, inFlight: number): Contestant {
  const batch = (round: number): Promise<number> =>
    manyInFlight(inFlight, async (i) => {
      const value = await cache.get(keyOf(order[round * batchSize + i] as number));
      return value?.length === valueSize;
    });
  return { name: "undercroft", size: batchSize, async: true, batch };
}

function rawReads(file: RawFile, order: Uint32Array, inFlight: number): Contestant {
  const batch = (round: number): Promise<number> =>
    manyInFlight(inFlight, async (i) => {
      const position = (order[round * batchSize + i] as number) * valueSize;
      return (await file.read(position)) === valueSize;
    });
  return { name: "fs.read", size: batchSize, async: true, batch };
}

/** Runs a batch of operations, `inFlight` at a time; resolves to how many answered true. */
async function manyInFlight(
  inFlight: number,
  operation: (i: number) => Promise<boolean>,
): Promise<number> {
  let next = 0;
  let good = 0;
  const lane = async (): Promise<void> => {
    while (next < batchSize) {
      if (await operation(next++)) good++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return good;
}

/** A file of `entries` values, read at any offset into a new buffer, as `get` does. */
class RawFile {
  readonly #directory = new TemporaryDirectory("raw");
  readonly #descriptor: number;

  constructor() {
    this.#descriptor = openSync(join(this.#directory.path, "values"), "wx+");
    const value = new Uint8Array(valueSize).fill(7);
    for (let i = 0; i < entries; i++) writeSync(this.#descriptor, value, 0, valueSize, null);
  }

  read(position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const into = new Uint8Array(valueSize);
      read(this.#descriptor, into, 0, valueSize, position, (error, bytesRead) => {
        if (error === null) resolve(bytesRead);
        else reject(error);
      });
    });
  }

  remove(): void {
    closeSync(this.#descriptor);
    this.#directory.remove();
  }
}
