// Histories of real threads: a million operations in which no read is stale, torn or another's, and
// caches with one fault each, every one of which is found. `npm run proof -- history` does the same
// a hundred times longer.

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runCampaign } from "../../dist/test/history/campaign.js";
import { cells, runCell } from "../../dist/test/proof/history.js";
import { makeScratch, removeScratch } from "../crash/program.js";
import { identify, makeValue } from "./entry-value.js";
import { buildMutant, mutants } from "./mutants.js";

const operations = 1_000_000;
/** The most operations of a mutant. */
const mutantRounds = 40;
const mutantOperations = 30_000;
/** A round takes a second or less. */
const mutantRoundMsMax = 90_000;

test(
  "a million operations of several threads read nothing stale and nothing wrong",
  { timeout: 600_000 },
  async () => {
    const seed = Number(process.env["HISTORY_SEED"] ?? (Math.random() * 2 ** 31) >>> 0);
    const sum = {
      operations: 0,
      near: 0,
      memory: 0,
      disk: 0,
      superseded: 0,
      evicted: 0,
      moved: 0,
      byTag: 0,
      queued: 0,
    };
    for (const cell of cells) {
      const report = await runCell(cell, operations / cells.length, seed, () => undefined);
      const { hits, fillsSuperseded, segments, moves, expiredHits } = report.stats;
      sum.operations += report.operations;
      sum.byTag += report.byTag;
      sum.near += hits.near;
      sum.memory += hits.memory;
      sum.disk += hits.disk;
      sum.superseded += fillsSuperseded;
      sum.evicted += segments.evicted;
      sum.moved += moves.demotions + moves.promotions;
      expect(report.killed).toBe(cell.kills ? 1 : 0);
      expect(expiredHits).toBeGreaterThan(0);
      sum.queued += report.stats.flights.queued;
    }
    // What a killed thread had left to do is not done.
    expect(sum.operations).toBeGreaterThan(operations * 0.9);
    expect(sum.near).toBeGreaterThan(10_000);
    expect(sum.memory).toBeGreaterThan(10_000);
    for (const count of Object.values(sum)) expect(count).toBeGreaterThan(100);
  },
);

describe("a broken cache is detected", () => {
  let scratch = "";
  beforeAll(() => {
    scratch = makeScratch();
  });
  afterAll(() => {
    removeScratch(scratch);
  });

  test.each(mutants)("$name", { timeout: 300_000 }, async (mutant) => {
    const cell = cells.find(({ name }) => name === mutant.cell);
    if (cell === undefined) throw new Error(`there is no cell ${mutant.cell}`);
    const { told } = await runCampaign({
      ...cell,
      door: buildMutant(scratch, mutant),
      operations: Math.ceil(mutantOperations / cell.threads),
      rounds: mutantRounds,
      roundMsMax: mutantRoundMsMax,
      seed: 1,
    }).catch(toldByError);
    expect(told.join("\n")).toMatch(mutant.says);
  });
});

/** What a broken cache reads may fail an assertion of the cache, end a parser beyond its bytes, or
 *  be decoded for minutes, before the checker sees a value. */
function toldByError(error: unknown): { told: string[] } {
  if (!/Assertion failed|is out of range|a round took over/.test(String(error))) throw error;
  return { told: [String(error)] };
}

describe("values identify themselves", () => {
  const identity = { key: 7, value: 1234, round: 3 };
  const large = { every: 1, words: 5000, chunkedEvery: 2 };

  test.each([0, 1, 2, 3, 63, 1000])("value %i is recognised", (value) => {
    for (const sizes of [undefined, large]) {
      const made = makeValue({ ...identity, value }, sizes);
      expect(identify(made)).toEqual({ ...identity, value });
      // Bytes come back from a cache as another kind of view.
      const read = made instanceof Uint8Array ? Buffer.from(made) : made;
      expect(identify(read)).toEqual({ ...identity, value });
    }
  });

  test("a changed byte, another length and two values in one are detected", () => {
    const bytes = makeValue(identity, large) as Uint8Array;
    for (const at of [0, 4, 12, 16, 4000, bytes.length - 1]) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      expect(identify(changed)).not.toEqual(identity);
    }
    expect(identify(bytes.subarray(0, bytes.length - 4))).toContain("words");
    const other = makeValue({ ...identity, value: 1235 }, large) as Uint8Array;
    const half = Uint8Array.from(bytes);
    half.set(other.subarray(bytes.length >> 1, bytes.length), bytes.length >> 1);
    expect(identify(half)).toContain("torn");
    const name = makeValue({ ...identity, value: 8 }, undefined) as string;
    expect(identify({ name, body: bytes })).toContain("at once");
    expect(identify(`${name}=`)).toContain("is the string");
    expect(identify(null)).toBe("is null");
  });
});
