// The threads of a service, as the suites `mixes` and `thread-memory` start them.

import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { type Cache, openCache } from "../../src/mod.js";
import { keyOf, profileOf, type Profile } from "../workload.js";
import type { ServiceData, Shift, Worked } from "./service-thread.js";

/** The share of the calls that may fail: a burst of sets may find no free segment for a moment. */
const failedMax = 0.01;

export class Service {
  readonly #workers: Worker[] = [];

  /** Threads over a cache, or each over an lru-cache of its own. */
  async start(cache: Cache<Profile> | undefined, entries: number, threads: number): Promise<void> {
    for (let thread = 0; thread < threads; thread++) {
      const handle = cache?.handle() ?? null;
      const workerData: ServiceData = { handle, entries, thread };
      const worker = new Worker(new URL("service-thread.js", import.meta.url), { workerData });
      this.#workers.push(worker);
      await answerOf(worker);
    }
  }

  /** Lets the first so many threads work; returns nanoseconds a call, the mean over them. */
  async work(threads: number, writes: number, ms: number): Promise<number> {
    const ready = new Int32Array(new SharedArrayBuffer(4));
    const shift: Shift = { writes, ms, threads, ready };
    const crew = this.#workers.slice(0, threads);
    const answers = crew.map((worker) => answerOf(worker));
    for (const worker of crew) worker.postMessage(shift);
    const worked = (await Promise.all(answers)) as Worked[];
    for (const { calls, failed } of worked) {
      if (failed > failedMax * calls) throw new Error(`${failed} of ${calls} calls failed`);
    }
    return worked.reduce((sum, { calls, ns }) => sum + ns / calls, 0) / threads;
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

async function answerOf(worker: Worker): Promise<unknown> {
  const [answer] = (await once(worker, "message")) as unknown[];
  return answer;
}

/** A cache with the entries in it, opened with `memory` alone, or with `near: false` too. */
export async function filled(
  entries: number,
  memory: number,
  near?: false,
): Promise<Cache<Profile>> {
  const cache = await openCache<Profile>({ memory, ...(near === false && { near }) });
  for (let id = 0; id < entries; id++) {
    cache.set(keyOf(id), profileOf(id));
    // The janitor's messages are read between.
    if (id % 4096 === 0) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  }
  return cache;
}
