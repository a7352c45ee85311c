// Threads work on one cache and record what they do; afterwards each read is judged by what had
// happened before it. Called by main.ts and, in its CI share, by a test.

import {
  builtDoor,
  type CampaignOptions,
  type CampaignReport,
  runCampaign,
} from "../history/campaign.js";
import { hold, type Proof } from "./proof.js";

/** What campaigns run on, one after the other. */
export type Cell = Omit<CampaignOptions, "door" | "operations" | "rounds" | "seed"> & {
  readonly name: string;
};

const memory = {
  memory: "1mb",
  disk: undefined,
  awaited: 50,
  tags: 8,
  large: undefined,
  kills: false,
  indexesKeys: false,
  burst: 1,
};
// Values of about two kilobytes, so that keys in constant use go to disk and come back too.
const middling = { every: 2, words: 500, chunkedEvery: 1_000_000 };
const disk = { ...memory, disk: "3mb", awaited: 200, large: middling };
// Most of a segment: a reader that is descheduled in the middle of a copy finds the segment in its
// next generation.
const large = { every: 2, words: 5000, chunkedEvery: 1_000_000 };
const chunked = { every: 100, words: 5000, chunkedEvery: 1 };

/** Little memory, so that segments are emptied all the time; a few hot keys among many that come
 *  and go. */
export const cells: readonly Cell[] = [
  { ...memory, name: "memory, near", threads: 2, near: true, keys: 4000 },
  { ...memory, name: "memory, no near", threads: 4, near: false, keys: 4000 },
  { ...disk, name: "disk, near", threads: 4, near: true, keys: 400 },
  { ...disk, name: "disk, no near", threads: 3, near: false, keys: 400 },
  { ...memory, name: "few keys", threads: 4, near: true, keys: 12 },
  { ...memory, name: "large values", threads: 4, near: false, keys: 12, large },
  { ...disk, name: "chunked values", threads: 3, near: true, keys: 100, large: chunked },
  { ...memory, name: "interned keys", threads: 3, near: true, keys: 400, indexesKeys: true },
  { ...memory, name: "few interned keys", threads: 4, near: true, keys: 12, indexesKeys: true },
  { ...disk, name: "interned keys, disk", threads: 3, near: true, keys: 200, indexesKeys: true },
  { ...memory, name: "bursts", threads: 4, near: true, keys: 4000, burst: 300 },
  { ...disk, name: "kills", threads: 4, near: true, keys: 400, kills: true, indexesKeys: true },
];

/** Operations of a round, over all threads: what is kept in memory at once. */
const roundOperations = 240_000;
const tellEveryMs = 10_000;

/** Runs one cell for at least so many operations. Rejects with the faults of the first round that
 *  has one. */
export async function runCell(
  cell: Cell,
  operations: number,
  seed: number,
  say: (line: string) => void,
): Promise<CampaignReport> {
  const { name, threads } = cell;
  const perThread = Math.ceil(Math.min(operations, roundOperations) / threads);
  const rounds = Math.ceil(operations / (perThread * threads));
  let done = 0;
  let toldMs = performance.now();
  const report = await runCampaign(
    { ...cell, door: builtDoor, operations: perThread, rounds, seed },
    (verdict) => {
      done += verdict.operations;
      if (performance.now() - toldMs < tellEveryMs) return;
      toldMs = performance.now();
      say(`${name}: ${done} of ${operations} operations`);
    },
  );
  hold(report.faults === 0, `${name}, --seed ${seed}:\n${report.told.join("\n")}`);
  const { hits } = report.stats;
  say(
    `${name}: ${report.operations} operations of ${threads} threads, ` +
      `hits ${hits.near} near, ${hits.memory} in memory, ${hits.disk} on disk, ` +
      `${report.fills} fills, ${report.byTag} deletions by tag, ${report.killed} killed, ` +
      `${Math.round(report.operations / (report.workMs / 1000))} a second`,
  );
  return report;
}

export const history: Proof<"operations" | "seed"> = {
  name: "history",
  about:
    "no read of any thread is older than a write that had returned, and none is torn or another's",
  options: { operations: 100_000_000, seed: 1 },
  async run({ operations, seed }, say) {
    let [done, hits, ms] = [0, 0, 0];
    for (const cell of cells) {
      const report = await runCell(cell, Math.ceil(operations / cells.length), seed, say);
      done += report.operations;
      hits += report.reads - report.misses;
      ms += report.workMs + report.judgeMs;
    }
    const rate = Math.round(done / (ms / 1000));
    return `${done} operations, ${hits} hits, 0 stale, 0 wrong, ${rate} a second`;
  },
};
