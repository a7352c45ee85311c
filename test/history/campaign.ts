// A campaign: a cache, several threads that work on it round by round, and the judgement of each
// round. Called by the history proof and, in its CI share, by the test. Built to dist/test/history,
// because workers are started from there. A round begins with a clear, so that a value of an
// earlier round is stale wherever it turns up.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

import { monotonicMs } from "../../src/base/mod.js";
import type * as Door from "../../src/mod.js";
import type { Cache, CacheStats } from "../../src/mod.js";
import type { LargeValues } from "./entry-value.js";
import type { LoadOptions, LoadReport } from "./load.js";
import { atTicket, controlWords, createRound, type Round } from "./operations.js";
import { Judge, type Verdict } from "./zones.js";

/** The entry point of the built package. */
export const builtDoor: string = new URL("../../src/mod.js", import.meta.url).href;

export interface CampaignOptions {
  readonly door: string;
  readonly threads: number;
  /** Of each thread, in each round. */
  readonly operations: number;
  readonly rounds: number;
  readonly keys: number;
  /** A quarter of the values written have one of so many tags. */
  readonly tags: number;
  readonly memory: string;
  /** Capacity of a disk tier, in the campaign's own folder; undefined = memory only. */
  readonly disk: string | undefined;
  readonly near: boolean;
  readonly large: LargeValues | undefined;
  /** How many operations in a thousand are `get`, which may read from disk. The other reads are
   *  `getSync`. */
  readonly awaited: number;
  /** Whether a thread is killed in the middle of each round and replaced in the next. */
  readonly kills: boolean;
  /** Whether the threads have an identity index from the start. */
  readonly indexesKeys: boolean;
  /** How many fetches begin at once where one would otherwise. */
  readonly burst: number;
  readonly seed: number;
  /** The longest a round may take, in milliseconds; unlimited by default. */
  readonly roundMsMax?: number;
}

export interface CampaignReport {
  readonly operations: number;
  readonly reads: number;
  readonly misses: number;
  readonly writes: number;
  readonly fills: number;
  /** Deletions by tag that have returned. */
  readonly byTag: number;
  readonly killed: number;
  readonly faults: number;
  /** The first faults, one line each. */
  readonly told: readonly string[];
  /** How long the threads worked, and how long the judgement took. */
  readonly workMs: number;
  readonly judgeMs: number;
  readonly stats: CacheStats;
}

/** If no thread does anything for this long, the library hangs, which is a fault. */
const hangMs = 60_000;
/** Values that a thread keeps near: fewer than there are keys, so that the near cache evicts
 *  too. */
const nearEntries = 1000;

class Crew {
  readonly #options: CampaignOptions;
  readonly #cache: Cache;
  readonly #round: Round;
  readonly #control = new Int32Array(new SharedArrayBuffer(4 * controlWords));
  readonly #workers: Worker[];
  killed = 0;

  constructor(options: CampaignOptions, cache: Cache) {
    const { threads, operations, keys, tags } = options;
    this.#options = options;
    this.#cache = cache;
    this.#round = createRound({ threads, operations, keys, tags });
    this.#workers = Array.from({ length: threads }, (_, thread) => this.#start(thread));
  }

