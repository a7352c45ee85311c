// A hit on disk, against a bare fs.read of the same bytes and other stores, so many at a time; from
// the page cache, and after it has forgotten the files.
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { type Contestant, timeRounds } from "../rounds.js";
import { type Row, type Suite, timingRows } from "../suite.js";
import { TemporaryDirectory } from "../temporary-directory.js";
import { seededRandom, shuffled } from "../workload.js";
import { type DiskStore, openStore, type StoreName, storeNames } from "./stores.js";

const size = 2048;
const entries = 16_384;
const warmBatch = 1024;
/** Cold reads are slow, and many rounds of them are not needed. */
const coldBatch = 256;
const rounds = { warm: 9, cold: 3 };

export const diskHits: Suite = {
  name: "disk-hits",
  about:
    "One read of a value of 2,048 bytes that is on disk only, each key once, 1, 32 or 256 at a " +
    "time. fs: fs.read at a random offset of a file of the same size. Warm: all files are in the " +
    "page cache. Cold: the system has forgotten them before each batch (dd iflag=nocache).",
  cases: ["warm 1", "warm 32", "warm 256", "cold 1", "cold 32", "cold 256"],
  run: async (caseName) => {
    const [warmth, count] = caseName.split(" ");
    const isCold = warmth === "cold";
    const inFlight = Number(count);
    const readers = await Promise.all(storeNames.map((name) => Reader.open(name, isCold)));
    const timings = await timeRounds(
      readers.map((reader) => reader.contestant(inFlight)),
      isCold ? rounds.cold : rounds.warm,
    );
    for (const reader of readers) await reader.close();
    return timingRows({ files: warmth ?? "", "in flight": inFlight }, timings) satisfies Row[];
  },
};

class Reader {
  readonly #store: DiskStore;
  readonly #directory: TemporaryDirectory;
  readonly #isCold: boolean;
  readonly #order = shuffled(entries, seededRandom(5));

  private constructor(store: DiskStore, directory: TemporaryDirectory, isCold: boolean) {
    this.#store = store;
    this.#directory = directory;
    this.#isCold = isCold;
  }

  static async open(name: StoreName, isCold: boolean): Promise<Reader> {
    const directory = new TemporaryDirectory("hits");
    const plan = { path: directory.path, size, memory: "32mb", capacity: "512mb" };
    const filled = await openStore(name, plan);
    await filled.write(0, entries);
    await filled.close();
    // Nothing is in memory again.
    const store = await openStore(name, { ...plan, preload: false });
    return new Reader(store, directory, isCold);
  }

  contestant(inFlight: number): Contestant {
    const batchSize = this.#isCold ? coldBatch : warmBatch;
    return {
      name: this.#store.name,
      size: batchSize,
      async: true,
      prepare: () => {
        if (this.#isCold) forget(this.#directory.path);
      },
      batch: async (round) => {
        let next = round * batchSize;
        const end = next + batchSize;
        let good = 0;
        const lane = async (): Promise<void> => {
          while (next < end) {
            if ((await this.#store.read(this.#order[next++] as number)) === size) good++;
          }
        };
        await Promise.all(Array.from({ length: inFlight }, lane));
        return good;
      },
    };
  }

  async close(): Promise<void> {
    await this.#store.close();
    this.#directory.remove();
  }
}

/** Lets the system write what it has of the files and forget it. */
function forget(path: string): void {
  for (const name of readdirSync(path)) {
    const file = join(path, name);
    const found = statSync(file);
    if (!found.isFile() || found.blocks === 0) continue;
    const quiet = { stdio: "ignore" } as const;
    execFileSync("sync", ["-d", file], quiet);
    execFileSync("dd", [`if=${file}`, "iflag=nocache", "count=0", "status=none"], quiet);
  }
}
