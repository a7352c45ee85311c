// Reads with overwrites among them, by one and by two threads, with default options: the cache that
// they share beside an lru-cache in each, in turns.

import type { Row, Suite } from "../suite.js";
import { filled, Service } from "../threads/service.js";

const entries = 65_536;
const memory = 64 * 1024 ** 2;
const rounds = 11;
const windowMs = 150;
const warmUpMs = 1000;
/** Overwrites in a hundred calls. */
const mixes = [0, 5, 50] as const;

export const mixesOfCalls: Suite = {
  name: "mixes",
  about:
    "openCache({ memory }) and no other option, shared by the threads, against an lru-cache with " +
    `room for all in each thread, whose writes the others do not see. ${entries} entries of 5 ` +
    "fields, Zipf, a key string built for each call; reads by getSync, overwrites by set. " +
    `Nanoseconds a call in each thread, medians of ${rounds} windows of ${windowMs} ms in turns; ` +
    "throughput: of a thread, lru-cache's is 1, the median of the ratios within a round.",
  cases: ["all"],
  run: async () => {
    const cache = await filled(entries, memory);
    const [ours, theirs] = [new Service(), new Service()];
    await ours.start(cache, entries, 2);
    await theirs.start(undefined, entries, 2);
    for (const service of [ours, theirs]) await service.work(2, 5, warmUpMs);
    const rows: Row[] = [];
    for (const writes of mixes) {
      for (const threads of [1, 2]) {
        const samples: [ours: number, theirs: number][] = [];
        for (let round = 0; round < rounds; round++) {
          const window = async (service: Service): Promise<number> =>
            service.work(threads, writes, windowMs);
          samples.push([await window(ours), await window(theirs)]);
        }
        rows.push({
          writes: `${writes} %`,
          threads,
          "undercroft ns": Math.round(median(samples.map(([ns]) => ns))),
          "lru-cache ns": Math.round(median(samples.map(([, ns]) => ns))),
          throughput: Number(median(samples.map(([own, other]) => other / own)).toFixed(2)),
        });
      }
    }
    for (const service of [ours, theirs]) await service.end();
    await cache.close();
    return rows;
  },
};

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] as number;
}
