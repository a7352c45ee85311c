// How reads and writes scale with threads: one store, several threads, fixed windows of time. In
// each round every thread count has one window, in a rotating order, and ratios are taken within a
// round, so that a noisy moment of the machine does not bias one of them.

import { cpus } from "node:os";
import { Worker } from "node:worker_threads";

import type { Row, Suite } from "../suite.js";
import { contestantNames, type ContestantName, share } from "../threads/contestants.js";
import type { ThreadData } from "../threads/thread.js";
import {
  atDone,
  atMs,
  atReady,
  atResults,
  atThreads,
  atWindow,
  atWork,
  createWindow,
  windowWords,
  type Work,
  works,
} from "../threads/window.js";

const rounds = 9;
const windowMs = 50;
const defaultThreads = [1, 2, 4, 8, 16];

/**
 * Thread counts: `npm run bench -- threads --threads=1,2,32`. Always contains 1, the baseline of
 * the ratios.
 */
function threadCounts(): number[] {
  const given = process.env["BENCH_THREADS"];
  if (given === undefined) return defaultThreads;
  const counts = given.split(",").map(Number);
  if (counts.some((count) => !Number.isInteger(count) || count < 1 || count > 60)) {
    throw new RangeError(`Cannot run ${given} threads; give whole numbers from 1 to 60`);
  }
  return [...new Set([1, ...counts])].toSorted((left, right) => left - right);
}

/** The share of a window's operations that may miss or be refused. */
const unansweredMax = 0.01;

export const threads: Suite = {
  name: "threads",
  about:
    "Millions of operations a second of all threads together, 16,384 entries of 5 fields, " +
    `interned key strings, ${cpus().length} cores. ` +
    `Windows of ${windowMs} ms behind a barrier, ${rounds} rounds; ` +
    '"to one" is the median of the ratios within a round. ' +
    "lru-cache: one per thread; the others do not see its writes. " +
    "lmdb: putSync, without sync. sharedmap: values as JSON.",
  cases: contestantNames,
  run: async (caseName) => {
    const name = caseName as ContestantName;
    const counts = threadCounts();
    const shared = await share(name);
    const crew = new Crew(Math.max(...counts));
    await crew.start(name, shared.data);
    const rows: Row[] = [];
    for (const work of works) {
      if (name === "shared-memory-datastructures" && work.writes > 0) {
        rows.push(...counts.map((count) => rowOf(name, work, count, "cannot replace a value")));
      } else rows.push(...(await measure(crew, name, work, counts)));
    }
    await crew.end();
    await shared.close();
    return rows;
  },
};

/** The threads of one case. */
class Crew {
  readonly #workers: Worker[] = [];
  readonly #window: Int32Array;
  readonly #threads: number;

  constructor(threads: number) {
    this.#threads = threads;
    this.#window = createWindow(threads);
  }

  async start(name: ContestantName, data: unknown): Promise<void> {
    for (let thread = 0; thread < this.#threads; thread++) {
      const workerData: ThreadData = { name, data, thread, window: this.#window };
      const worker = new Worker(new URL("../threads/thread.js", import.meta.url), { workerData });
      this.#workers.push(worker);
      await new Promise<void>((resolve, reject) => {
        worker.once("message", () => {
          resolve();
        });
        worker.once("error", reject);
      });
    }
  }

  /** Operations per microsecond of the first `threads` threads in one window. */
  async work(work: Work, threads: number): Promise<number> {
    const window = this.#window;
    window[atThreads] = threads;
    window[atWork] = works.indexOf(work);
    window[atMs] = windowMs;
    window[atReady] = 0;
    window[atDone] = 0;
    Atomics.add(window, atWindow, 1);
    Atomics.notify(window, atWindow);
    while (Atomics.load(window, atDone) < threads) {
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    }
    let rate = 0;
    for (let thread = 0; thread < threads; thread++) {
      const first = atResults + thread * windowWords;
      const [operations, microseconds, wrong] = window.subarray(first, first + 3);
      // A cache may evict while its log is overwritten, and may refuse a write for want of room.
      if ((wrong as number) > (operations as number) * unansweredMax) {
        throw new Error(`${wrong} of ${operations} operations were not answered`);
      }
      rate += (operations as number) / (microseconds as number);
    }
    return rate;
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

async function measure(
  crew: Crew,
  name: ContestantName,
  work: Work,
  counts: readonly number[],
): Promise<Row[]> {
  const rates = new Map(counts.map((count) => [count, [] as number[]]));
  for (let round = -1; round < rounds; round++) {
    const turn = (round + 1) % counts.length;
    const order = [...counts.slice(turn), ...counts.slice(0, turn)];
    for (const count of order) {
      const rate = await crew.work(work, count);
      // The first round warms up.
      if (round >= 0) rates.get(count)?.push(rate);
    }
  }
  const single = rates.get(1) ?? [];
  return counts.map((count) => {
    const own = rates.get(count) ?? [];
    const ratios = own.map((rate, round) => rate / (single[round] ?? NaN));
    const toOne = Number(medianOf(ratios).toFixed(2));
    return {
      ...rowOf(name, work, count, ""),
      "M/s median": Number(medianOf(own).toFixed(2)),
      "M/s max": Number(Math.max(...own).toFixed(2)),
      "to one": toOne,
      "to one, best": Number(Math.max(...ratios).toFixed(2)),
    };
  });
}

function rowOf(peer: string, work: Work, threads: number, note: string): Row {
  const empty = { "M/s median": "", "M/s max": "", "to one": "", "to one, best": "" };
  return { work: work.name, peer, threads, ...empty, note };
}

function medianOf(samples: readonly number[]): number {
  const sorted = samples.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? NaN) + high) / 2;
}
