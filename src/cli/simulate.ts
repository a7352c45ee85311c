// `undercroft simulate`: replays traces through every policy at several sizes. Called by main.ts.
import { writeFileSync } from "node:fs";

import { elapsedMs } from "../base/mod.js";
import {
  type Outcome,
  plotCurves,
  readTrace,
  replay,
  sizeWords,
  suggest,
  type Trace,
  withoutSizes,
} from "../simulation/mod.js";
import type { Output } from "./output.js";
import { outcomeTable } from "./outcome-table.js";
import { type SimulateOptions, simulateOptions } from "./simulate-options.js";

export const simulateUsage = `simulate <trace…>   miss ratios by policy and size, from a cold cache
  --policies a,b    auto, s3-fifo, lfu, lru, sieve, fifo, lru-exact, belady (default: all)
  --sizes 0.01,0.1  fractions of the distinct objects, or of their bytes
                    (default: 0.001,0.01,0.05,0.1,0.2)
  --unit            count objects, not bytes
  --worth load-time what a hit is worth to auto and lfu: hits (default), bytes or load-time
  --target 0.9      suggest a configuration for this hit ratio
  --svg curves.svg  draw the curves; for several traces, one file each: curves-<trace>.svg
  --json            print an array of
                    { trace, policy, size, capacity, requests, misses, missRatio, byteMissRatio,
                      waitRatio }
A trace is CSV (key, size, ttl, timestamp, load; only the key is required; the first line may name
the columns) or records of 16 bytes (key u64, size u32, ttl u32, little-endian); either may be
gzipped (.gz). ttl and timestamp are seconds; a ttl has no effect without timestamps. load is
milliseconds.`;

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
    const outcomes = replayAll(trace, options, output);
    all.push(...outcomes);
    if (!options.json) output.print(report(trace, outcomes, options));
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

function report(trace: Trace, outcomes: readonly Outcome[], options: SimulateOptions): string {
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
  if (options.target !== undefined) parts.push(advice(trace, outcomes, options.target));
  return `${parts.join("\n")}\n`;
}

function advice(trace: Trace, outcomes: readonly Outcome[], target: number): string {
  const found = suggest(outcomes, target);
  if (found === undefined) {
    const best = Math.max(...outcomes.map(({ missRatio }) => 1 - missRatio));
    const reached = `the best is ${best.toFixed(4)}`;
    return `No simulated size reaches a hit ratio of ${target}; ${reached}. Try larger --sizes`;
  }
  const { policy, capacity, memory, hitRatio } = found;
  const reached = `reaches a hit ratio of ${hitRatio.toFixed(4)}`;
  if (trace.size === null)
    return `Suggested: "${policy}" with room for ${capacity} entries ${reached}`;
  const disk = memory < capacity ? `, or memory: "${sizeWords(memory)}" with that much disk` : "";
  return `Suggested: eviction: "${policy}", memory: "${sizeWords(capacity)}"${disk}; it ${reached}`;
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
