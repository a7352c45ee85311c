import { describe, expect, test } from "vitest";
import * as stats from "../../dist/src/stats/mod.js";
import {
  bucketOf,
  type CacheStats,
  histogramDisk,
  histogramLoad,
  latencyBucketCount,
  makeSnapshot,
  type StatsGauges,
} from "../../dist/src/stats/mod.js";

const gauges: StatsGauges = {
  memory: {
    entries: 7,
    negatives: 5,
    bytes: 700,
    limitBytes: 1e6,
    indexBytes: 4096,
    usedBytes: 300_000,
  },
  disk: { entries: 9, bytes: 900, limitBytes: 1e9, state: "up", segments: 12 },
  tiers: {
    hits: 101,
    misses: 102,
    errors: 103,
    written: 104,
    dropped: 105,
    corrupt: 106,
    refused: 111,
    ended: 112,
    leased: 113,
    waited: 114,
    pending: 107,
    down: 108,
  },
  processes: {
    role: "owner",
    guests: 120,
    requests: 121,
    failures: 122,
    requestMs: 123,
    ended: 124,
    attached: 125,
    cutOff: 126,
    refused: 127,
  },
  near: { entries: 3, bytes: 30, limitEntries: 9, limitBytes: 90, heapBytes: 99 },
  tags: { tracked: 6, capacity: 60 },
  segments: { free: 5, total: 8 },
  threads: { attached: 7 },
};

/** Every counter by its name. The gauges come from these, so they have no field of their own. */
const gaugeCounters = [
  "counterMemoryEntries",
  "counterMemoryBytes",
  "counterDiskEntries",
  "counterNegativeAnswers",
];
const counters = Object.entries(stats).flatMap(([name, value]): [string, number][] =>
  name.startsWith("counter") && typeof value === "number" ? [[name, value]] : [],
);

class Engine {
  readonly totals = new Map<number, number>();
  readonly histograms = [0, 1, 2, 3].map(() => ({
    counts: new Float64Array(latencyBucketCount),
    sumNs: 0,
  }));
  gauges: StatsGauges = gauges;
  name = "agents";

  add(counter: number, amount: number): void {
    this.totals.set(counter, (this.totals.get(counter) ?? 0) + amount);
  }

  sample(histogram: number, ns: number): void {
    this.histograms[histogram]!.counts[bucketOf(ns)]!++;
    this.histograms[histogram]!.sumNs += ns;
  }

  snapshot(): CacheStats {
    return makeSnapshot({
      name: this.name,
      total: (counter) => this.totals.get(counter) ?? 0,
      histogram: (histogram) => this.histograms[histogram]!,
      gauges: this.gauges,
    });
  }
}

function numbersIn(value: unknown): number[] {
  if (typeof value === "number") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(numbersIn);
}

describe("makeSnapshot()", () => {
  test("of an unused cache has zeros, and null for what is unknown", () => {
    const engine = new Engine();
    engine.gauges = { ...gauges, disk: null };
    const snapshot = engine.snapshot();
    expect(snapshot.name).toBe("agents");
    expect(snapshot.hits).toEqual({ near: 0, memory: 0, disk: 0, total: 0 });
    expect(snapshot.hitRatio).toBe(0);
    expect(snapshot.disk).toBeNull();
    expect(snapshot.writeAmplification).toBeNull();
    expect(snapshot.latency).toEqual({ near: null, memory: null, disk: null, load: null });
  });

  test("has a field for every counter", () => {
    const engine = new Engine();
    expect(counters.length).toBeGreaterThan(50);
    for (const [, counter] of counters) engine.add(counter, 1_000_003 + counter * 17);
    const numbers = new Set(numbersIn(engine.snapshot()));
    const missing = counters
      .filter(([name, counter]) => {
        return !gaugeCounters.includes(name) && !numbers.has(1_000_003 + counter * 17);
      })
      .map(([name]) => name);
    expect(missing).toEqual([]);
  });

  test("returns the gauges as they are given", () => {
    const snapshot = new Engine().snapshot();
    expect(snapshot.memory).toEqual(gauges.memory);
    expect(snapshot.disk).toMatchObject(gauges.disk!);
    expect(snapshot.near).toMatchObject({ entries: 3, bytes: 30, evictions: 0 });
    expect(snapshot.segments).toMatchObject({ free: 5, total: 8 });
    expect(snapshot.threads).toEqual({ attached: 7, recovered: 0 });
  });

  test("computes the ratios", () => {
    const engine = new Engine();
    engine.add(stats.counterNearHits, 1);
    engine.add(stats.counterMemoryHits, 2);
    engine.add(stats.counterDiskHits, 3);
    engine.add(stats.counterMisses, 2);
    engine.add(stats.counterSetBytes, 400);
    engine.add(stats.counterDiskWriteBytes, 500);
    const snapshot = engine.snapshot();
    expect(snapshot.hits).toEqual({ near: 1, memory: 2, disk: 3, total: 6 });
    expect(snapshot.hitRatio).toBe(0.75);
    expect(snapshot.writeAmplification).toBe(1.25);
    engine.gauges = { ...gauges, disk: null };
    expect(engine.snapshot().writeAmplification).toBeNull();
  });

  test("is plain data: it clones and is JSON, and loses only since", () => {
    const engine = new Engine();
    engine.sample(histogramDisk, 1e5);
    const snapshot = engine.snapshot();
    const data = { ...snapshot };
    expect(data).not.toHaveProperty("since");
    expect(structuredClone(snapshot)).toEqual(data);
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(data);
    expect(Object.keys(snapshot)).not.toContain("since");
    expect(typeof snapshot.since).toBe("function");
  });

  test("does not change with the engine afterwards", () => {
    const engine = new Engine();
    const mutable = structuredClone(gauges) as { memory: { entries: number } } & StatsGauges;
    engine.gauges = mutable;
    const first = engine.snapshot();
    const copy = structuredClone(first);
    engine.add(stats.counterMisses, 5);
    engine.sample(histogramLoad, 1e6);
    mutable.memory.entries = 99;
    expect(structuredClone(first)).toEqual(copy);
    expect(engine.snapshot().since(first).misses).toBe(5);
  });
});

