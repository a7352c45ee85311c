// With the registry of prom-client itself.
import { AggregatorRegistry, Gauge, Registry } from "prom-client";
import { describe, expect, test } from "vitest";

import type { MetricsSource } from "../../dist/src/metrics/mod.js";
import { collect, register } from "../../dist/src/prometheus/mod.js";
import { open, setUpCaches } from "../cache/opened.js";
import { numberedStats } from "../metrics/numbered.js";
import { readExposition } from "./exposition.js";

setUpCaches();

class Source implements MetricsSource {
  readonly name: string;
  reads = 0;

  constructor(name: string) {
    this.name = name;
  }

  stats(): ReturnType<MetricsSource["stats"]> {
    this.reads += 1;
    return numberedStats({ name: this.name, isOnDisk: this.name !== "memory" });
  }
}

/** prom-client leaves a line empty between families, and shows those without samples. */
async function textOf(registry: { metrics(): Promise<string> }): Promise<string> {
  const text = (await registry.metrics()).replaceAll("\n\n", "\n");
  return text.replaceAll(/# HELP .*\n# TYPE .*\n(?=# |$)/g, "");
}

function cachesIn(text: string): string[] {
  const families = [...readExposition(text).values()];
  const names = families.flatMap(({ samples }) => samples.map(({ labels }) => labels["cache"]));
  return [...new Set(names)].map(String);
}

describe("register()", () => {
  test("shows in a registry what collect() shows, read once a scrape", async () => {
    const registry = new Registry();
    const sources = [new Source("disk"), new Source("memory")];
    register(registry, sources);
    const reads = sources.map((source) => source.reads);
    const text = await textOf(registry);
    expect(sources.map((source) => source.reads)).toEqual(reads.map((count) => count + 1));
    expect(readExposition(text)).toEqual(readExposition(collect(sources)));
    await registry.metrics();
    expect(sources.map((source) => source.reads)).toEqual(reads.map((count) => count + 3));
  });

  test("shows a cache's numbers as they are at the scrape", async () => {
    const cache = await open<string>({ name: "users" });
    const registry = new Registry();
    register(registry, cache);
    const loads = async (): Promise<number | undefined> =>
      readExposition(await textOf(registry)).get("undercroft_loads_total")?.samples[0]?.value;
    expect(await loads()).toBe(0);
    await cache.fetch("a", () => "1");
    expect(await loads()).toBe(1);
    registry.resetMetrics();
    expect(await loads()).toBe(1);
  });

  test("shows namespaces in families of their own, the next one at the next scrape", async () => {
    const cache = await open<string>({ name: "users" });
    const registry = new Registry();
    register(registry, cache);
    const a = cache.namespace<string>("a", { memory: "256kb" });
    const scrape = async () => readExposition(await textOf(registry));
    const seen = (families: Awaited<ReturnType<typeof scrape>>, name: string): unknown[] =>
      (families.get(`undercroft_${name}`)?.samples ?? []).flatMap(({ labels, value }) => {
        const { cache: of, namespace, ...others } = labels;
        expect(of).toBe("users");
        return value === 0 ? [] : [[namespace, ...Object.values(others), value]];
      });
    a.set("key-of-a-user", "1");
    a.getSync("key-of-a-user");
    a.getSync("absent");
    cache.getSync("absent");
    await a.fetch("b", () => Promise.reject(new Error("no b"))).catch(() => undefined);
    const first = await scrape();
    expect(seen(first, "namespace_requests_total")).toEqual([
      ["", "miss", "none", 1],
      ["a", "hit", "memory", 1],
      ["a", "miss", "none", 2],
    ]);
    expect(seen(first, "requests_total")).toEqual([
      [undefined, "hit", "memory", 1],
      [undefined, "miss", "none", 3],
    ]);
    expect(seen(first, "namespace_load_errors_total")).toEqual([["a", 1]]);
    expect(seen(first, "namespace_sets_total")).toEqual([["a", "stored", 1]]);
    expect(seen(first, "namespace_entries")).toEqual([["a", "memory", 1]]);
    expect(seen(first, "namespace_share_bytes")).toEqual([["a", "memory", 256 * 1024]]);
    cache.namespace<string>('b"\\').set("k", "2");
    const next = await scrape();
    expect(seen(next, "namespace_sets_total")).toEqual([
      ["a", "stored", 1],
      ['b"\\', "stored", 1],
    ]);
    expect(readExposition(collect(cache))).toEqual(next);
    expect(await registry.metrics()).not.toContain("key-of-a-user");
  });

  test("in OpenMetrics too, scrape after scrape, and back", async () => {
    const registry = new Registry();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
    register(registry, new Source("disk"));
    const expected = readExposition(collect(new Source("disk"), { format: "openmetrics" }), true);
    const shown = [...expected].map(([name, family]) => [name, { ...family, unit: "" }] as const);
    for (let scrape = 0; scrape < 2; scrape++) {
      expect(readExposition(await registry.metrics(), true)).toEqual(new Map(shown));
    }
    register(registry, new Source("memory"));
    registry.setContentType(Registry.PROMETHEUS_CONTENT_TYPE as never);
    expect(cachesIn(await textOf(registry))).toEqual(["disk", "memory"]);
  });

  test("adds caches to those that are there, and removes them", async () => {
    const registry = new Registry();
    const own = { name: "other", help: "Other.", labelNames: ["a"], registers: [registry] };
    const other = new Gauge(own);
    other.set({ a: "b" }, 1);
    const removeOne = register(registry, new Source("one"));
    const removeTwo = register(registry, [new Source("two"), new Source("three")]);
    expect(cachesIn(await textOf(registry))).toEqual(["undefined", "one", "two", "three"]);
    removeOne();
    removeOne();
    expect(cachesIn(await textOf(registry))).toEqual(["undefined", "two", "three"]);
    removeTwo();
    expect(registry.getMetricsAsArray()).toEqual([other]);
    register(registry, new Source("one"));
    expect(cachesIn(await textOf(registry))).toEqual(["undefined", "one"]);
  });

  test("adds the metrics again to a registry that was cleared", async () => {
    const registry = new Registry();
    register(registry, new Source("one"));
    registry.clear();
    register(registry, new Source("two"));
    expect(cachesIn(await textOf(registry))).toEqual(["one", "two"]);
  });

  test("shows no cache that is closed, and takes the next of its name", async () => {
    const registry = new Registry();
    const first = await open({ name: "users" });
    register(registry, first);
    await first.close();
    expect(await textOf(registry)).toBe("");
    register(registry, await open({ name: "users" }));
    expect(cachesIn(await textOf(registry))).toEqual(["users"]);
  });

  test("adds nothing if a name is taken", async () => {
    const registry = new Registry();
    const name = "undercroft_worker_restarts_total";
    const taken = new Gauge({ name, help: "Taken.", registers: [registry] });
    expect(() => register(registry, new Source("one"))).toThrow(name);
    expect(registry.getMetricsAsArray()).toEqual([taken]);
    registry.removeSingleMetric(name);
    register(registry, new Source("one"));
    expect(cachesIn(await textOf(registry))).toEqual(["one"]);
  });

  test("refuses what is no registry, what is no cache and two caches of one name", async () => {
    const registry = new Registry();
    for (const wrong of [undefined, {}, { registerMetric() {} }]) {
      expect(() => register(wrong as never, new Source("one"))).toThrow(
        "the registry must be a Registry of prom-client",
      );
    }
    expect(() => register(registry, {} as never)).toThrow(TypeError);
    register(registry, new Source("one"));
    expect(() => register(registry, new Source("one"))).toThrow(RangeError);
    expect(cachesIn(await textOf(registry))).toEqual(["one"]);
  });

  test("adds up over the processes of a cluster", async () => {
    const registries = [new Registry(), new Registry()];
    for (const registry of registries) register(registry, new Source("one"));
    const asJson = await Promise.all(registries.map((each) => each.getMetricsAsJSON()));
    const merged = AggregatorRegistry.aggregate(asJson);
    const one = readExposition(await textOf(registries[0] as Registry));
    const both = readExposition(await textOf(merged));
    const valuesIn = (families: typeof one, name: string): number[] =>
      (families.get(name)?.samples ?? []).map(({ value }) => value);
    for (const name of ["undercroft_loads_total", "undercroft_load_duration_seconds"]) {
      const values = valuesIn(one, name);
      expect(values.length).toBeGreaterThan(0);
      expect(valuesIn(both, name)).toEqual(values.map((value) => value * 2));
    }
    expect(valuesIn(both, "undercroft_disk_up")).toEqual([1]);
  });

  test("takes the default labels of a registry", async () => {
    const registry = new Registry();
    registry.setDefaultLabels({ app: "shop" });
    register(registry, new Source("one"));
    const family = readExposition(await textOf(registry)).get("undercroft_loads_total");
    expect(family?.samples[0]?.labels).toEqual({ cache: "one", app: "shop" });
  });
});
