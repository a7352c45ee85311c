// Threads killed while they work: before every single write that the kernel makes to shared memory,
// and at random, by terminate(), process.exit(), an error, and out of memory. After each the others
// go on; at the end nothing of the dead may be left. Called by main.ts and, in its CI share, by a
// test.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

import { seededRandom } from "../../../bench/workload.js";
import * as at from "../../../src/kernel/layout.js";
import { type Cache, type CacheHandle, openCache } from "../../../src/mod.js";
import { hold, type Proof } from "../proof.js";
import {
  isSeen,
  stepKernel,
  type SteppedKernel,
  stoppedWord,
  targetWord,
} from "./stepped-kernel.js";
import { structureFaults } from "./structure.js";
import { faultOf, keyOf, valueOf } from "./values.js";
import type { Suicide, VictimData } from "./victim.js";

/** Victims at work at once. */
const lanes = 3;
/** How long a victim may work until it reaches the step at which it must stop; then it gets another
 *  step. */
const stepMsMax = 60;
/** Steps that a victim tries for before it is killed where it is. */
const stepsTried = 3;
/** A death is noticed within milliseconds, later on a busy machine. */
const recoveryMsMax = 20_000;
/** Thread ids held when there is no victim: the opener's and its janitor's. */
const ownThreads = 2;
const memory = "1mb";

interface Tally {
  kills: number;
  /** Keys that were found, with the right value, at the ends of the caches' shares. */
  found: number;
  readonly ways: Map<string, number>;
  /** Milliseconds from each death until nothing was held in its name. This thread looks each
   *  millisecond. */
  readonly recoveries: number[];
  /** How often victims were to stop at each step, and the steps at which one was killed. */
  readonly tried: Map<number, number>;
  readonly steps: Set<number>;
}

/** One cache's share of a run. */
interface Share {
  readonly kills: number;
  readonly ms: number;
  readonly seed: number;
}

/** One cache whose threads are killed. */
class Ground {
  readonly #cache: Cache;
  readonly #words: Int32Array;
  readonly #handle: CacheHandle;
  readonly #random: () => number;
  readonly #tally: Tally;
  readonly #bytes: Uint8Array;
  readonly #steps: number;
  readonly #versions = new Map<string, number>();
  #version = 0;
  #kills: number;
  readonly #untilMs: number;

  constructor(cache: Cache, stepped: SteppedKernel, share: Share, tally: Tally) {
    this.#cache = cache;
    const handle = cache.handle();
    this.#handle = { ...handle, worker: { ...handle.worker, module: stepped.module } };
    this.#words = new Int32Array(handle.worker.memory.buffer);
    this.#bytes = new Uint8Array(handle.worker.memory.buffer);
    this.#random = seededRandom(share.seed);
    this.#tally = tally;
    this.#kills = share.kills;
    this.#untilMs = performance.now() + share.ms;
    this.#steps = stepped.steps.length;
  }

  async run(): Promise<void> {
    let isOver = false;
    const survivor = this.#survive(() => isOver);
    try {
      await Promise.all(Array.from({ length: lanes }, () => this.#lane()));
    } finally {
      isOver = true;
      await survivor;
    }
    await this.#judge();
  }

  async #lane(): Promise<void> {
    while (this.#kills > 0 && performance.now() < this.#untilMs) {
      this.#kills -= 1;
      await this.#kill();
      this.#tally.kills += 1;
    }
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count);
  }

