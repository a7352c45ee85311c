// docs/hosts.md says what was measured: its tables are the rows of bench/results/hosts-*.json.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

import { rowsOf } from "./pages.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), "utf8");

const page = rowsOf(read("docs/hosts.md"));

test.each([
  ["Stores", "hosts-stores"],
  ["What goes wrong", "hosts-faults"],
])("the table of %s is what %s measured", (section, suite) => {
  const { rows } = JSON.parse(read(`bench/results/${suite}.json`)) as {
    rows: Record<string, number | string>[];
  };
  const measured = rows.map((row) =>
    Object.values(row).map((cell) =>
      typeof cell === "number" ? cell.toLocaleString("en-US") : cell,
    ),
  );
  const shown = page.filter((row) => row.section === section).map(({ cells }) => [...cells]);
  expect(shown.length).toBeGreaterThan(10);
  expect(shown).toEqual(measured);
});
