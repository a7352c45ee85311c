// Every query of the dashboard and of the alarms asks for series that a cache has, by labels that
// they have.
import { readFileSync } from "node:fs";

import { parser } from "@prometheus-io/lezer-promql";
import { describe, expect, test } from "vitest";

import { collect } from "../../dist/src/prometheus/mod.js";
import { readExposition } from "../prometheus/exposition.js";
import { numberedStats } from "./numbered.js";

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { name: string; definition?: string }[] };
}

const dashboard = JSON.parse(read("docs/grafana-dashboard.json")) as Dashboard;
const alarms = read("docs/prometheus-alarms.yml");

/** The values of each label, by the name of a series. */
const series = new Map<string, Map<string, Set<string>>>();
const source = { name: "users", stats: () => numberedStats() };
for (const { samples } of readExposition(collect(source)).values()) {
  for (const { name, labels } of samples) {
    const known = series.get(name) ?? new Map<string, Set<string>>();
    series.set(name, known);
    for (const [label, value] of Object.entries(labels)) {
      known.set(label, (known.get(label) ?? new Set()).add(value));
    }
  }
}

function read(file: string): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
}

/** What is wrong with a query. Grafana's variables are read as what they stand for. */
function queryFaults(query: string): string[] {
  const text = query.replaceAll("$__rate_interval", "5m").replaceAll("$cache", ".*");
  const faults: string[] = [];
  const names: string[] = [];
  const labels: string[] = [];
  parser.parse(text).iterate({
    enter: (node) => {
      const word = text.slice(node.from, node.to);
      if (node.type.isError) faults.push(`${text}: cannot be read`);
      if (node.name === "Identifier") names.push(word);
      if (node.name === "LabelName") labels.push(word);
      if (node.name !== "UnquotedLabelMatcher") return;
      const [, label = "", value = ""] = /^(\w+)="(.*)"$/.exec(word) ?? [];
      const selected = series.get(names.at(-1) ?? "")?.get(label);
      if (label !== "" && selected?.has(value) !== true) faults.push(`${text}: no ${word}`);
    },
  });
  if (names.length === 0) faults.push(`${text}: asks for nothing`);
  for (const name of names) if (!series.has(name)) faults.push(`${text}: no series ${name}`);
  for (const label of labels) {
    const has = names.every((name) => series.get(name)?.has(label) ?? false);
    if (!has) faults.push(`${text}: no label ${label}`);
  }
  return faults;
}

describe("a query", () => {
  test.each([
    ["rate(undercroft_load_total[5m])", "no series undercroft_load_total"],
    ["sum by (key) (undercroft_loads_total)", "no label key"],
    ['undercroft_sets_total{outcome="too large"}', 'no outcome="too large"'],
    ["rate(undercroft_loads_total[5m]", "cannot be read"],
    ["1 + 1", "asks for nothing"],
  ])("%s is refused", (query, words) => {
    expect(queryFaults(query).join()).toContain(words);
  });

  test("that a cache can answer is not refused", () => {
    const selected = 'undercroft_hit_duration_seconds_bucket{cache=~"$cache",tier="disk"}';
    const rate = `sum by (tier, le) (rate(${selected}[$__rate_interval]))`;
    expect(queryFaults(`histogram_quantile(0.99, ${rate})`)).toEqual([]);
  });
});

describe("docs/grafana-dashboard.json", () => {
  const panels = dashboard.panels.filter(({ type }) => type !== "row");
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

  test("asks for series that exist", () => {
    expect(queries.length).toBeGreaterThan(30);
    expect(queries.flatMap(queryFaults)).toEqual([]);
  });

  test("names in its legends labels that its queries keep", () => {
    const targets = panels.flatMap((panel) => panel.targets ?? []);
    const faults = targets.filter(({ expr, legendFormat }) => {
      const kept = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(
        (match) => match[1]?.split(/, */) ?? [],
      );
      const told = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? "");
      return !told.every((label) => kept.includes(label));
    });
    expect(faults).toEqual([]);
  });

  test("takes the choice of caches from a series that exists", () => {
    const definition = dashboard.templating.list.find(({ name }) => name === "cache")?.definition;
    const [, name = "", label = ""] = /^label_values\((\w+), (\w+)\)$/.exec(definition ?? "") ?? [];
    expect(series.get(name)?.has(label)).toBe(true);
    expect(queries.filter((query) => !query.includes('cache=~"$cache"'))).toEqual([]);
  });

  test("has panels for hits, loads, latency, bytes, evictions and disk, none over another", () => {
    const text = queries.join("\n");
    for (const words of [
      "requests_total",
      "loads_total",
      "load_duration",
      "hit_duration",
      "memory_usage",
      "disk_usage",
      "evictions_total",
      "disk_io",
      "namespace_requests_total",
      "namespace_memory_live",
      "namespace_share",
    ]) {
      expect(text).toContain(words);
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.filter(({ description }) => description === undefined)).toEqual([]);
  });
});

describe("docs/prometheus-alarms.yml", () => {
  test("asks for series that exist, each alarm by a name of its own", () => {
    const names = Array.from(alarms.matchAll(/^ +- alert: (\w+)$/gm), (match) => match[1] ?? "");
    const queries = Array.from(alarms.matchAll(/^ +expr: (.+)$/gm), (match) => match[1] ?? "");
    expect(names.length).toBeGreaterThan(8);
    expect(queries).toHaveLength(names.length);
    expect(new Set(names).size).toBe(names.length);
    expect(queries.flatMap(queryFaults)).toEqual([]);
  });
});
