// Four threads fetch the same cold keys at once: how often loaders run, and what a fetch costs.
// Compares one flight per key over all threads with one flight per thread (get, a Map of promises,
// set), which is what a cache without shared flights offers.

import { Worker } from "node:worker_threads";

import { openCache } from "../../src/mod.js";
import type { FetchOrder, FetchRound } from "../fetching-thread.js";
import type { Row, Suite } from "../suite.js";

const threads = 4;
const keys = 2000;
const rounds = 7;
const warmupRounds = 2;
const peers = ["undercroft fetch", "a flight per thread"] as const;

export const fetch: Suite = {
  name: "fetch",
  about:
    "4 threads fetch the same 2,000 cold keys in the same order, 64 at a time each; " +
    "loader is how many milliseconds a load takes. " +
    "us a fetch is a round's wall time divided by the fetches of one thread; " +
    "calls are loader calls per key.",
  cases: ["0 ms", "1 ms", "20 ms"],
  run: async (caseName) => {
    const loadMs = Number.parseInt(caseName, 10);
    const cache = await openCache({ memory: "64mb" });
    const calls = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { handle: cache.handle(), calls: calls.buffer };
    const workers = Array.from(
      { length: threads },
      () => new Worker(new URL("../fetching-thread.js", import.meta.url), { workerData }),
    );
    await Promise.all(workers.map(answerOf));
    const samples = new Map<string, { us: number; calls: number }[]>();
    for (let round = 0; round < warmupRounds + rounds; round++) {
      for (const peer of peers) {
        Atomics.store(calls, 0, 0);
        const order: FetchOrder = {
          prefix: `${peer}:${round}`,
          keys,
          loadMs,
          isShared: peer === peers[0],
        };
        const start = performance.now();
        const answers = workers.map(answerOf);
        for (const worker of workers) worker.postMessage(order);
        await Promise.all(answers);
        const us = ((performance.now() - start) * 1000) / keys;
        if (round < warmupRounds) continue;
        samples.set(peer, [...(samples.get(peer) ?? []), { us, calls: Atomics.load(calls, 0) }]);
      }
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
    await cache.close();
    return Array.from(samples, ([peer, taken]) => rowOf(caseName, peer, taken));
  },
};

function rowOf(loader: string, peer: string, taken: { us: number; calls: number }[]): Row {
  const us = taken.map((sample) => sample.us).toSorted((a, b) => a - b);
  const most = Math.max(...taken.map((sample) => sample.calls));
  return {
    loader,
    peer,
    "calls a key, at most": Number((most / keys).toFixed(3)),
    "us min": Number((us[0] ?? NaN).toFixed(1)),
    "us median": Number((us[us.length >> 1] ?? NaN).toFixed(1)),
    "us max": Number((us.at(-1) ?? NaN).toFixed(1)),
  };
}

function answerOf(worker: Worker): Promise<FetchRound> {
  return new Promise((resolve, reject) => {
    worker.once("message", (round: FetchRound) => {
      worker.off("error", reject);
      if (round.wrong === 0) resolve(round);
      else reject(new Error(`${round.wrong} fetches had a wrong value`));
    });
    worker.once("error", reject);
  });
}