describe("since()", () => {
  test("of the same snapshot is zero except for the gauges", () => {
    const engine = new Engine();
    for (const [, counter] of counters) engine.add(counter, 10);
    const snapshot = engine.snapshot();
    const none = snapshot.since(snapshot);
    expect(none.hits.total).toBe(0);
    expect(none.hitRatio).toBe(0);
    expect(none.sets).toEqual({ stored: 0, tooLarge: 0, overloaded: 0, bytes: 0 });
    expect(none.writeAmplification).toBeNull();
    expect(none.memory).toEqual(gauges.memory);
  });

  test("returns counters as differences and recomputes the ratios of the interval", () => {
    const engine = new Engine();
    engine.add(stats.counterMemoryHits, 100);
    engine.add(stats.counterSetBytes, 1000);
    engine.add(stats.counterDiskWriteBytes, 1000);
    const before = engine.snapshot();
    engine.add(stats.counterMemoryHits, 1);
    engine.add(stats.counterMisses, 3);
    engine.add(stats.counterSetBytes, 100);
    engine.add(stats.counterDiskWriteBytes, 250);
    engine.gauges = { ...gauges, near: { ...gauges.near, entries: 1, bytes: 10 } };
    const delta = engine.snapshot().since(before);
    expect(delta.hits).toEqual({ near: 0, memory: 1, disk: 0, total: 1 });
    expect(delta.misses).toBe(3);
    expect(delta.hitRatio).toBe(0.25);
    expect(delta.writeAmplification).toBe(2.5);
    expect(delta.disk!.writeBytes).toBe(250);
    expect(delta.near).toMatchObject({ entries: 1, bytes: 10, evictions: 0 });
    expect(structuredClone(delta)).toMatchObject({ misses: 3 });
  });

  test("returns the latencies of the interval only", () => {
    const engine = new Engine();
    for (let sample = 0; sample < 100; sample++) engine.sample(histogramLoad, 100);
    const before = engine.snapshot();
    const none = engine.snapshot().since(before);
    expect(none.latency.load).toBeNull();
    expect(none.histograms.load).toMatchObject({ count: 0, sumNs: 0 });
    engine.sample(histogramLoad, 1e6);
    engine.sample(histogramLoad, 1e6);
    const { latency, histograms } = engine.snapshot().since(before);
    expect(latency.load!.p50).toBeGreaterThan(5e5);
    expect(latency.load!.p999).toBe(latency.load!.p50);
    expect(histograms.load).toMatchObject({ count: 2, sumNs: 2e6 });
    expect(histograms.load.counts[bucketOf(1e6)]).toBe(2);
    expect(engine.snapshot().histograms.load).toMatchObject({ count: 102, sumNs: 2_010_000 });
  });

  test("refuses anything but an earlier snapshot of the cache", () => {
    const engine = new Engine();
    const first = engine.snapshot();
    const second = engine.snapshot();
    const notOne: unknown[] = [undefined, null, 5, {}, structuredClone(first), second.since(first)];
    for (const previous of notOne) {
      expect(() => second.since(previous as CacheStats)).toThrow(TypeError);
    }
    expect(() => first.since(second)).toThrow(RangeError);
    expect(() => second.since(first).since(first)).toThrow(
      "Cannot take since() of a difference: it covers an interval already",
    );
    engine.name = "others";
    expect(() => engine.snapshot().since(first)).toThrow('"agents": that is another cache');
  });
});
