import { describe, expect, test } from "vitest";

import { type CollectOptions, collect, contentTypes } from "../../dist/src/prometheus/mod.js";
import { diskAt, freshPath, open, setUpCaches } from "../cache/opened.js";
import { counterIn, numberedStats } from "../metrics/numbered.js";
import { labelKey, readExposition, type ReadFamily } from "./exposition.js";

setUpCaches();

const openMetrics: CollectOptions = { format: "openmetrics" };

function sourceOf(stats: ReturnType<typeof numberedStats>) {
  return { name: stats.name, stats: () => stats };
}

function valueIn(
  families: ReadonlyMap<string, ReadFamily>,
  name: string,
  labels: Readonly<Record<string, string>>,
): number | undefined {
  const samples = [...families.values()].flatMap((family) => family.samples);
  const key = labelKey(labels);
  const found = samples.filter((sample) => sample.name === name && labelKey(sample.labels) === key);
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0]?.value;
}

describe("the reader of these tests refuses", () => {
  const family = "# HELP a_total Says.\n# TYPE a_total counter\n";
  const histogram = "# HELP a Says.\n# TYPE a histogram\n";
  test.each([
    ["a line that does not end", `${family}a_total{} 1`, "does not end"],
    ["a sample without a family", "a_total{} 1\n", "without a family"],
    ["a sample of another family", `${family}b_total{} 1\n`, "b_total in a_total"],
    ["a sample twice", `${family}a_total{b="c"} 1\na_total{b="c"} 2\n`, "comes twice"],
    ["a quote that is not escaped", `${family}a_total{b="c"d"} 1\n`, "wrong labels"],
    ["a family twice", `${family}a_total{} 1\n${family}a_total{} 1\n`, "comes twice"],
    ["a counter without _total", "# HELP a Says.\n# TYPE a counter\na{} 1\n", "is a counter"],
    ["a gauge with _count", "# HELP a_count S.\n# TYPE a_count gauge\na_count{} 1\n", "looks like"],
    [
      "a histogram that shrinks",
      `${histogram}a_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum{} 1\na_count{} 1\n`,
      "does not add up",
    ],
  ])("%s", (_, text, words) => {
    expect(() => readExposition(text)).toThrow(words);
  });
});

