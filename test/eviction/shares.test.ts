// Shares of the memory: what a namespace has within its own is kept, however others flood; what it
// does not use is lent, and comes back.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import type { Namespace } from "../../dist/src/mod.js";
import { Kernel } from "../../dist/src/kernel/mod.js";
import { names, open } from "../disk-log/scratch-cache.js";

const value = "x".repeat(1000);
/** About what a record takes beside its value. */
const recordBytes = 1040;

function fill(space: Pick<Namespace<string>, "set">, keys: readonly string[]): void {
  for (const key of keys) space.set(key, value);
}

function partOf(space: Pick<Namespace<string>, "has">, keys: readonly string[]): number {
  return keys.filter((key) => space.has(key)).length / keys.length;
}

test.each(["auto", "lru", "lfu", "s3-fifo", "sieve", "fifo"] as const)(
  "a flood takes nothing of a namespace within its share: %s",
  async (eviction) => {
    const cache = await open({ memory: "8mb", eviction });
    const kept = cache.namespace<string>("kept", { memory: "3mb" });
    const other = cache.namespace<string>("other", { memory: "1mb" });
    const keys = names("kept", Math.floor((3 * 2 ** 20 * 0.9) / recordBytes));
    fill(kept, keys);
    fill(cache, names("cache", 10_000));
    fill(other, names("other", 20_000));
    expect(partOf(kept, keys)).toBeGreaterThanOrEqual(0.95);
    // The flood has what is left, and no more.
    expect(other.stats().memory.bytes).toBeGreaterThan(2 * 2 ** 20);
    expect(cache.stats().sets.overloaded).toBe(0);
  },
);

test("values written in turn with a flood are kept too, in chunks as well", async () => {
  const cache = await open({ memory: "8mb" });
  const kept = cache.namespace<string>("kept", { memory: "3mb" });
  const keys = names("kept", 1000);
  const large = names("large", 4);
  for (const [turn, key] of keys.entries()) {
    kept.set(key, value);
    if (turn % 250 === 0) kept.set(large[turn / 250] as string, "y".repeat(200_000));
    fill(cache, names(`flood-${turn}`, 20));
  }
  expect(partOf(kept, keys)).toBe(1);
  expect(large.map((key) => kept.getSync(key)?.length)).toEqual(large.map(() => 200_000));
});

test("four threads that flood are refused nothing, and take nothing within a share", async () => {
  const cache = await open({ memory: "8mb" });
  const kept = cache.namespace<string>("kept", { memory: "3mb" });
  const keys = names("kept", 2000);
  fill(kept, keys);
  const threads = ["a", "b", "c", "d"].map((name) => {
    const workerData = { handle: cache.handle(), name, count: 50_000, value };
    return new Worker(new URL("flood-thread.mjs", import.meta.url), { workerData });
  });
  const outcomes = await Promise.all(threads.map(async (thread) => once(thread, "message")));
  expect(outcomes).toEqual(threads.map(() => [{ stored: 50_000 }]));
  expect(partOf(kept, keys)).toBe(1);
});

test("an unused share is lent, and comes back", async () => {
  const cache = await open({ memory: "8mb", eviction: "fifo" });
  const late = cache.namespace<string>("late", { memory: "4mb" });
  const lent = names("lent", 20_000);
  fill(cache, lent);
  // More than what no namespace has for itself.
  expect(cache.stats().memory.bytes).toBeGreaterThan(4.5 * 2 ** 20);
  const keys = names("late", Math.floor((4 * 2 ** 20 * 0.8) / recordBytes));
  fill(late, keys);
  fill(cache, names("again", 20_000));
  expect(partOf(late, keys)).toBeGreaterThanOrEqual(0.95);
});

test("beyond its share a namespace gives up its own", async () => {
  const cache = await open({ memory: "8mb" });
  const [small, large] = [
    cache.namespace<string>("small", { memory: "2mb" }),
    cache.namespace<string>("large", { memory: "3mb" }),
  ];
  const keys = names("small", Math.floor((2 * 2 ** 20 * 0.9) / recordBytes));
  fill(small, keys);
  fill(large, names("large", 30_000));
  expect(partOf(small, keys)).toBeGreaterThanOrEqual(0.95);
  expect(large.stats().memory.bytes).toBeLessThan(6 * 2 ** 20);
});

test("namespaces whose shares are all of the memory stop no writer", async () => {
  const cache = await open({ memory: "4mb" });
  const [a, b] = [
    cache.namespace<string>("a", { memory: 0.5 }),
    cache.namespace<string>("b", { memory: 0.5 }),
  ];
  fill(a, names("a", 6000));
  fill(b, names("b", 6000));
  expect(cache.stats().sets).toMatchObject({ stored: 12_000, overloaded: 0 });
  for (const space of [a, b]) expect(space.stats().memory.bytes).toBeGreaterThan(2 ** 20);
});

test("counts that a dead thread left wrong are corrected", async () => {
  const cache = await open({ memory: "2mb" });
  const space = cache.namespace<string>("a");
  fill(space, names("a", 100));
  const { bytes } = space.stats().memory;
  const { module, memory } = cache.handle().worker;
  const kernel = Kernel.attach(module, memory, "user");
  const id = kernel.namespaces.idOf("a");
  kernel.namespaces.correct(id, 12_345, 678);
  expect(space.stats().memory).toMatchObject({ entries: 678, bytes: 12_345 });
  const { NamespaceRecount } = await import("../../dist/src/janitor/namespace-recount.js");
  const recount = new NamespaceRecount(kernel);
  recount.begin();
  while (recount.step());
  recount.end();
  expect(space.stats().memory).toMatchObject({ entries: 100, bytes });
  kernel.detach();
});
