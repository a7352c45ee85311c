// The checker of the model accepts an honest cache and reports each kind of wrong answer, before it
// judges the real one.

import fc from "fast-check";
import { expect, test } from "vitest";

import { operation } from "./operation.js";
import { emptyTally, replay, type Tally } from "./replay.js";
import { lyingCache, MapCache, type CacheUnderTest, type Lie } from "./subject.js";

const operations = fc.sample(operation, { numRuns: 20_000, seed: 11 });

async function replayOn(wrap: (honest: CacheUnderTest) => CacheUnderTest): Promise<Tally> {
  let nowMs = 1_000_000;
  const clock = {
    now: () => nowMs,
    advance: (ms: number) => {
      nowMs += ms;
    },
  };
  const tally = emptyTally();
  const honest = new MapCache(() => nowMs);
  await replay({ cache: wrap(honest), clock, exact: true }, operations, tally);
  return tally;
}

test("an honest cache that never evicts passes, and hits all it can", async () => {
  const tally = await replayOn((honest) => honest);
  expect(tally.operations).toBe(operations.length);
  expect(tally.answerable).toBeGreaterThan(2000);
  expect(tally.hits).toBe(tally.answerable);
  expect(tally.readBacks).toBeGreaterThan(1000);
  expect(tally.readBackHits).toBe(tally.readBacks);
});

test.each<[Lie, RegExp]>([
  ["older", /an older value/],
  ["expired", /an expired value|an older value/],
  ["deleted", /which has nothing|an older value|an expired value/],
  ["invalidated", /an older value/],
  ["another's", /a wrong value/],
  ["torn", /a wrong value/],
])("a cache that answers with %s once in 1,000 reads is reported", async (lie, words) => {
  await expect(replayOn((honest) => lyingCache(honest, lie, 1000))).rejects.toThrow(words);
});

test("a cache that always misses has no fault, and shows in the tally", async () => {
  const tally = await replayOn((honest) => lyingCache(honest, "nothing", 1));
  expect(tally.readBackHits).toBe(0);
});

test("a cache that claims to have what was never set is reported", async () => {
  const claiming = (honest: CacheUnderTest): CacheUnderTest => ({
    ...lyingCache(honest, "nothing", Infinity),
    has: () => true,
  });
  await expect(replayOn(claiming)).rejects.toThrow(/is there, which has nothing \(has\)/);
});

test("an outcome the contract does not know is reported", async () => {
  const strange = (honest: CacheUnderTest): CacheUnderTest => ({
    ...lyingCache(honest, "nothing", Infinity),
    set: () => "perhaps",
  });
  await expect(replayOn(strange)).rejects.toThrow(/the outcome perhaps/);
});
