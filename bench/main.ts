// `npm run bench [-- filter …]`: runs every suite whose name contains a filter, each case in its
// own process, prints a table per suite and writes bench/results/<suite>.json. `--threads=1,2,32`
// sets the thread counts of the `threads` suite, `--entries=10000000` the entries of
// `disk-reopen`.

import { fork } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { printTable, writeResults } from "./report.js";
import type { Row } from "./suite.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const words = process.argv.slice(2);
const filters = words.filter((word) => !word.startsWith("--"));
for (const word of words) {
  if (!word.startsWith("--")) continue;
  const [option, value] = word.slice(2).split("=");
  if ((option !== "threads" && option !== "entries") || value === undefined) {
    throw new Error(`There is no option ${word}; --threads=1,2 and --entries=10000000`);
  }
  // Before the suites are imported; the processes of the cases inherit it.
  process.env[`BENCH_${option.toUpperCase()}`] = value;
}
const suites = await import("./suites/mod.js");
const chosen = Object.values(suites).filter(
  ({ name }) => filters.length === 0 || filters.some((filter) => name.includes(filter)),
);
if (chosen.length === 0) {
  const names = Object.values(suites).map(({ name }) => name);
  throw new Error(`No suite is named like ${filters.join(", ")}; there are ${names.join(", ")}`);
}

for (const suite of chosen) {
  const rows: Row[] = [];
  for (const caseName of suite.cases) {
    process.stderr.write(`${suite.name}: ${caseName} …\n`);
    try {
      rows.push(...(await runCase(suite.name, caseName)));
    } catch (error) {
      // Run the other cases all the same; the exit status reports the failure.
      console.error(String(error));
      process.exitCode = 1;
    }
  }
  if (rows.length === 0) continue;
  printTable(suite, rows);
  console.log(`\n→ ${writeResults(root, join(root, "bench", "results"), suite, rows)}`);
}

function runCase(suiteName: string, caseName: string): Promise<Row[]> {
  const child = fork(fileURLToPath(new URL("case.js", import.meta.url)), [suiteName, caseName], {
    // A million objects in each of three caches do not fit in the default heap.
    execArgv: ["--expose-gc", "--enable-source-maps", "--max-old-space-size=8192"],
  });
  return new Promise((resolve, reject) => {
    child.once("message", (rows) => {
      resolve(rows as Row[]);
    });
    child.once("error", reject);
    child.once("exit", (code) => {
      reject(new Error(`Case ${caseName} of ${suiteName} ended with ${code} and no rows`));
    });
  });
}
