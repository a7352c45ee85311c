// Threads that attach, detach and die leave nothing behind: no thread id, no system thread, no
// descriptor, and no memory beyond a stated slack. Called by main.ts and, in its CI share, by a
// test.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

import { attachCache, type Cache, type CacheHandle, openCache } from "../../src/mod.js";
import { hold, type Proof } from "./proof.js";

/** RSS may grow by this much over a whole run: V8 and malloc keep pages of freed memory. */
const rssSlackBytes = 64 * 1024 * 1024;
/** The first rounds warm up: code is compiled, heaps find their size. */
const warmUpShare = 0.25;
/** All but the last of a worker's rounds detach; then it ends attached, in one of the ways. */
const roundsOfWorker = 20;
/** Every second round is a worker's. */
const ways = ["terminate", "exit", "throw"] as const;
const settleMs = 20_000;

/** What a worker of leaking-thread.ts is told. */
export interface LeakData {
  readonly handle: CacheHandle;
  readonly rounds: number;
  readonly way: (typeof ways)[number];
}

interface Held {
  readonly rss: number;
  readonly descriptors: number;
  readonly systemThreads: number;
  readonly threadIds: number;
}

/** What the process holds; 0 for what the system has no list of. */
function held(cache: Cache): Held {
  globalThis.gc?.();
  const isLinux = process.platform === "linux";
  return {
    rss: process.memoryUsage.rss(),
    descriptors: isLinux ? readdirSync("/proc/self/fd").length : 0,
    systemThreads: isLinux ? readdirSync("/proc/self/task").length : 0,
    threadIds: cache.stats().threads.attached,
  };
}

async function attachAndDetach(cache: Cache, round: number): Promise<void> {
  const attached = attachCache(cache.handle());
  attached.set(`k${round % 100}`, round);
  hold(cache.getSync(`k${round % 100}`) === round, `round ${round} read another value`);
  await attached.close();
}

/** Lets a worker attach and detach, and end while it is attached. */
async function endAttached(cache: Cache, rounds: number, way: LeakData["way"]): Promise<void> {
  const workerData: LeakData = { handle: cache.handle(), rounds, way };
  const worker = new Worker(new URL("leaking-thread.js", import.meta.url), { workerData });
  worker.on("error", () => undefined);
  const exited = new Promise((resolve) => worker.once("exit", resolve));
  await Promise.race([new Promise((resolve) => worker.once("message", resolve)), exited]);
  await worker.terminate();
  await exited;
}

async function run(cache: Cache, rounds: number): Promise<number> {
  let kills = 0;
  for (let round = 0; round < rounds;) {
    const own = Math.min(roundsOfWorker, rounds - round);
    for (let turn = 0; turn < own; turn++) await attachAndDetach(cache, round + turn);
    round += own;
    const others = Math.min(roundsOfWorker, rounds - round);
    if (others === 0) break;
    await endAttached(cache, others, ways[kills % ways.length] ?? "exit");
    round += others;
    kills += 1;
  }
  return kills;
}

export const leak: Proof<"rounds"> = {
  name: "leak",
  about:
    "attaching, detaching and dying leaves memory, thread ids and descriptors where they began",
  options: { rounds: 10_000 },
  async run({ rounds }) {
    const scratch = mkdtempSync(join(tmpdir(), "undercroft-leak-"));
    const disk = { path: join(scratch, "cache"), capacity: "8mb" };
    const cache = await openCache({ memory: "8mb", disk });
    try {
      const warmUp = Math.ceil(rounds * warmUpShare);
      let kills = await run(cache, warmUp);
      const before = await settled(cache, (now) => now.threadIds === 1);
      kills += await run(cache, rounds - warmUp);
      const after = await settled(
        cache,
        (now) =>
          now.threadIds === before.threadIds &&
          now.descriptors <= before.descriptors &&
          now.systemThreads <= before.systemThreads &&
          now.rss - before.rss < rssSlackBytes,
      );
      const grown = ((after.rss - before.rss) / 2 ** 20).toFixed(1);
      return (
        `${rounds} rounds, ${kills} of them ended by a thread's end; RSS ${grown} MiB more, ` +
        `${after.descriptors} descriptors, ${after.systemThreads} system threads, ` +
        `${after.threadIds} thread ids as before`
      );
    } finally {
      await cache.close();
      rmSync(scratch, { recursive: true, force: true });
    }
  },
};

/** What is held once it is as it should be; throws a fault if it never is. */
async function settled(cache: Cache, isRight: (now: Held) => boolean): Promise<Held> {
  const deadline = performance.now() + settleMs;
  while (true) {
    const now = held(cache);
    if (isRight(now)) return now;
    hold(performance.now() < deadline, `this is left: ${JSON.stringify(now)}`);
    await sleep(20);
  }
}
