// With the SDK of OpenTelemetry itself.
import {
  DataPointType,
  MeterProvider,
  type MetricData,
  MetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterEach, describe, expect, test } from "vitest";

import type { MetricsSource } from "../../dist/src/metrics/mod.js";
import { observe } from "../../dist/src/opentelemetry/mod.js";
import { open, setUpCaches } from "../cache/opened.js";
import { counterIn, numberedStats } from "../metrics/numbered.js";

setUpCaches();

/** Collects when the test asks for it. */
class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}

  async metrics(): Promise<Map<string, MetricData>> {
    const { resourceMetrics, errors } = await this.collect();
    if (errors.length > 0) throw new AggregateError(errors, "the collection failed");
    const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
    return new Map(all.map((metric) => [metric.descriptor.name, metric]));
  }
}

const providers = new Set<MeterProvider>();

afterEach(async () => {
  await Promise.all(Array.from(providers, (provider) => provider.shutdown()));
  providers.clear();
});

function meterWith(reader: Reader) {
  const provider = new MeterProvider({ readers: [reader] });
  providers.add(provider);
  return provider.getMeter("test");
}

class Source implements MetricsSource {
  readonly name: string;
  reads = 0;
  isOnDisk = true;

  constructor(name: string) {
    this.name = name;
  }

  stats(): ReturnType<MetricsSource["stats"]> {
    this.reads += 1;
    const { name, isOnDisk } = this;
    return numberedStats({ name, isOnDisk });
  }
}

function pointsIn(metrics: Map<string, MetricData>, name: string): unknown[] {
  const points = metrics.get(name)?.dataPoints ?? [];
  return points.map(({ attributes, value }) => [attributes, value]);
}

function cachesIn(metrics: Map<string, MetricData>): unknown[] {
  const points = [...metrics.values()].flatMap(({ dataPoints }) => dataPoints as unknown[]);
  const names = points.map(
    (point) => (point as { attributes: Record<string, unknown> }).attributes["undercroft.cache"],
  );
  return [...new Set(names)];
}

