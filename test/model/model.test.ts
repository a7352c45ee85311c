// The cache against a plain Map, by random operations on a manual clock: it may miss, but never
// returns a wrong value. Memory is 1 MiB and the disk 2 MiB, so that eviction, reclaim and refusals
// all happen. fast-check prints seed and path of a failure.

import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { ManualClock } from "../../dist/src/base/mod.js";
import { openCache, type Cache, type CacheOptions, type CacheStats } from "../../dist/src/mod.js";
import { diskOperation, operation, type Operation } from "./operation.js";
import { emptyTally, replay, type Tally } from "./replay.js";
import { lyingCache, type CacheUnderTest } from "./subject.js";
import type { Value } from "./values.js";

type Options = Pick<CacheOptions<Value>, "near" | "disk" | "eviction">;

const total = emptyTally();
/** Summed over every cache opened: shows that memory and disk were too small and were both read. */
const pressure = {
  memoryHits: 0,
  diskHits: 0,
  memoryEvictions: 0,
  diskEvictions: 0,
  expirations: 0,
};
const memoryBytes = 1024 ** 2;
const diskBytes = 2 * 1024 ** 2;
const operationsMin = 100_000;
/** Ends the shrinking of a failure, each step of which opens a cache; the best result so far is
 *  reported. */
const interruptAfterTimeLimit = 60_000;

/** Opens a cache, replays on it, closes it. `wrap` goes between the cache and the checker. */
async function check(
  options: Options,
  operations: readonly Operation[],
  wrap: (cache: CacheUnderTest) => CacheUnderTest = (cache) => cache,
): Promise<Tally> {
  const clock = new ManualClock();
  const open = (): Promise<Cache<Value>> =>
    openCache<Value>({ name: "model", memory: memoryBytes, clock, ...options });
  const tally = emptyTally();
  let cache = await open();
  const close = async (): Promise<void> => {
    const stats = cache.stats();
    addPressure(stats);
    await cache.close();
    await checkBounds(stats, options.disk?.path);
  };
  const reopen = async (): Promise<CacheUnderTest> => {
    await close();
    cache = await open();
    return wrap(cache);
  };
  try {
    const exact = options.disk === undefined;
    await replay({ cache: wrap(cache), clock, exact, reopen }, operations, tally);
  } finally {
    await close();
  }
  for (const name of Object.keys(tally) as (keyof Tally)[]) total[name] += tally[name];
  return tally;
}

/** Memory and disk hold no more than they were given. */
async function checkBounds({ memory, disk }: CacheStats, path: string | undefined): Promise<void> {
  expect(memory.limitBytes).toBeLessThanOrEqual(memoryBytes);
  expect(memory.usedBytes).toBeLessThanOrEqual(memory.limitBytes);
  if (path === undefined) return;
  const names = await readdir(path);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(path, name))).size));
  expect(disk?.bytes).toBeLessThanOrEqual(diskBytes);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(diskBytes);
}

function addPressure({ hits, evictions, segments, expirations }: CacheStats): void {
  pressure.memoryHits += hits.near + hits.memory;
  pressure.diskHits += hits.disk;
  pressure.memoryEvictions += segments.evicted;
  pressure.diskEvictions += evictions.disk;
  pressure.expirations += expirations;
}

/** As `check`, with a directory that is removed afterwards. */
async function checkWithDisk(options: Options, operations: readonly Operation[]): Promise<Tally> {
  const path = await mkdtemp(join(tmpdir(), "undercroft-model-"));
  try {
    return await check({ ...options, disk: { path, capacity: diskBytes } }, operations);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

const options: fc.Arbitrary<Options> = fc.record(
  {
    near: fc.constantFrom<NonNullable<Options["near"]>[]>(
      false,
      { maxEntries: 16 },
      { mode: "copy" },
    ),
    eviction: fc.constantFrom<NonNullable<Options["eviction"]>[]>("s3-fifo", "fifo"),
  },
  { requiredKeys: [] },
);

function history(one: fc.Arbitrary<Operation>): fc.Arbitrary<Operation[]> {
  return fc.array(one, { minLength: 500, maxLength: 1500, size: "max" });
}

describe("against a Map", () => {
  test("a cache in memory answers as the Map or misses", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(options, history(operation), async (given, operations) => {
        await check(given, operations);
      }),
      { numRuns: 40, interruptAfterTimeLimit },
    );
  });

  test(
    "a cache with a disk answers as the Map or misses, across reopens",
    { timeout: 120_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(options, history(diskOperation), async (given, operations) => {
          await checkWithDisk(given, operations);
        }),
        { numRuns: 20, interruptAfterTimeLimit },
      );
    },
  );

  test("a long run in memory answers as the Map or misses", { timeout: 120_000 }, async () => {
    const tally = await check({}, fc.sample(operation, { numRuns: 60_000, seed: 20_250_101 }));
    expect(tally.operations).toBe(60_000);
    expect(tally.readBackHits).toBeGreaterThan(0.9 * tally.readBacks);
    expect(tally.hits).toBeGreaterThan(0.5 * tally.answerable);
  });

  test("a long run with a disk answers as the Map or misses", { timeout: 120_000 }, async () => {
    const tally = await checkWithDisk({}, fc.sample(diskOperation, { numRuns: 30_000, seed: 7 }));
    expect(tally.operations).toBe(30_000);
    expect(tally.readBackHits).toBeGreaterThan(0.9 * tally.readBacks);
    expect(tally.hits).toBeGreaterThan(0.5 * tally.answerable);
  });

  test("one wrong answer in 1,000 reads of the real cache would be reported", async () => {
    const operations = fc.sample(operation, { numRuns: 20_000, seed: 3 });
    const lying = check({}, operations, (cache) => lyingCache(cache, "older", 1000));
    await expect(lying).rejects.toThrow(/an older value/);
  });

  // A cache that always misses is never wrong, and a run that does nothing never fails: this
  // detects both.
  test("these runs did enough, and hit", () => {
    expect(total.operations).toBeGreaterThan(operationsMin);
    expect(total.stored).toBeGreaterThan(0.5 * (total.stored + total.refused));
    expect(total.readBackHits).toBeGreaterThan(0.9 * total.readBacks);
    expect(total.hits).toBeGreaterThan(0.5 * total.answerable);
    // Evicted from memory, found on disk, reclaimed there, expired: each happened, and not by
    // chance.
    for (const count of Object.values(pressure)) expect(count).toBeGreaterThan(10);
  });
});
