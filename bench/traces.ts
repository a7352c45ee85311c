// `npm run bench:traces -- <directory>`: every policy on every trace of a directory, at sizes of
// 0.1 to 20 % of the distinct objects (only cells with at least 100 objects), then again by bytes
// for the traces with sizes. Prints the table of miss ratios and what each policy saves against an
// exact LRU. docs/internals/eviction.md quotes it.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

import {
  capacityOf,
  footprintOf,
  readTrace,
  replay,
  type Simulated,
  simulatedNames,
  type Trace,
  withoutSizes,
} from "../src/simulation/mod.js";

const sizes = [0.001, 0.01, 0.05, 0.1, 0.2];
const objectsMin = 100;

/** What one policy did over all cells. */
class Tally {
  reduction = 0;
  byteReduction = 0;
  missRatio = 0;
  /** The largest miss ratio above LRU's, in percentage points, and where. */
  worst = -Infinity;
  worstCell = "";
  requests = 0;
  ms = 0;
}

class Comparison {
  readonly #title: string;
  readonly #tallies = new Map(simulatedNames.map((name) => [name, new Tally()]));
  #cells = 0;

  constructor(title: string) {
    this.#title = title;
    console.log(`\n## ${title}\n`);
    console.log(`| trace | size | ${simulatedNames.join(" | ")} |`);
    console.log(`|---|---|${"---|".repeat(simulatedNames.length)}`);
  }

  add(trace: Trace): void {
    for (const size of sizes) {
      const capacity = capacityOf(trace, size);
      const objects = (capacity * trace.keys) / footprintOf(trace);
      if (objects >= objectsMin) this.#cell(trace, size, capacity);
    }
  }

  #cell(trace: Trace, size: number, capacity: number): void {
    const outcomes = simulatedNames.map((name) => {
      const started = performance.now();
      const outcome = replay(trace, name, size);
      const tally = this.#of(name);
      tally.ms += performance.now() - started;
      tally.requests += trace.requests;
      return outcome;
    });
    this.#cells += 1;
    const cell = `${trace.name} ${size * 100} %`;
    const lru = outcomes.find(({ policy }) => policy === "lru-exact");
    if (lru === undefined) return;
    for (const { policy, missRatio, byteMissRatio } of outcomes) {
      const tally = this.#of(policy);
      tally.missRatio += missRatio;
      tally.reduction += (lru.missRatio - missRatio) / lru.missRatio;
      tally.byteReduction += (lru.byteMissRatio - byteMissRatio) / lru.byteMissRatio;
      const loss = missRatio - lru.missRatio;
      if (loss > tally.worst) [tally.worst, tally.worstCell] = [loss, cell];
    }
    const ratios = outcomes.map(({ missRatio, byteMissRatio }) =>
      trace.size === null
        ? missRatio.toFixed(4)
        : `${missRatio.toFixed(4)} / ${byteMissRatio.toFixed(4)}`,
    );
    console.log(`| ${trace.name} | ${size * 100} % = ${capacity} | ${ratios.join(" | ")} |`);
    process.stderr.write(`${this.#title}: ${cell}\n`);
  }

  summary(): void {
    console.log(`\n${this.#cells} cells, against an exact LRU\n`);
    console.log(
      "| policy | mean miss ratio | fewer misses | fewer bytes | worst cell | M requests/s |",
    );
    console.log("|---|---|---|---|---|---|");
    for (const [name, tally] of this.#tallies) {
      const mean = (sum: number): number => sum / this.#cells;
      const worst = `${(tally.worst * 100).toFixed(2)} points, ${tally.worstCell}`;
      const percent = (share: number): string => `${(mean(share) * 100).toFixed(2)} %`;
      const rate = (tally.requests / tally.ms / 1000).toFixed(1);
      console.log(
        `| ${name} | ${mean(tally.missRatio).toFixed(4)} | ${percent(tally.reduction)} ` +
          `| ${percent(tally.byteReduction)} | ${worst} | ${rate} |`,
      );
    }
  }

  #of(name: Simulated): Tally {
    return this.#tallies.get(name) as Tally;
  }
}

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  throw new RangeError("Cannot compare policies: no directory of traces was named");
}
const paths = readdirSync(directory)
  .filter((name) => /\.(?:bin|csv|txt)(?:\.gz)?$/.test(name) && !name.startsWith("reference"))
  .sort()
  .map((name) => join(directory, name));

const unit = new Comparison("Objects");
for (const path of paths) unit.add(withoutSizes(await readTrace(path)));
unit.summary();
const sized = new Comparison("Objects with sizes: misses / bytes missed");
for (const path of paths) {
  const trace = await readTrace(path);
  if (trace.size !== null) sized.add(trace);
}
sized.summary();
