// Threads that fetch, delete and clear the same few keys and die at any moment: no fetch gets a
// value older than a delete that had returned when it began, none hangs, and no flight is left
// behind. Called by main.ts and, in its CI share, by a test.

import { Worker } from "node:worker_threads";

import { flightFree } from "../../src/kernel/flight-layout.js";
import { type Cache, openCache } from "../../src/mod.js";
import { flightStatesOf } from "./flight-words.js";
import type { FlightReport, FlightsTask } from "./flights-thread.js";
import { Fault, hold, type Proof } from "./proof.js";

/** A thread that is silent for this long hangs. */
const silenceMsMax = 30_000;
const lookMs = 50;

class Crew {
  fetches = 0;
  deaths = 0;
  fault: string | undefined;
  isOver = false;
  readonly #task: FlightsTask;
  readonly #workers = new Map<Worker, number>();

  constructor(task: FlightsTask) {
    this.#task = task;
  }

  start(): void {
    const url = new URL("flights-thread.js", import.meta.url);
    const worker = new Worker(url, { workerData: this.#task });
    this.#workers.set(worker, performance.now());
    worker.on("message", ({ fetches, fault }: FlightReport) => {
      this.fetches += fetches;
      this.fault ??= fault;
      this.#workers.set(worker, performance.now());
    });
    worker.on("error", (error) => (this.fault ??= String(error)));
    worker.once("exit", () => this.#workers.delete(worker));
  }

  /** Ends one thread in the middle of its work and starts another. */
  async replaceOne(): Promise<void> {
    const [oldest] = this.#workers.keys();
    if (oldest === undefined) return;
    await oldest.terminate();
    this.deaths += 1;
    this.start();
  }

  check(): void {
    if (this.fault !== undefined) throw new Fault(this.fault);
    for (const heard of this.#workers.values()) {
      hold(performance.now() - heard < silenceMsMax, `a thread was silent for ${silenceMsMax} ms`);
    }
  }

  async end(): Promise<void> {
    await Promise.all(Array.from(this.#workers.keys(), (worker) => worker.terminate()));
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Flights of the table that are not free once every thread has ended and was recovered. */
async function leftBehind(cache: Cache): Promise<number> {
  const { buffer } = cache.handle().worker.memory;
  const count = (): number => flightStatesOf(buffer).filter((state) => state !== flightFree).length;
  for (let waited = 0; waited < silenceMsMax && count() !== 0; waited += lookMs)
    await sleep(lookMs);
  return count();
}

export const flightsProof: Proof<"seconds" | "threads" | "keys" | "killMs"> = {
  name: "flights",
  about:
    "threads fetch, delete and clear the same keys and are killed: " +
    "no fetch is older than a delete before it, none hangs, no flight is left",
  options: { seconds: 120, threads: 6, keys: 40, killMs: 1000 },
  async run({ seconds, threads, keys, killMs }) {
    const cache = await openCache({ memory: "4mb" });
    const board = new SharedArrayBuffer(keys * 8);
    const crew = new Crew({ handle: cache.handle(), board, keys });
    try {
      for (let thread = 0; thread < threads; thread++) crew.start();
      const end = performance.now() + seconds * 1000;
      let killAt = performance.now() + killMs;
      while (performance.now() < end) {
        await sleep(lookMs);
        crew.check();
        if (performance.now() < killAt) continue;
        await crew.replaceOne();
        killAt = performance.now() + killMs;
      }
      await crew.end();
      crew.check();
      const left = await leftBehind(cache);
      hold(left === 0, `${left} flights were left behind`);
      const { loads, fillsSuperseded, flights } = cache.stats();
      hold(flights.coalescedAcross > 0, "no thread ever waited for another");
      return (
        `${crew.fetches} fetches, ${loads} loads, ` +
        `${flights.coalescedAcross} waits across threads, ${fillsSuperseded} superseded, ` +
        `${crew.deaths} deaths, ${flights.takeovers} takeovers`
      );
    } finally {
      await crew.end();
      await cache.close();
    }
  },
};
