// `undercroft simulate`: replays traces through every policy at several sizes. Called by main.ts.
import { writeFileSync } from "node:fs";

import { elapsedMs } from "../../base/mod.js";
import {
  type Outcome,
  plotCurves,
  readTrace,
  replay,
  type Trace,
  withoutSizes,
} from "../../simulation/mod.js";
import type { Output } from "../output.js";
import { outcomeTable } from "./outcome-table.js";
import { type SimulateOptions, simulateOptions } from "./simulate-options.js";
import { advice, candidatesFor } from "./simulate-advice.js";

export const simulateUsage = `simulate <trace…>   miss ratios by policy and size, from a cold cache
  --policies a,b    auto, s3-fifo, lfu, lru, sieve, fifo, lru-exact, belady (default: all)
  --sizes 0.01,0.1  fractions of the distinct objects, or of their bytes
                    (default: 0.001,0.01,0.05,0.1,0.2)
  --unit            count objects, not bytes
  --worth load-time what a hit is worth to auto and lfu: hits (default), bytes or load-time
  --target-hits 0.9 suggest memory, disk, policy and worth for this hit ratio: tries each worth, and
                    more sizes unless --sizes names them
  --target-wait 5ms the same for what a request waits for loads, on average
  --svg curves.svg  draw the curves; for several traces, one file each: curves-<trace>.svg
  --json            print an array of
                    { trace, policy, worth, size, capacity, requests, misses, missRatio,
                      byteMissRatio, waitRatio, waitMs }
A trace is CSV (key, size, ttl, timestamp, load; only the key is required; the first line may name
the columns) or records of 16 bytes (key u64, size u32, ttl u32, little-endian); either may be
gzipped (.gz). ttl and timestamp are seconds; a ttl has no effect without timestamps. load is
milliseconds. What record wrote of a part of the keys is suggested for all of them.`;

/** A cache that holds fewer objects than this is decided by chance. */
const objectsWanted = 10;
/** Milliseconds between progress messages. */
const progressMs = 2000;

/** Runs the command. Returns the exit status. */
export async function simulate(words: readonly string[], output: Output): Promise<number> {
  const options = simulateOptions(words);
  if (options.help) {
    output.print(simulateUsage);
    return 0;
  }
  const all: Outcome[] = [];
  for (const path of options.traces) {
    const read = await readTrace(path);
    const trace = options.unit ? withoutSizes(read) : read;
    warnOfSmall(trace, options.sizes, output);
    if (options.target !== undefined && "waitMs" in options.target && trace.load === null) {
      throw new RangeError(
        `Cannot simulate ${path} for --target-wait: it has no load times; record has them of ` +
          "entries that were loaded by fetch",
      );
    }
    const outcomes = replayAll(trace, options, output);
    all.push(...outcomes);
    if (!options.json) {
      output.print(report(trace, outcomes));
      if (options.target !== undefined) {
        const candidates = candidatesFor(trace, outcomes, options);
        output.print(advice(trace, candidates, options.target));
      }
    }
    if (options.svg !== undefined) draw(outcomes, options.svg, options.traces.length > 1, output);
  }
  if (options.json) output.print(JSON.stringify(all));
  return 0;
}

function warnOfSmall(
  { name, keys, requests }: Trace,
  sizes: readonly number[],
  output: Output,
): void {
  if (keys === requests) {
    output.warn(`${name}: no key is asked for twice, so every policy misses all; is it a trace?`);
  }
  const small = sizes.filter((size) => size * keys < objectsWanted);
  if (small.length === 0) return;
  const caches = small.map((size) => `${Number((size * 100).toPrecision(4))} %`).join(", ");
  output.warn(
    `${name}: the trace is too small: it has ${keys} objects, and caches of ${caches} hold fewer ` +
      `than ${objectsWanted} of them, so their ratios say little; use a longer trace or larger ` +
      "--sizes",
  );
}

function replayAll(trace: Trace, options: SimulateOptions, output: Output): Outcome[] {
  const runs = options.sizes.flatMap((size) =>
    options.policies.map((policy) => ({ size, policy })),
  );
  const started = elapsedMs();
  let reportedAt = started;
  return runs.map(({ size, policy }, index) => {
    const now = elapsedMs();
    if (now - reportedAt >= progressMs) {
      const rate = (index * trace.requests) / (now - started) / 1000;
      output.warn(
        `${trace.name}: ${index} of ${runs.length} runs, ${rate.toFixed(1)} M requests/s`,
      );
      reportedAt = now;
    }
    return replay(trace, policy, size, options.worth);
  });
}

function report(trace: Trace, outcomes: readonly Outcome[]): string {
  const parts = [
    `${trace.name}: ${trace.requests} requests for ${trace.keys} objects; misses per request`,
    outcomeTable(outcomes, "missRatio"),
  ];
  if (trace.size !== null) {
    parts.push("bytes missed per byte asked for", outcomeTable(outcomes, "byteMissRatio"));
  }
  if (trace.load !== null) {
    const table = outcomeTable(outcomes, "waitRatio");
    parts.push("time spent loading per time that all requests take to load", table);
  }
  return `${parts.join("\n")}\n`;
}

function draw(outcomes: readonly Outcome[], path: string, several: boolean, output: Output): void {
  const trace = outcomes[0]?.trace ?? "";
  const file = several ? path.replace(/(\.svg)?$/, `-${trace}.svg`) : path;
  try {
    writeFileSync(file, plotCurves(outcomes));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RangeError(`Cannot write --svg ${file}: ${why}`, { cause: error });
  }
  output.warn(`drew ${file}`);
}
