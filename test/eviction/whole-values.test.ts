// Values in chunks are one entry to eviction: they go and stay whole, whatever the policy and their
// size, and the hit ratio is that of the policy's model on both sides of the size at which chunks
// begin.

import { describe, expect, test } from "vitest";

import { codes, Kernel } from "../../dist/src/kernel/mod.js";
import { chunkKey, largeValueOf, writeValue } from "../../dist/src/memory/mod.js";
import { type Cache } from "../../dist/src/mod.js";
import { evict, type EvictionPolicy } from "../../dist/src/policy/mod.js";
import { Evictor } from "../../dist/src/eviction/mod.js";
import { isChunk, isHead } from "../../dist/src/record/mod.js";
import * as counter from "../../dist/src/stats/mod.js";
import { replay, replayedPolicies } from "../../dist/test/proof/replayed.js";
import { generatedTrace } from "../../dist/test/proof/trace.js";
import { names, open, textOf, until } from "../disk-log/scratch-cache.js";
import { type OpenedStore, openStore, openStores, plainFields } from "../memory/opened-store.js";
import * as opened from "../memory/opened-store.js";

const KiB = 1024;

interface Parts {
  readonly entries: number;
  readonly heads: number;
  /** Heads of which a chunk is not in memory. */
  readonly broken: number;
  /** Chunks without a head. */
  readonly orphans: number;
}

/** What the index of a store holds in memory. */
function partsIn(store: OpenedStore): Parts {
  const { kernel, reader, record } = store;
  const chunks = new Set<string>();
  const wanted = new Set<string>();
  const heads: string[][] = [];
  let entries = 0;
  for (let bucket = 0; bucket < kernel.geometry.bucketCount; bucket++) {
    for (const slot of kernel.slots.slotsOf(bucket)) {
      if (!reader.readSlot(slot)) continue;
      if (isChunk(record.flags)) {
        chunks.add(record.buffer.toString("hex", record.keyStart, record.keyEnd));
        continue;
      }
      entries += 1;
      if (!isHead(record.flags)) continue;
      const large = largeValueOf(record);
      const keys = Array.from({ length: large.chunks }, (_, number) =>
        Buffer.from(chunkKey(large, number)).toString("hex"),
      );
      heads.push(keys);
      for (const key of keys) wanted.add(key);
    }
  }
  const broken = heads.filter((keys) => !keys.every((key) => chunks.has(key))).length;
  const orphans = [...chunks].filter((key) => !wanted.has(key)).length;
  return { entries, heads: heads.length, broken, orphans };
}

function attached(cache: Cache<string>): OpenedStore {
  const { module, memory } = cache.handle().worker;
  return new opened.OpenedStore(Kernel.attach(module, memory));
}

describe("a policy", () => {
  test.each(["auto", "lfu", "s3-fifo", "lru", "sieve", "fifo"] as const)(
    "%s takes values of all sizes whole, and tells of each once",
    async (eviction) => {
      const cache = await open<string>({ memory: "4mb", eviction });
      const told: (string | Uint8Array)[] = [];
      cache.on("evict", ({ key }) => told.push(key));
      // Below the size at which chunks begin, above it, and up to the largest that is taken.
      const sizes = [300, 7000, 9000, 20_000, 33_000, 100_000, 400_000, 650_000];
      let stored = 0;
      for (let number = 0; number < 400; number++) {
        const bytes = sizes[(number * 5) % sizes.length] as number;
        const key = `key-${number}`;
        if (cache.set(key, textOf(key, 1, bytes)) === "stored") stored += 1;
        for (const back of [1, 3, 3, 8]) cache.getSync(`key-${number - back}`);
        if (number % 7 === 0) await new Promise(setImmediate);
      }
      expect(stored).toBeGreaterThan(390);
      const store = attached(cache);
      // The janitor may still be making room: look until nothing has left meanwhile.
      const evicted = (): number => cache.stats().evictions.memory;
      let [before, parts] = [evicted(), partsIn(store)];
      for (; before !== evicted(); parts = partsIn(store)) before = evicted();
      const { entries, ...rest } = parts;
      expect(rest).toEqual({ heads: rest.heads, broken: 0, orphans: 0 });
      expect(rest.heads).toBeGreaterThan(0);
      store.kernel.detach();
      const stats = cache.stats();
      expect([stats.memory.entries, stats.chunksMissing]).toEqual([entries, 0]);
      expect(entries + stats.evictions.memory).toBe(stored);
      await until(() => told.length >= stats.evictions.memory);
      expect(new Set(told).size).toBe(stats.evictions.memory);
      for (const key of told) expect(cache.getSync(key as string)).toBeUndefined();
    },
  );

  const trace = generatedTrace(4000, 500, 11);
  const settings = { sized: false, near: false };

  test.each(replayedPolicies)(
    "%s misses as often as its model, just above the size of chunks and far above",
    { timeout: 120_000 },
    async (policy) => {
      for (const entries of [480, 100]) {
        const { engine, model } = await replay(trace, { ...settings, policy, entries });
        expect([entries, Math.abs(engine - model) < 0.02, engine, model]).toEqual([
          entries,
          true,
          engine,
          model,
        ]);
      }
    },
  );
});

/** A policy that answers as it is told, and writes down what it was asked. */
class Asked implements EvictionPolicy {
  readonly questions: { log: string; size: number; frequency: number }[] = [];
  answer = evict;
  readonly quietShare = 0;
  settled = 0;

  victim(): "small" {
    return "small";
  }

  decide(log: "small" | "main", _hash: number, size: number, frequency: number): number {
    this.questions.push({ log, size, frequency });
    return this.answer;
  }
}

function evictorOf(store: OpenedStore, policy: EvictionPolicy): Evictor {
  return new Evictor(store.kernel, policy, () => undefined, null);
}