describe("observe()", () => {
  test("shows what a cache has done, read once a collection", async () => {
    const reader = new Reader();
    const source = new Source("users");
    observe(meterWith(reader), source);
    const { reads } = source;
    const metrics = await reader.metrics();
    expect(source.reads).toBe(reads + 1);
    const cache = { "undercroft.cache": "users" };
    expect(pointsIn(metrics, "undercroft.loads")).toEqual([[cache, counterIn("counterLoads")]]);
    expect(pointsIn(metrics, "undercroft.sets")).toEqual([
      [{ ...cache, "undercroft.outcome": "stored" }, counterIn("counterSetsStored")],
      [{ ...cache, "undercroft.outcome": "too-large" }, counterIn("counterSetsTooLarge")],
      [{ ...cache, "undercroft.outcome": "overloaded" }, counterIn("counterSetsOverloaded")],
    ]);
    expect(pointsIn(metrics, "undercroft.disk.io")).toEqual([
      [{ ...cache, "disk.io.direction": "read" }, counterIn("counterDiskReadBytes")],
      [{ ...cache, "disk.io.direction": "write" }, counterIn("counterDiskWriteBytes")],
    ]);
    const near = metrics.get("undercroft.near.value.count")?.dataPoints[0];
    expect(near?.attributes).toEqual({ ...cache, "thread.id": 0 });
  });

  test("shows each namespace, from the collection after its first use", async () => {
    const reader = new Reader();
    const cache = await open<string>({ name: "users" });
    observe(meterWith(reader), cache);
    const sets = async (of: string): Promise<unknown[]> => {
      const points = pointsIn(await reader.metrics(), `undercroft.${of}sets`);
      return (points as [Record<string, string>, number][]).filter(([, value]) => value > 0);
    };
    const stored = { "undercroft.cache": "users", "undercroft.outcome": "stored" };
    cache.set("k", "1");
    expect(await sets("namespace.")).toEqual([[{ ...stored, "undercroft.namespace": "" }, 1]]);
    const a = cache.namespace<string>("a");
    for (let turn = 0; turn < 2; turn++) a.set(`k${turn}`, "1");
    expect(await sets("namespace.")).toEqual([
      [{ ...stored, "undercroft.namespace": "" }, 1],
      [{ ...stored, "undercroft.namespace": "a" }, 2],
    ]);
    expect(await sets("")).toEqual([[stored, 3]]);
  });

  test("gives each instrument its kind, a unit and a sentence", async () => {
    const reader = new Reader();
    observe(meterWith(reader), new Source("users"));
    const metrics = await reader.metrics();
    expect(metrics.size).toBeGreaterThan(60);
    const monotonic = (name: string): unknown => {
      const metric = metrics.get(name);
      return metric?.dataPointType === DataPointType.SUM ? metric.isMonotonic : "gauge";
    };
    expect(monotonic("undercroft.requests")).toBe(true);
    expect(monotonic("undercroft.memory.usage")).toBe(false);
    expect(monotonic("undercroft.entry.count")).toBe(false);
    expect(monotonic("undercroft.disk.up")).toBe("gauge");
    for (const { descriptor } of metrics.values()) {
      expect(descriptor.name).toMatch(/^undercroft(?:\.[a-z]+(?:_[a-z]+)*)+$/);
      expect(descriptor.unit).toMatch(/^(?:By|s|1|\{[a-z]+\})$/);
      expect(descriptor.description).toMatch(/\.$/);
    }
  });

  test("gives latencies as counters: sum, number, and the number below each bound", async () => {
    const reader = new Reader();
    const source = new Source("users");
    observe(meterWith(reader), source);
    const metrics = await reader.metrics();
    const { load } = source.stats().histograms;
    const told = (of: string): unknown[] => pointsIn(metrics, `undercroft.load.duration.${of}`);
    const cache = { "undercroft.cache": "users" };
    expect(told("sum")).toEqual([[cache, load.sumNs / 1e9]]);
    expect(told("count")).toEqual([[cache, load.count]]);
    const below = (boundNs: number): number => {
      const end = load.boundsNs.indexOf(boundNs) + 1;
      return load.counts.slice(0, end).reduce((sum, count) => sum + count, 0);
    };
    expect(told("bucket")).toHaveLength(19);
    for (const [le, boundNs] of [
      ["0.00001", 1e4],
      ["0.01", 1e7],
      ["10", 1e10],
    ] as const) {
      expect(told("bucket")).toContainEqual([
        { ...cache, "undercroft.le": String(Number(le)) },
        below(boundNs),
      ]);
    }
    const hits = pointsIn(metrics, "undercroft.hit.duration.count");
    const tiers = ["near", "memory", "disk"] as const;
    expect(hits).toEqual(
      tiers.map((tier) => [
        { ...cache, "undercroft.tier": tier },
        source.stats().histograms[tier].count,
      ]),
    );
  });

  test("adds caches to those that are there, and removes them", async () => {
    const reader = new Reader();
    const meter = meterWith(reader);
    const removeOne = observe(meter, new Source("one"));
    const two = new Source("two");
    two.isOnDisk = false;
    const removeTwo = observe(meter, [two]);
    const both = await reader.metrics();
    expect(cachesIn(both)).toEqual(["one", "two"]);
    expect(pointsIn(both, "undercroft.disk.up")).toHaveLength(1);
    removeOne();
    removeOne();
    const reads = two.reads;
    expect(pointsIn(await reader.metrics(), "undercroft.loads")).toContainEqual([
      { "undercroft.cache": "two" },
      counterIn("counterLoads"),
    ]);
    expect(two.reads).toBe(reads + 1);
    removeTwo();
    await reader.metrics();
    expect(two.reads).toBe(reads + 1);
    observe(meter, two);
    const before = two.reads;
    await reader.metrics();
    expect(two.reads).toBe(before + 1);
  });

  test("has one callback on the meter, from the first cache to the last", () => {
    const made: object[] = [];
    const calls: string[] = [];
    const create = (): object => {
      made.push({});
      return made.at(-1) as object;
    };
    const noted = (call: string) => (_: unknown, instruments: unknown[]) => {
      expect(instruments).toEqual(made);
      calls.push(call);
    };
    const meter = {
      createObservableCounter: create,
      createObservableUpDownCounter: create,
      createObservableGauge: create,
      addBatchObservableCallback: noted("add"),
      removeBatchObservableCallback: noted("remove"),
    };
    const undo = [observe(meter, new Source("one")), observe(meter, new Source("two"))];
    expect(calls).toEqual(["add"]);
    for (const each of [...undo, ...undo]) each();
    expect(calls).toEqual(["add", "remove"]);
    observe(meter, new Source("one"));
    expect(calls).toEqual(["add", "remove", "add"]);
  });

  test("counts a whole cache, over all collections", async () => {
    const reader = new Reader();
    const cache = await open<string>({ name: "users" });
    observe(meterWith(reader), cache);
    const loads = async (): Promise<unknown> =>
      (await reader.metrics()).get("undercroft.loads")?.dataPoints[0]?.value;
    expect(await loads()).toBe(0);
    await cache.fetch("a", () => "1");
    expect(await loads()).toBe(1);
    await cache.close();
    // No error, and the callback says nothing more.
    await reader.metrics();
  });

  test("refuses what is no meter, what is no cache and two caches of one name", () => {
    const meter = meterWith(new Reader());
    for (const wrong of [undefined, {}, { createObservableCounter() {} }]) {
      expect(() => observe(wrong as never, new Source("one"))).toThrow(TypeError);
    }
    expect(() => observe({} as never, [])).toThrow("the meter has no createObservableCounter()");
    expect(() => observe(meter, 7 as never)).toThrow(TypeError);
    observe(meter, new Source("one"));
    expect(() => observe(meter, new Source("one"))).toThrow(RangeError);
  });
});