  /** One of the steps that victims reach, of those least tried; 0 = none is known yet. */
  #nextStep(): number {
    let fewest = Infinity;
    let chosen: number[] = [];
    for (let step = 1; step < this.#steps; step++) {
      if (!isSeen(this.#bytes, step)) continue;
      const tries = this.#tally.tried.get(step) ?? 0;
      if (tries > fewest) continue;
      if (tries < fewest) chosen = [];
      fewest = tries;
      chosen.push(step);
    }
    const step = chosen[this.#pick(chosen.length)] ?? 0;
    this.#tally.tried.set(step, fewest + 1);
    return step;
  }

  #chooseSuicide(): Suicide {
    const choice = this.#pick(100);
    if (choice < 6) return "exit";
    if (choice < 12) return "throw";
    return choice < 15 ? "memory" : "none";
  }

  async #kill(): Promise<void> {
    const suicide = this.#chooseSuicide();
    const operationsMax = this.#pick(3000);
    const seed = this.#pick(2 ** 31);
    const workerData: VictimData = { handle: this.#handle, seed, suicide, operationsMax };
    const worker = new Worker(new URL("victim.js", import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: suicide === "memory" ? 32 : 256 },
    });
    const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    let failure: unknown;
    worker.once("error", (error) => (failure = error));
    const ready = new Promise<void>((resolve) => worker.once("message", () => resolve()));
    await Promise.race([ready, exited]);
    const { threadId } = worker;
    const threads = this.#threadsOf(threadId);
    const recovered = this.#recovered();
    worker.postMessage("go");
    let way: string = suicide;
    if (suicide === "none") {
      way = await this.#stop(threads);
      await worker.terminate();
    }
    await exited;
    const isMeant = /on purpose|ERR_WORKER_OUT_OF_MEMORY/.test(
      `${String(failure)}${codeOf(failure)}`,
    );
    hold(failure === undefined || isMeant, `a victim with seed ${seed} failed: ${String(failure)}`);
    this.#tally.ways.set(way, (this.#tally.ways.get(way) ?? 0) + 1);
    await this.#recoveredAll(threadId, threads, `${way}, seed ${seed}`, recovered);
  }