describe("collect()", () => {
  test("shows what a cache has done, in both formats", async () => {
    const cache = await open<string>({ name: "users", ...diskAt(freshPath()) });
    cache.set("a", "1");
    cache.getSync("a");
    cache.getSync("b");
    await cache.fetch("c", () => "2");
    await cache.fetch("d", () => Promise.reject(new Error("no d"))).catch(() => undefined);
    await cache.flush();
    for (const [text, isOpen] of [
      [collect(cache), false],
      [collect(cache, openMetrics), true],
    ] as const) {
      const families = readExposition(text, isOpen);
      const value = (name: string, labels: Readonly<Record<string, string>> = {}) =>
        valueIn(families, name, { cache: "users", ...labels });
      expect(families.size).toBeGreaterThan(55);
      expect(value("undercroft_requests_total", { result: "hit", tier: "memory" })).toBe(1);
      expect(value("undercroft_requests_total", { result: "miss", tier: "none" })).toBe(3);
      expect(value("undercroft_loads_total")).toBe(2);
      expect(value("undercroft_load_errors_total")).toBe(1);
      expect(value("undercroft_load_duration_seconds_count")).toBe(2);
      expect(value("undercroft_load_duration_seconds_bucket", { le: "+Inf" })).toBe(2);
      expect(value("undercroft_load_duration_seconds_sum")).toBeGreaterThan(0);
      expect(value("undercroft_entries", { tier: "memory" })).toBe(2);
      expect(value("undercroft_memory_limit_bytes")).toBe(2 * 1024 * 1024);
      expect(value("undercroft_disk_limit_bytes")).toBe(8 * 1024 * 1024);
      expect(value("undercroft_disk_io_bytes_total", { direction: "write" })).toBeGreaterThan(0);
      expect(value("undercroft_disk_up")).toBe(1);
      expect(value("undercroft_near_values", { thread: "0" })).toBeDefined();
    }
  });

  test("puts several caches into one family each, and leaves out a tier that is not there", () => {
    const [one, two] = [
      sourceOf(numberedStats({ name: "one" })),
      sourceOf(numberedStats({ name: "two", offset: 3, isOnDisk: false })),
    ];
    const families = readExposition(collect([one, two]));
    const loads = families.get("undercroft_loads_total");
    expect(loads?.samples.map(({ labels }) => labels["cache"])).toEqual(["one", "two"]);
    expect(loads?.samples.map(({ value }) => value)).toEqual([
      counterIn("counterLoads"),
      counterIn("counterLoads") + 3,
    ]);
    const up = families.get("undercroft_disk_up");
    expect(up?.samples.map(({ labels }) => labels["cache"])).toEqual(["one"]);
    const inMemory = readExposition(collect(two));
    expect([...inMemory.keys()].filter((name) => name.includes("disk_limit"))).toEqual([]);
  });

  test("shows every series with its own number", () => {
    const families = readExposition(collect(sourceOf(numberedStats())));
    const refused = families.get("undercroft_disk_refused_total")?.samples ?? [];
    expect(refused.map(({ labels, value }) => [labels["reason"], value])).toEqual([
      ["expired", counterIn("counterRefusedExpired")],
      ["dead", counterIn("counterRefusedDead")],
      ["disk-down", counterIn("counterRefusedDiskDown")],
      ["clean", counterIn("counterRefusedClean")],
      ["filter", counterIn("counterRefusedFilter")],
      ["size", counterIn("counterRefusedSize")],
      ["unseen", counterIn("counterRefusedUnseen")],
      ["budget", counterIn("counterRefusedBudget")],
      ["queue", counterIn("counterRefusedQueue")],
    ]);
  });

  test("escapes a name", () => {
    const name = 'a"b\\c\nd{e="f"}';
    for (const isOpen of [false, true]) {
      const text = collect(sourceOf(numberedStats({ name })), isOpen ? openMetrics : {});
      const samples = [...readExposition(text, isOpen).values()].flatMap((each) => each.samples);
      expect(new Set(samples.map(({ labels }) => labels["cache"]))).toEqual(new Set([name]));
    }
  });

  test("writes bounds as Prometheus does", () => {
    const boundsIn = (options: CollectOptions): Set<string> => {
      const text = collect(sourceOf(numberedStats()), options);
      return new Set(Array.from(text.matchAll(/le="([^"]*)"/g), (match) => match[1] ?? ""));
    };
    expect([...boundsIn({})]).toEqual(
      expect.arrayContaining(["1e-07", "1.931e-07", "0.0001", "0.001", "1", "5.179", "10", "+Inf"]),
    );
    expect([...boundsIn(openMetrics)]).toEqual(
      expect.arrayContaining(["1e-07", "0.001", "1.0", "10.0", "+Inf"]),
    );
    expect(boundsIn(openMetrics).has("10")).toBe(false);
  });

  test("leaves out a closed cache, and is empty without any", async () => {
    const cache = await open({ name: "closed" });
    await cache.close();
    expect(collect([cache])).toBe("");
    expect(collect([], openMetrics)).toBe("# EOF\n");
    expect(readExposition(collect([cache, sourceOf(numberedStats())])).size).toBeGreaterThan(55);
  });

  test("refuses what is no cache, two of one name and an unknown format", () => {
    const source = sourceOf(numberedStats());
    expect(() => collect(undefined as never)).toThrow(TypeError);
    expect(() => collect([source, { ...source }])).toThrow(RangeError);
    expect(() => collect(source, { format: "json" as never })).toThrow(
      'in the format "json": options.format must be "prometheus" or "openmetrics"',
    );
    expect(() => collect(source, { format: "toString" as never })).toThrow(RangeError);
  });

  test("never shows a key", async () => {
    const cache = await open<string>({ name: "users" });
    const key = "key-of-a-user";
    cache.set(key, "1", { tags: [key] });
    await cache.fetch(`${key}-2`, () => Promise.reject(new Error(key))).catch(() => undefined);
    cache.deleteByTag(key);
    expect(collect(cache)).not.toContain(key);
  });
});

test("contentTypes are those that a scraper asks for", () => {
  expect(contentTypes.prometheus).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(contentTypes.openmetrics).toMatch(/^application\/openmetrics-text; version=1\.0\.0;/);
});
