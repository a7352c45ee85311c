// The simulator against traces counted by hand, Belady against every possible choice, LRU against a
// list.

import { expect, test } from "vitest";
import { seededRandom } from "../../dist/bench/workload.js";

import { policyNames } from "../../dist/src/policy/mod.js";
import {
  Belady,
  footprintOf,
  replay,
  simulatedNames,
  type Trace,
  TraceBuilder,
  withoutSizes,
} from "../../dist/src/simulation/mod.js";
import { zipf } from "../policy/generated.js";

interface Request {
  readonly key: number;
  readonly size?: number;
  readonly ttl?: number;
  readonly time?: number;
}

function traceOf(requests: readonly Request[]): Trace {
  const builder = new TraceBuilder();
  const numbers = new Map<number, number>();
  for (const { key, size = 1, ttl = 0, time = NaN } of requests) {
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    builder.add(number, size, ttl, time);
  }
  return builder.build("test");
}

const keysOf = (keys: Iterable<number>): Request[] => [...keys].map((key) => ({ key }));

test("lru-exact and belady: a trace counted by hand", () => {
  // Room for 2 of 4. LRU: 1 and 2 miss, 1 hits, 3 evicts 2, 2 evicts 1, 1 evicts 3, 4 evicts 2.
  const trace = traceOf(keysOf([1, 2, 1, 3, 2, 1, 4]));
  expect(replay(trace, "lru-exact", 0.5).misses).toBe(6);
  // Belady: at 3 it evicts 1, which is requested after 2: then 2 hits, 1 misses, 4 misses.
  expect(replay(trace, "belady", 0.5).misses).toBe(5);
});

test("an outcome has the ratios of its counts", () => {
  const trace = traceOf([
    { key: 1, size: 10 },
    { key: 2, size: 30 },
    { key: 1, size: 10 },
  ]);
  expect(replay(trace, "lru-exact", 1)).toEqual({
    trace: "test",
    policy: "lru-exact",
    worth: "hits",
    size: 1,
    capacity: 40,
    requests: 3,
    misses: 2,
    missRatio: 2 / 3,
    byteMissRatio: 40 / 50,
    waitRatio: null,
    waitMs: null,
  });
  expect(replay(withoutSizes(trace), "lru-exact", 1).capacity).toBe(2);
});

test("the footprint counts each object once, with its first size", () => {
  const trace = traceOf([
    { key: 5, size: 10 },
    { key: 5, size: 99 },
    { key: 6, size: 1 },
  ]);
  expect(footprintOf(trace)).toBe(11);
  expect(footprintOf(withoutSizes(trace))).toBe(2);
});

test("a cache with room for everything misses each object once, under every policy", () => {
  const trace = traceOf(keysOf(zipf(200, 5000, 0.8, 1)));
  for (const name of simulatedNames) {
    expect([name, replay(trace, name, 1).misses]).toEqual([name, trace.keys]);
  }
});

/** Fewest misses over all choices of what to evict. */
function fewestMisses(
  requests: readonly number[],
  capacity: number,
  at = 0,
  held: readonly number[] = [],
): number {
  if (at === requests.length) return 0;
  const key = requests[at] as number;
  if (held.includes(key)) return fewestMisses(requests, capacity, at + 1, held);
  if (held.length < capacity) return 1 + fewestMisses(requests, capacity, at + 1, [...held, key]);
  const choices = held.map((leaver) =>
    fewestMisses(requests, capacity, at + 1, [...held.filter((other) => other !== leaver), key]),
  );
  return 1 + Math.min(...choices);
}

test("belady is the fewest misses there can be", () => {
  const random = seededRandom(4);
  for (let round = 0; round < 60; round++) {
    const keys = Array.from({ length: 14 }, () => Math.floor(random() * 6));
    const trace = traceOf(keysOf(keys));
    const capacity = 2 + (round % 3);
    const size = Math.min(1, (capacity + 0.5) / trace.keys);
    expect(replay(trace, "belady", size).misses).toBe(
      fewestMisses(keys, Math.floor(trace.keys * size)),
    );
  }
});