  #recovered(): number {
    return this.#cache.stats().threads.recovered;
  }

  /** The thread ids that a worker holds. */
  #threadsOf(workerId: number): number[] {
    const threads: number[] = [];
    for (let thread = 0; thread < at.threadsMax; thread++) {
      const block = (at.threadTable + thread * at.threadBlockSize) / 4;
      if (Atomics.load(this.#words, block + at.threadState / 4) === 0) continue;
      const id = Atomics.load(this.#words, block + at.threadWorkerId / 4);
      if (id === workerId) threads.push(thread);
    }
    return threads;
  }

  /** Waits until a victim has stopped at a step, or for a random moment; returns which. */
  async #stop(threads: readonly number[]): Promise<string> {
    if (this.#pick(5) === 0) {
      await sleep(this.#pick(30));
      return "anywhere";
    }
    for (let attempt = 0; attempt < stepsTried; attempt++) {
      const step = this.#nextStep();
      for (const thread of threads) Atomics.store(this.#words, targetWord(thread), step);
      const deadline = performance.now() + stepMsMax;
      while (performance.now() < deadline) {
        await sleep(1);
        const stopped = threads.find((thread) => this.#words[stoppedWord(thread)] === step);
        if (stopped === undefined) continue;
        this.#tally.steps.add(step);
        return "step";
      }
    }
    return "anywhere";
  }

  async #recoveredAll(
    workerId: number,
    threads: readonly number[],
    what: string,
    before: number,
  ): Promise<void> {
    const died = performance.now();
    const deadline = died + recoveryMsMax;
    while (this.#threadsOf(workerId).length > 0) {
      const recovered = this.#recovered() - before;
      const text = `${what}: threads ${threads.join()} were not recovered; ${recovered} were`;
      hold(performance.now() < deadline, text);
      await sleep(1);
    }
    this.#tally.recoveries.push(performance.now() - died);
    for (const thread of threads) {
      Atomics.store(this.#words, targetWord(thread), 0);
      Atomics.store(this.#words, stoppedWord(thread), 0);
    }
  }

  /** Works meanwhile: this thread's own keys never show an older value, and no key shows
   *  another's. */
  async #survive(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      for (let turn = 0; turn < 20; turn++) {
        const key = `own:${this.#pick(100)}`;
        const version = ++this.#version;
        if (version % 7 === 0) {
          this.#cache.delete(key);
          this.#versions.delete(key);
        } else {
          this.#cache.set(key, valueOf(key, version, this.#pick(200)));
          this.#versions.set(key, version);
        }
        this.#check(`own:${this.#pick(100)}`);
        this.#check(keyOf(this.#pick(12_000)));
      }
      await sleep(5);
    }
  }

  #check(key: string, value: unknown = this.#cache.getSync(key)): boolean {
    if (value === undefined) return false;
    const fault = faultOf(key, value);
    hold(fault === undefined, fault ?? "");
    if (!key.startsWith("own:")) return true;
    const { number } = value as { readonly number: number };
    const text = `${key} is of write ${number}, and the last was ${this.#versions.get(key)}`;
    hold(number === this.#versions.get(key), text);
    return true;
  }

  /** At the end: everything is free, everything found is right, and there is as much room as
   *  ever. */
  async #judge(): Promise<void> {
    const deadline = performance.now() + recoveryMsMax;
    let faults: string[];
    do {
      // The janitor works meanwhile: it may hold a lock for a moment, and free what was blocked.
      await sleep(20);
      faults = structureFaults(this.#handle, ownThreads);
    } while (faults.length > 0 && performance.now() < deadline);
    hold(faults.length === 0, `after ${this.#tally.kills} kills: ${faults.slice(0, 5).join("; ")}`);
    let found = 0;
    for (let number = 0; number < 12_000; number++) {
      if (this.#check(keyOf(number), await this.#cache.get(keyOf(number)))) found += 1;
    }
    for (let number = 0; number < 100; number++) {
      this.#check(`own:${number}`, await this.#cache.get(`own:${number}`));
    }
    // None, if the last thread was killed in a clear; but not each time.
    this.#tally.found += found;
    // Every segment can be written again: twice the memory is written, and each write is found at
    // once.
    for (let write = 0; write < 2000; write++) {
      const key = `last:${write}`;
      const outcome = this.#cache.set(key, valueOf(key, write, 1000));
      if (outcome === "overloaded") await this.#cache.flush();
      else hold(this.#check(key), `${key} was ${outcome} and is not there`);
    }
  }
}

function codeOf(error: unknown): string {
  return (error as { readonly code?: string } | undefined)?.code ?? "";
}

export const kill: Proof<"kills" | "seconds" | "seed"> = {
  name: "kill",
  about: "threads killed at every write of the kernel and at random leave nothing behind",
  options: { kills: 20_000, seconds: 7200, seed: 1 },
  async run({ kills, seconds, seed }, say) {
    const stepped = stepKernel();
    const tally: Tally = {
      kills: 0,
      found: 0,
      ways: new Map(),
      recoveries: [],
      tried: new Map(),
      steps: new Set(),
    };
    const scratch = mkdtempSync(join(tmpdir(), "undercroft-kill-"));
    // The whole process takes part: one cache for each thousand kills, every other one with a disk.
    const turns = Math.max(2, Math.ceil(kills / 1000));
    const deadline = performance.now() + seconds * 1000;
    try {
      for (let turn = 0; turn < turns; turn++) {
        const disk = { disk: { path: join(scratch, `${turn}`), capacity: "8mb" } };
        const cache = await openCache({ memory, ...(turn % 2 === 1 ? disk : {}) });
        try {
          // Steps that one cache had no time for are left to the others.
          const left = turns - turn;
          const share = {
            kills: Math.ceil((kills - tally.kills) / left),
            ms: (deadline - performance.now()) / left,
            seed: seed + turn,
          };
          await new Ground(cache, stepped, share, tally).run();
        } finally {
          await cache.close();
        }
        say(`${tally.kills} kills, at ${tally.steps.size} of ${stepped.steps.length - 1} steps`);
      }
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
    hold(tally.found > 0, "no key was left by any thread that was killed");
    const ways = Array.from(tally.ways, ([way, count]) => `${count} ${way}`).join(", ");
    const recoveries = tally.recoveries.toSorted((a, b) => a - b);
    const [median, high, most] = [0.5, 0.99, 1].map((share) =>
      (recoveries[Math.ceil(share * recoveries.length) - 1] ?? NaN).toFixed(1),
    );
    const times = `recovered after ${median} ms, p99 ${high}, at most ${most}`;
    return (
      `${tally.kills} kills (${ways}) at ${tally.steps.size} different steps; ${times}; ` +
      `nothing was left, nothing was wrong; seed ${seed}`
    );
  },
};
