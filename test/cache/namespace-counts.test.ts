// The numbers of namespaces are parts of the cache's: they add up, and none that only grows falls
// while other threads count.
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";

import type { Cache, CacheStats, NamespaceStats } from "../../dist/src/mod.js";
import { attached, setUpThreads } from "./attached.js";
import { MapTier } from "../outer-tiers/map-tier.js";
import { diskAt, freshPath, open, setUpCaches, until } from "./opened.js";

setUpCaches();
setUpThreads();

function part(stats: CacheStats, name: string): NamespaceStats {
  const found = stats.namespaces.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no namespace "${name}"`);
  return found;
}

test("what a thread counts of a namespace never shows among the cache's own keys", async () => {
  const cache = await open();
  const space = cache.namespace<number>("a");
  space.set("k", 1);
  const thread = attached(cache);
  const reads = thread.call("readNamespaceUntilStopped", "a") as Promise<number>;
  while (!cache.has("begun")) await nextTurn();
  const own: unknown[] = [];
  let requests = 0;
  for (let look = 0; look < 1000 || requests < 10_000; look++) {
    const stats = cache.stats();
    const { hits, misses } = part(stats, "");
    if (hits.total !== 0 || misses !== 0) own.push([hits, misses]);
    expect(stats.requests).toBe(part(stats, "a").requests);
    expect(stats.requests).toBeGreaterThanOrEqual(requests);
    requests = stats.requests;
  }
  expect(own).toEqual([]);
  cache.set("stop", 1);
  const all = await reads;
  expect(part(cache.stats(), "a").requests).toBe(all);
});

test("a get is one request of its namespace, if a write supersedes what a tier has", async () => {
  const tier = new MapTier();
  const first = await open<number>({ tiers: [tier] });
  first.namespace<number>("a").set("k", 1);
  await first.close();
  const cache = await open<number>({ tiers: [tier] });
  const space = cache.namespace<number>("a");
  let answer = (): void => undefined;
  tier.readGate = new Promise((resolve) => {
    answer = resolve;
  });
  const got = space.getEntry("k");
  while (tier.reads.length === 0) await nextTurn();
  space.set("k", 2);
  answer();
  expect((await got)?.value).toBe(2);
  expect(space.stats()).toMatchObject({ requests: 1, misses: 0 });
  expect(part(cache.stats(), "")).toMatchObject({ requests: 0, misses: 0 });
});

type Left = "memory" | "disk" | "expired";

/** How many entries of each key space have left, as events tell it. */
class Told {
  readonly counts = new Map<string, Record<Left, number>>();
  all = 0;

  constructor(cache: Cache<never>) {
    cache.on("evict", ({ namespace, tier }) => this.#add(namespace, tier));
    cache.on("expire", ({ namespace }) => this.#add(namespace, "expired"));
  }

  #add(namespace = "", left: Left): void {
    const counts = this.counts.get(namespace) ?? { memory: 0, disk: 0, expired: 0 };
    counts[left] += 1;
    this.all += 1;
    this.counts.set(namespace, counts);
  }
}

const counted = ({ evictions, expirations }: NamespaceStats | CacheStats) => ({
  memory: evictions.memory,
  disk: evictions.disk,
  expired: expirations,
});

/** Waits until each event has come, and compares them with the numbers. */
async function expectTold(cache: Cache<never>, told: Told): Promise<CacheStats> {
  const leftIn = (stats: CacheStats): number => {
    const { memory, disk, expired } = counted(stats);
    return memory + disk + expired;
  };
  await until(() => told.all === leftIn(cache.stats()));
  const stats = cache.stats();
  expect(stats.eventsDropped).toBe(0);
  for (const each of stats.namespaces) {
    const expected = told.counts.get(each.name) ?? { memory: 0, disk: 0, expired: 0 };
    expect([each.name, counted(each)]).toEqual([each.name, expected]);
  }
  const sums = { memory: 0, disk: 0, expired: 0 };
  for (const each of stats.namespaces.map(counted)) {
    for (const left of Object.keys(sums) as Left[]) sums[left] += each[left];
  }
  expect(sums).toEqual(counted(stats));
  return stats;
}

test.each([
  ["small values", 1000, 3000],
  ["values in chunks", 200_000, 40],
])("evictions from memory: %s", async (_, size, sets) => {
  const cache = await open<string>();
  const told = new Told(cache as never);
  const spaces = [cache, cache.namespace<string>("a"), cache.namespace<string>("b")];
  for (let set = 0; set < sets; set++) {
    for (const space of spaces) space.set(`k${set}`, "x".repeat(size));
    if (set % 20 === 0) await nextTurn();
  }
  const { namespaces } = await expectTold(cache as never, told);
  for (const { evictions } of namespaces) expect(evictions.memory).toBeGreaterThan(10);
});

test.each([
  ["small values", 1000, 4000],
  ["values in chunks", 20_000, 120],
])("evictions from the disk: %s", async (_, size, sets) => {
  const cache = await open<string>({
    memory: "1mb",
    eviction: "fifo",
    ...diskAt(freshPath(), "4mb"),
  });
  const told = new Told(cache as never);
  const spaces = [cache, cache.namespace<string>("a"), cache.namespace<string>("b")];
  for (let set = 0; set < sets; set++) {
    for (const space of spaces) space.set(`k${set}`, "x".repeat(size));
    if (set % Math.ceil(30_000 / size) === 0) await cache.flush();
  }
  const { namespaces } = await expectTold(cache as never, told);
  for (const { evictions } of namespaces) expect(evictions.disk).toBeGreaterThan(10);
});

test("expirations, with listeners and without", async () => {
  const cache = await open<string>();
  const spaces = [cache, cache.namespace<string>("a"), cache.namespace<string>("b")];
  const fill = (ttl: number): void => {
    for (const [turn, space] of spaces.entries()) {
      for (let set = 0; set < 100 * (turn + 1); set++) space.set(`k${set}`, "x", { ttl });
    }
  };
  const expired = (stats: CacheStats): number[] =>
    stats.namespaces.map(counted).map((each) => each.expired);
  fill(20);
  await until(() => cache.stats().expirations === 600);
  expect(expired(cache.stats())).toEqual([100, 200, 300]);
  const before = cache.stats();
  const told = new Told(cache as never);
  fill(20);
  await until(() => cache.stats().expirations === 1200 && told.all === 600);
  expect(expired(cache.stats().since(before))).toEqual([100, 200, 300]);
  expect(["", "a", "b"].map((name) => told.counts.get(name)?.expired)).toEqual([100, 200, 300]);
});

test("what an earlier session's namespace loses before it is asked for is its own", async () => {
  const options = { memory: "1mb", ...diskAt(freshPath(), "2mb") };
  const first = await open<string>(options);
  for (let set = 0; set < 500; set++) first.namespace<string>("a").set(`k${set}`, "x".repeat(1000));
  first.namespace("unused");
  await first.close();
  const cache = await open<string>(options);
  expect(cache.stats().namespaces.map(({ name }) => name)).toEqual([""]);
  for (let set = 0; cache.stats().namespaces.length === 1; set++) {
    cache.set(`flood${set}`, "x".repeat(1000));
    if (set % 30 === 0) await cache.flush();
  }
  const before = cache.stats();
  expect(part(before, "a").evictions.disk).toBeGreaterThan(0);
  const { evictions } = cache.namespace("a").stats();
  expect(evictions.disk).toBeGreaterThanOrEqual(part(before, "a").evictions.disk);
  const stats = cache.stats();
  expect(stats.namespaces.map(({ name }) => name)).toEqual(["", "a"]);
  expect(part(stats, "").evictions.disk + part(stats, "a").evictions.disk).toBe(
    stats.evictions.disk,
  );
});