  #start(thread: number): Worker {
    const { door, seed, large, awaited, indexesKeys, burst } = this.#options;
    const workerData: LoadOptions = {
      door,
      handle: this.#cache.handle(),
      thread,
      seed,
      round: this.#round,
      control: this.#control,
      large,
      awaited,
      indexesKeys,
      burst,
    };
    return new Worker(new URL("./load.js", import.meta.url), { workerData });
  }

  /** One round; resolves to its history and to the values read that nobody wrote. */
  async work(number: number): Promise<{ readonly round: Round; readonly wrong: string[] }> {
    this.#round.words.fill(0);
    this.#control.fill(0);
    this.#cache.clear();
    const startMs = monotonicMs();
    const { roundMsMax } = this.#options;
    const answers = this.#workers.map((worker) => answerOf(worker, this.#control, roundMsMax));
    for (const worker of this.#workers) worker.postMessage({ number, startMs });
    const killed = this.#options.kills ? await this.#kill(number) : -1;
    const reports = await Promise.all(answers);
    for (const [thread, report] of reports.entries()) {
      // A thread that was killed after it had reported is replaced as well.
      if (report === undefined || thread === killed) this.#workers[thread] = this.#start(thread);
    }
    return { round: this.#round, wrong: reports.flatMap((report) => [...(report?.wrong ?? [])]) };
  }

  /** Ends one thread somewhere in the middle of the round; returns which. */
  async #kill(number: number): Promise<number> {
    const { threads, operations, seed } = this.#options;
    // Two tickets an operation: between a tenth and nine tenths of the round.
    const share = 0.1 + (0.8 * ((Math.imul(seed + number, 0x9e3779b1) >>> 8) & 1023)) / 1024;
    const due = share * 2 * threads * operations;
    while (Atomics.load(this.#control, atTicket) < due)
      await new Promise((go) => setTimeout(go, 1));
    await this.#workers[number % threads]?.terminate();
    this.killed += 1;
    return number % threads;
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

/** A thread's report of a round; undefined if it was killed. */
function answerOf(
  worker: Worker,
  control: Int32Array,
  roundMsMax: number | undefined,
): Promise<LoadReport | undefined> {
  return new Promise((resolve, reject) => {
    let seen = -1;
    const limit =
      roundMsMax === undefined
        ? undefined
        : setTimeout(() => reject(new Error(`a round took over ${roundMsMax} ms`)), roundMsMax);
    const watch = setInterval(() => {
      const ticket = Atomics.load(control, atTicket);
      if (ticket === seen) reject(new Error(`no thread has done anything for ${hangMs} ms`));
      seen = ticket;
    }, hangMs);
    const settle = (): void => {
      clearInterval(watch);
      clearTimeout(limit);
      for (const event of ["message", "error", "exit"]) worker.removeAllListeners(event);
    };
    worker.once("message", (report: LoadReport) => {
      settle();
      resolve(report);
    });
    worker.once("error", (error) => {
      settle();
      reject(error as Error);
    });
    worker.once("exit", () => {
      settle();
      resolve(undefined);
    });
  });
}

/** Runs a campaign to its end, or to the first round with a fault. `afterRound` is called after
 *  each. */
export async function runCampaign(
  options: CampaignOptions,
  afterRound: (verdict: Verdict) => void = () => undefined,
): Promise<CampaignReport> {
  const { openCache } = (await import(options.door)) as typeof Door;
  const folder = mkdtempSync(join(tmpdir(), "undercroft-history-"));
  const { memory, disk, near, rounds } = options;
  const cache = await openCache({
    memory,
    ...(disk === undefined ? {} : { disk: { path: join(folder, "cache"), capacity: disk } }),
    near: near && { maxEntries: nearEntries },
    // In so small a cache the tuner samples every key, and sampled keys enter no index.
    ...(options.indexesKeys ? { eviction: "s3-fifo" as const } : {}),
  });
  const crew = new Crew(options, cache);
  const sum = { operations: 0, reads: 0, misses: 0, writes: 0, fills: 0, byTag: 0, faults: 0 };
  const told: string[] = [];
  let [workMs, judgeMs] = [0, 0];
  try {
    for (let number = 1; number <= rounds && told.length === 0; number++) {
      const start = performance.now();
      const { round, wrong } = await crew.work(number);
      const middle = performance.now();
      const verdict = new Judge(round).verdict();
      workMs += middle - start;
      judgeMs += performance.now() - middle;
      for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += verdict[name];
      sum.faults += wrong.length;
      told.push(...wrong, ...verdict.told.map((text) => `round ${number}: ${text}`));
      afterRound(verdict);
    }
    const stats = cache.stats();
    return { ...sum, killed: crew.killed, told, workMs, judgeMs, stats };
  } finally {
    await crew.end();
    await cache.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
