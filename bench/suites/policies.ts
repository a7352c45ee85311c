// What each eviction policy costs callers of get and set, `auto` with its tuning included. The
// caches take turns in one process, each with the same requests.

import { openCache, type Cache, type CacheOptions } from "../../src/mod.js";
import { timeRounds, type Contestant } from "../rounds.js";
import { timingRows, type Row, type Suite } from "../suite.js";
import { keyOf, zipfDraws } from "../workload.js";

const memory = "16mb";
/** The cache holds all of them, or a quarter of them. */
const keysOf = { hits: 32_768, churn: 262_144 } as const;
const value = "v".repeat(200);
const batchSize = 1 << 15;
const rounds = 60;
const drawsLength = 1 << 20;

const names = [
  "s3-fifo",
  "auto",
  "lfu",
  "lru",
  "sieve",
  "fifo",
] as const satisfies readonly CacheOptions<string>["eviction"][];

export const policies: Suite = {
  name: "policies",
  about:
    "A read-through request, Zipf-like, near cache off: a getSync, and on a miss a set of 200 " +
    "bytes, by eviction policy. " +
    "hits: the cache holds every key; churn: a quarter of them, so that it evicts all the time.",
  cases: ["hits", "churn"],
  run: async (caseName) => {
    const keys = keysOf[caseName as keyof typeof keysOf];
    const draws = zipfDraws(keys, drawsLength, 42);
    const caches: Cache<string>[] = [];
    const contestants: Contestant[] = [];
    for (const eviction of names) {
      const cache = await openCache<string>({ memory, eviction, near: false });
      caches.push(cache);
      contestants.push(requests(cache, eviction, draws));
    }
    const timings = await timeRounds(contestants, rounds);
    const ratios = caches.map((cache) => cache.stats().hitRatio);
    for (const cache of caches) await cache.close();
    return timingRows({ requests: caseName }, timings).map((row, index) => ({
      ...row,
      "hit ratio": Number((ratios[index] ?? NaN).toFixed(3)),
    })) satisfies Row[];
  },
};

function requests(cache: Cache<string>, name: string, draws: Uint32Array): Contestant {
  const batch = (round: number): number => {
    const from = (round * batchSize) % draws.length;
    for (let i = from; i < from + batchSize; i++) {
      const key = keyOf(draws[i] as number);
      if (cache.getSync(key) === undefined) cache.set(key, value);
    }
    return batchSize;
  };
  return { name, size: batchSize, async: false, batch };
}
