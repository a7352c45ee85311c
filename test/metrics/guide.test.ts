// What docs/guides/metrics.md says: every metric and every alarm is in it, and its code is that of
// examples, which run and print what they should.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { describe, expect, test } from "vitest";

import { metricRows } from "./metric-table.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const guide = read("docs/guides/metrics.md");

function read(file: string): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
}

/** The rows of the guide's tables that begin with a word in code. */
function rowsOf(begin: RegExp): string[][] {
  return guide
    .split("\n")
    .filter((line) => begin.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

test("the guide has a row for every metric, and each row is right", () => {
  expect(rowsOf(/^\| `undercroft_/)).toEqual(metricRows());
});

test("the guide says of every alarm what to do", () => {
  const alarms = read("docs/prometheus-alarms.yml").matchAll(/^ +- alert: (\w+)$/gm);
  const told = rowsOf(/^\| `Undercroft[A-Z]/).map(([name]) => name?.replace(" *", ""));
  expect(told).toEqual(Array.from(alarms, (match) => `\`${match[1] ?? ""}\``));
});

describe("the guide's examples", () => {
  const examples = [
    ["metrics-prom-client", 'undercroft_loads_total{cache="users"} 1'],
    ["metrics-text", 'undercroft_load_duration_seconds_count{cache="users"} 1'],
    ["metrics-opentelemetry", 'undercroft.loads {"undercroft.cache":"users"} 1'],
    ["metrics-load-channel", "users user ok true\nusers team error true"],
  ] as const;

  test("are the code that the guide shows", () => {
    const sources = examples.map(([name]) => read(`examples/${name}.ts`));
    const blocks = Array.from(guide.matchAll(/^```ts\n(.*?)^```$/gms), (match) => match[1] ?? "");
    expect(blocks.length).toBe(examples.length);
    expect(blocks.filter((block) => !sources.some((source) => source.includes(block)))).toEqual([]);
    for (const [name] of examples) expect(guide).toContain(`examples/${name}.ts`);
  });

  test.each(examples)("%s runs", async (name, printed) => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [`dist/examples/${name}.js`],
      { cwd: root },
    );
    expect(stderr).toBe("");
    expect(stdout).toContain(printed);
  });
});