/** Empties every sealed segment once. */
function emptyAll(store: OpenedStore, policy: EvictionPolicy): void {
  const { verbs, segments } = store.kernel;
  verbs.sealOpen(codes.logSmall);
  const evictor = evictorOf(store, policy);
  const sealed = Array.from({ length: segments.count }, (_, segment) => segment).filter(
    (segment) => segments.state(segment) === codes.segmentSealed,
  );
  for (let count = 0; count < sealed.length; count++) evictor.evictOne(0, false, false);
}

describe("eviction", () => {
  test("asks about a value once, with its size, its hits and its log", () => {
    const store = openStore();
    const policy = new Asked();
    policy.answer = 0;
    expect(writeValue(store.writer, "large", Buffer.alloc(100 * KiB, 1), plainFields)).toBe(
      "stored",
    );
    for (let hit = 0; hit < 2; hit++) store.reader.find("large", true);
    emptyAll(store, policy);
    expect(policy.questions).toEqual([{ log: "small", size: expect.any(Number), frequency: 2 }]);
    const [{ size }] = policy.questions as unknown as [{ size: number }];
    expect(size - 100 * KiB).toBeGreaterThan(0);
    expect(size - 100 * KiB).toBeLessThan(100);
    expect(partsIn(store)).toEqual({ entries: 1, heads: 1, broken: 0, orphans: 0 });
    // It is in the main log now: the next round asks again.
    store.kernel.verbs.sealOpen(codes.logMain);
    emptyAll(store, policy);
    expect(policy.questions.map(({ log }) => log)).toEqual(["small", "main"]);
    expect(partsIn(store)).toEqual({ entries: 1, heads: 1, broken: 0, orphans: 0 });
    expect(store.kernel.total(counter.counterMovesToMain)).toBe(2);
  });

  test("takes all of a value when it takes any", () => {
    const store = openStore();
    const policy = new Asked();
    expect(writeValue(store.writer, "large", Buffer.alloc(100 * KiB, 1), plainFields)).toBe(
      "stored",
    );
    store.kernel.verbs.sealOpen(codes.logSmall);
    expect(evictorOf(store, policy).evictOne(0, false, false)).toBe(true);
    expect(policy.questions).toHaveLength(1);
    expect(partsIn(store)).toEqual({ entries: 0, heads: 0, broken: 0, orphans: 0 });
    expect(store.kernel.total(counter.counterMemoryBytes)).toBe(0);
    expect(store.kernel.total(counter.counterEvictionsMemory)).toBe(1);
    // What held nothing else is free for the taking, without another question.
    emptyAll(store, policy);
    expect(policy.questions).toHaveLength(1);
    const { freeSegments } = store.kernel.verbs;
    expect(freeSegments(store.kernel.segments.count)).toBe(store.kernel.segments.count);
  });

  test("keeps what is being written, and drops what its writer left when it died", () => {
    const [writer, other] = openStores(2) as [OpenedStore, OpenedStore];
    const policy = new Asked();
    let isAlive = true;
    const reclaim = (): boolean => {
      // No segment is free half way: the writer's own chunks are all there is.
      if (isAlive) emptyAll(other, policy);
      return true;
    };
    writer.writer.connect(() => undefined, reclaim);
    const { verbs, geometry } = writer.kernel;
    const most = (geometry.segmentBytes * geometry.segmentCount) / 4;
    const fillers: number[] = [];
    while (verbs.freeSegments(geometry.segmentCount) > geometry.reserveSegments + 4) {
      fillers.push(verbs.reserve(geometry.segmentBytes, 0, 0));
    }
    expect(writeValue(writer.writer, "large", Buffer.alloc(most, 1), plainFields)).toBe("stored");
    expect(policy.questions).toHaveLength(0);
    expect(partsIn(other)).toEqual({ entries: 1, heads: 1, broken: 0, orphans: 0 });

    // The next write ends in the middle: its thread is gone.
    isAlive = false;
    writer.writer.remove("large");
    emptyAll(other, policy);
    class Death extends Error {}
    let appended = 0;
    writer.writer.connect(
      () => undefined,
      () => {
        throw new Death();
      },
    );
    while (verbs.freeSegments(geometry.segmentCount) > geometry.reserveSegments + 2) {
      appended = verbs.reserve(geometry.segmentBytes, 0, 0);
    }
    expect(appended).toBeGreaterThan(0);
    expect(() => writeValue(writer.writer, "large", Buffer.alloc(most, 2), plainFields)).toThrow(
      Death,
    );
    expect(partsIn(other).orphans).toBeGreaterThan(0);
    emptyAll(other, policy);
    expect(partsIn(other).orphans).toBeGreaterThan(0);
    writer.kernel.detach();
    emptyAll(other, policy);
    other.kernel.verbs.sealOpen(codes.logMain);
    emptyAll(other, policy);
    expect(partsIn(other)).toEqual({ entries: 0, heads: 0, broken: 0, orphans: 0 });
    expect(other.kernel.total(counter.counterMemoryBytes)).toBe(0);
    expect(policy.questions).toHaveLength(0);
  });
});

test("deleteByTag gives the bytes of large values back without an eviction", async () => {
  const cache = await open<string>({ memory: "4mb" });
  for (const key of names("large", 20)) {
    cache.set(key, textOf(key, 1, 50_000), { tags: ["group"] });
  }
  cache.set("other", "value");
  expect(cache.stats().memory.bytes).toBeGreaterThan(1_000_000);
  cache.deleteByTag("group");
  await until(() => cache.stats().memory.bytes < 1000);
  expect([cache.stats().memory.entries, cache.stats().evictions.memory]).toEqual([1, 0]);
});