test("belady with sizes evicts what is requested latest until the new object fits", () => {
  const random = seededRandom(21);
  const sizes = Array.from({ length: 40 }, () => 1 + Math.floor(random() * 9));
  const keys = [...zipf(40, 600, 0.5, 13)];
  const trace = traceOf(keys.map((key) => ({ key, size: sizes[key] as number })));
  const capacity = Math.floor(footprintOf(trace) * 0.3);
  const nextUse = (key: number, after: number): number => {
    const next = keys.indexOf(key, after + 1);
    return next < 0 ? Infinity : next;
  };
  let held: number[] = [];
  let misses = 0;
  for (const [index, key] of keys.entries()) {
    if (held.includes(key)) continue;
    misses += 1;
    held.sort((one, other) => nextUse(one, index) - nextUse(other, index));
    const bytesOf = (some: readonly number[]): number =>
      some.reduce((sum, other) => sum + (sizes[other] as number), 0);
    while (bytesOf(held) + (sizes[key] as number) > capacity) held = held.slice(0, -1);
    held.push(key);
  }
  expect(replay(trace, "belady", 0.3).misses).toBe(misses);
  expect(new Belady(capacity, trace).insert(0, capacity + 1)).toBe(false);
});

test("lru-exact is a list's LRU, sizes counted", () => {
  const random = seededRandom(8);
  const sizes = Array.from({ length: 300 }, () => 1 + Math.floor(random() * 50));
  const keys = [...zipf(300, 4000, 0.7, 2)];
  const trace = traceOf(keys.map((key) => ({ key, size: sizes[key] as number })));
  const capacity = Math.floor(footprintOf(trace) * 0.2);
  const held = new Map<number, number>();
  let [misses, bytes] = [0, 0];
  for (const key of keys) {
    const size = sizes[key] as number;
    if (held.delete(key)) {
      held.set(key, size);
      continue;
    }
    misses += 1;
    while (bytes + size > capacity) {
      const [oldest, oldestSize] = held.entries().next().value as [number, number];
      held.delete(oldest);
      bytes -= oldestSize;
    }
    held.set(key, size);
    bytes += size;
  }
  expect(replay(trace, "lru-exact", 0.2).misses).toBe(misses);
});

test("no policy beats belady, and all beat no cache", () => {
  const trace = traceOf(keysOf(zipf(2000, 30_000, 0.9, 6)));
  for (const size of [0.01, 0.1]) {
    const bound = replay(trace, "belady", size).misses;
    for (const name of policyNames) {
      const { misses } = replay(trace, name, size);
      expect(misses).toBeGreaterThanOrEqual(bound);
      expect(misses).toBeLessThan(trace.requests);
    }
  }
});

test("auto, lfu and s3-fifo resist scans and loops that empty an LRU", () => {
  const random = seededRandom(12);
  let scanned = 10_000;
  const keys = Array.from({ length: 60_000 }, (_, index) =>
    index % 2 === 0 ? Math.floor(random() ** 2 * 400) : scanned++,
  );
  const trace = traceOf(keysOf(keys));
  const size = 300 / trace.keys;
  const exact = replay(trace, "lru-exact", size).misses;
  for (const name of ["auto", "lfu", "s3-fifo"] as const) {
    expect(replay(trace, name, size).misses).toBeLessThan(exact * 0.92);
  }
});

test("an expired object is a miss and is written again", () => {
  const times = [0, 5, 10, 14, 21];
  const trace = traceOf(times.map((time) => ({ key: 1, ttl: 10, time })));
  for (const name of ["lru", "lru-exact", "belady", "auto"] as const) {
    // Written at 0, expired at 10, written then, expired at 20.
    expect([name, replay(trace, name, 1).misses]).toEqual([name, 3]);
  }
});

test("an expired object leaves its room to its replacement", () => {
  const trace = traceOf([
    { key: 2, time: 0 },
    { key: 1, ttl: 10, time: 1 },
    { key: 1, ttl: 10, time: 12 },
    { key: 2, time: 13 },
  ]);
  expect(replay(trace, "lru-exact", 1).misses).toBe(3);
  expect(replay(trace, "belady", 1).misses).toBe(3);
});

test("a time to live without times has no effect", () => {
  const trace = traceOf([0, 1, 2].map(() => ({ key: 1, ttl: 1 })));
  expect(replay(trace, "lru", 1).misses).toBe(1);
});
