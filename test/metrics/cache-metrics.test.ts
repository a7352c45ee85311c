// What the list of metrics holds. That it comes out right is for the tests of the exporters.
import { describe, expect, test } from "vitest";

import {
  boundsTold,
  cacheMetrics,
  type Metric,
  namespaceMetrics,
  samplesBelow,
} from "../../dist/src/metrics/mod.js";
import { bucketOf, latencyBucketCount, latencyHistogram } from "../../dist/src/stats/mod.js";
import { numberedStats } from "./numbered.js";

/** Numbers of stats() that follow from others, by the path to them. */
const derived = [
  /^requests$/,
  /^hits\.total$/,
  /^hitRatio$/,
  /^writeAmplification$/,
  /^latency\./,
  /^segments\.total$/,
  /^namespaces\.\d\.(?:requests|hits\.total|hitRatio)$/,
  /^histograms\..*\.(?:counts|boundsNs)\./,
];

/** The numbers of stats that no metric shows, by their paths. */
function missingFrom(
  metrics: readonly Metric[],
  ofNamespaces: typeof namespaceMetrics = namespaceMetrics,
): string[] {
  const stats = numberedStats();
  const shown = new Set<number>();
  for (const metric of metrics) {
    if (metric.kind !== "histogram") for (const value of metric.read(stats)) shown.add(value);
    else {
      for (const { count, sumNs } of metric.read(stats)) shown.add(count).add(sumNs);
    }
  }
  for (const metric of ofNamespaces) {
    for (const value of stats.namespaces.flatMap(metric.read)) shown.add(value);
  }
  return numbersIn(stats)
    .filter(([path, value]) => !shown.has(value) && !derived.some((rule) => rule.test(path)))
    .map(([path]) => path);
}

function numbersIn(value: unknown, path = ""): [path: string, value: number][] {
  if (typeof value === "number") return [[path, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) =>
    numbersIn(part, path === "" ? name : `${path}.${name}`),
  );
}

describe("cacheMetrics", () => {
  test("show every number of stats()", () => {
    expect(numbersIn(numberedStats()).length).toBeGreaterThan(90);
    expect(missingFrom(cacheMetrics)).toEqual([]);
    const but = cacheMetrics.filter(({ name }) => name !== "loads" && name !== "load.duration");
    expect(missingFrom(but)).toEqual(["loads", "histograms.load.count", "histograms.load.sumNs"]);
    const fewer = namespaceMetrics.filter(({ name }) => name !== "namespace.loads");
    expect(missingFrom(cacheMetrics, fewer)).toEqual(["namespaces.0.loads", "namespaces.1.loads"]);
  });

  test("show of each namespace what they show of the cache, by the same labels", () => {
    const told = (of: Pick<Metric, "name" | "kind" | "unit" | "labels"> | undefined): unknown => [
      of?.kind,
      of?.unit,
    ];
    const shared = namespaceMetrics.filter(({ name }) => name !== "namespace.share");
    expect(shared).toHaveLength(namespaceMetrics.length - 1);
    for (const metric of shared) {
      const whole = cacheMetrics.find(({ name }) => metric.name === `namespace.${name}`);
      expect([metric.name, told(metric)]).toEqual([metric.name, told(whole)]);
      expect(whole?.labels).toEqual(expect.arrayContaining([...metric.labels]));
    }
  });

  test("of namespaces are of bounded number, and add up to the cache's", () => {
    const series = namespaceMetrics.reduce((sum, { labels }) => sum + labels.length, 0);
    expect(series).toBeLessThan(30);
    const stats = numberedStats();
    for (const metric of namespaceMetrics) {
      const parts = stats.namespaces.map(metric.read);
      expect(parts.map(({ length }) => length)).toEqual(parts.map(() => metric.labels.length));
      if (metric.name === "namespace.share") continue;
      const sums = metric.labels.map((_, index) =>
        parts.reduce((sum, values) => sum + (values[index] as number), 0),
      );
      const whole = cacheMetrics.find(({ name }) => metric.name === `namespace.${name}`);
      expect(whole?.read(stats)).toEqual(expect.arrayContaining(sums));
    }
  });

  test("give a number for each of their labels, and none for a tier that is not there", () => {
    const stats = numberedStats();
    const wrong = cacheMetrics.filter(({ labels, read }) => read(stats).length !== labels.length);
    expect(wrong).toEqual([]);
    const inMemory = numberedStats({ isOnDisk: false });
    const shorter = cacheMetrics.filter(
      (metric) => metric.read(inMemory).length < metric.labels.length,
    );
    expect(shorter.map(({ name }) => name)).toEqual([
      "entry.count",
      "disk.up",
      "disk.usage",
      "disk.limit",
      "disk.segment.count",
      "disk.operations",
      "disk.io",
      "disk.tombstones",
      "disk.preload.io",
    ]);
  });

  test("keep to the rules for names", () => {
    const all = [...cacheMetrics, ...namespaceMetrics];
    const names = all.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(55);
    expect(new Set(names).size).toBe(names.length);
    const counts = all.filter(({ kind, unit }) => kind === "level" && unit !== "By");
    expect(counts.filter(({ name }) => !/\.(?:count|limit)$/.test(name))).toEqual([]);
    for (const { name, help } of all) {
      expect(name).toMatch(/^[a-z]+(?:[._][a-z]+)*$/);
      // OpenTelemetry: no total, no unit in the name, no name that is a namespace of others.
      expect(name).not.toMatch(/total|bytes|seconds|undercroft/);
      expect(names.filter((other) => other.startsWith(`${name}.`))).toEqual([]);
      expect(help).toMatch(/^[A-Z0-9].*\.$/);
      expect(help).not.toMatch(/[\\\n"]/);
    }
  });

  test("have few time series, and no label that grows with the use of the cache", () => {
    const series = cacheMetrics.reduce((sum, { labels }) => sum + labels.length, 0);
    expect(series).toBeLessThan(135);
    const labels = new Set(cacheMetrics.flatMap((metric) => metric.labels.flatMap(Object.keys)));
    expect([...labels].toSorted()).toEqual([
      "cause",
      "direction",
      "how",
      "move",
      "outcome",
      "reason",
      "result",
      "state",
      "thread",
      "tier",
    ]);
  });
});

describe("the bounds of a histogram", () => {
  const metric = cacheMetrics.find(({ name }) => name === "load.duration");
  if (metric?.kind !== "histogram") throw new Error("load.duration is no histogram");
  const bounds = boundsTold(metric);

  test("are three to a decade, from its lowest to its highest", () => {
    expect(bounds).toHaveLength(19);
    expect(bounds[0]).toBe(10_000);
    expect(bounds.at(-1)).toBe(10_000_000_000);
    for (const power of [4, 5, 6, 7, 8, 9, 10]) expect(bounds).toContain(10 ** power);
  });

  test("say how many samples are below", () => {
    const counts = new Uint32Array(latencyBucketCount);
    const samples = [5, 9_999, 10_001, 999_999, 1_000_000, 2e10];
    for (const sample of samples) counts[bucketOf(sample)]!++;
    const below = samplesBelow(bounds, latencyHistogram({ counts, sumNs: 0 }));
    const exact = bounds.map((bound) => samples.filter((sample) => sample < bound).length);
    expect(below).toEqual(exact);
  });
});
