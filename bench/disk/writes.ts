// How fast each store takes values that can be read afterwards, what it writes for a byte, and what
// an entry takes on disk.
import { readFileSync } from "node:fs";

import type { Row, Suite } from "../suite.js";
import { TemporaryDirectory } from "../temporary-directory.js";
import { bytesOnDisk, openStore, type StoreName, storeNames } from "./stores.js";

const bytesOfRound = 64 * 2 ** 20;
const rounds = 3;
/** Every so manieth entry is looked for afterwards. */
const lookEvery = 7;

/** Bytes that this process has passed to write calls so far; NaN where the system does not say. */
function bytesWritten(): number {
  try {
    return Number(/wchar: (\d+)/.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
  } catch {
    return NaN;
  }
}

interface Writing {
  readonly mibPerSecond: number;
  readonly found: number;
  readonly amplification: number;
  readonly bytesPerEntry: number;
}

async function writeOnce(name: StoreName, size: number, entries: number): Promise<Writing> {
  const directory = new TemporaryDirectory("writes");
  const { path } = directory;
  const store = await openStore(name, { path, size, memory: "64mb", capacity: "1gb" });
  // The values are read from their files before the clock starts.
  await store.write(0, 1);
  const [before, start] = [bytesWritten(), performance.now()];
  await store.write(1, entries);
  const seconds = (performance.now() - start) / 1000;
  const written = bytesWritten() - before;
  let found = 0;
  for (let id = 0; id < entries; id += lookEvery) {
    if ((await store.read(id)) === size) found++;
  }
  await store.close();
  const bytes = bytesOnDisk(path);
  directory.remove();
  return {
    mibPerSecond: ((entries - 1) * size) / 2 ** 20 / seconds,
    found: found / Math.ceil(entries / lookEvery),
    amplification: written / ((entries - 1) * size),
    bytesPerEntry: bytes / entries,
  };
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}

/** The rounds of all stores in turns, each in a directory of its own. */
async function rowsOf(size: number, entries: number): Promise<Row[]> {
  const all = new Map<StoreName, Writing[]>(storeNames.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of storeNames) all.get(name)?.push(await writeOnce(name, size, entries));
  }
  return storeNames.map((name) => {
    const writings = all.get(name) ?? [];
    const speeds = writings.map(({ mibPerSecond }) => mibPerSecond);
    const last = writings.at(-1) as Writing;
    return {
      bytes: size,
      entries,
      store: name,
      "MiB/s median": Math.round(medianOf(speeds)),
      "MiB/s max": Math.round(Math.max(...speeds)),
      "found again": `${(100 * Math.min(...writings.map(({ found }) => found))).toFixed(1)} %`,
      "bytes written for one": Number(last.amplification.toFixed(3)),
      "bytes on disk an entry": Number(last.bytesPerEntry.toFixed(1)),
    };
  });
}

export const diskWrites: Suite = {
  name: "disk-writes",
  about:
    "64 MiB of values from real files, one set after another until all of them can be read; " +
    "3 rounds in turns, each in a new directory. Nobody syncs. undercroft: memory of 64 MiB, a " +
    "set that finds no room waits for a flush. fs: one file, written by position.",
  cases: ["1024", "16384", "65536"],
  run: (caseName) => rowsOf(Number(caseName), bytesOfRound / Number(caseName)),
};

export const diskSpace: Suite = {
  name: "disk-space",
  about:
    "What an entry takes: 100,000 values of so many bytes under keys of 8 to 13. Bytes that the " +
    "file system gave to all files after a close, with whatever a store keeps beside the entries.",
  cases: ["100", "1024"],
  run: (caseName) => rowsOf(Number(caseName), 100_000),
};
