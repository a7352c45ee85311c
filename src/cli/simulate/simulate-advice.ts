// What configuration reaches a target: a table of sizes, policies and worths, and the smallest that
// does. Called by the simulate command. Pure.
import { type Worth, worths } from "../../policy/mod.js";
import {
  measures,
  type Outcome,
  reaches,
  replay,
  type Simulated,
  sizeWords,
  suggest,
  type Target,
  type Trace,
} from "../../simulation/mod.js";
import { columns } from "../columns.js";
import type { SimulateOptions } from "./simulate-options.js";

/** The policies that weigh what a hit is worth. */
const weighing: readonly Simulated[] = ["auto", "lfu"];
/** A larger cache than the trace has objects reaches no more. */
const largerSizes: readonly number[] = [0.4, 0.7, 1];

/** The outcomes, and those of each worth that the trace can tell of and of larger caches. */
export function candidatesFor(
  trace: Trace,
  outcomes: readonly Outcome[],
  { sizes, policies, worth, hasOwnSizes }: SimulateOptions,
): Outcome[] {
  const all = [...outcomes];
  const has = (policy: Simulated, size: number, own: Worth): boolean =>
    all.some((one) => one.policy === policy && one.size === size && one.worth === own);
  for (const size of hasOwnSizes ? sizes : [...sizes, ...largerSizes]) {
    for (const policy of policies) {
      const tried = weighing.includes(policy) ? worthsOf(trace) : [worth];
      for (const own of tried)
        if (!has(policy, size, own)) all.push(replay(trace, policy, size, own));
    }
  }
  return all.toSorted((left, right) => left.size - right.size);
}

function worthsOf(trace: Trace): readonly Worth[] {
  return worths.filter((worth) =>
    worth === "load-time" ? trace.load !== null : worth === "hits" || trace.size !== null,
  );
}

export function advice(trace: Trace, outcomes: readonly Outcome[], target: Target): string {
  const table = targetTable(trace, outcomes, target);
  const head = "hitRatio" in target ? "hits per request" : "milliseconds waited per request";
  const wanted =
    "hitRatio" in target
      ? `a hit ratio of ${target.hitRatio}`
      : `a wait of ${target.waitMs} ms per request`;
  return `${head}; * reaches ${wanted}\n${table}\n${suggestion(trace, outcomes, target, wanted)}\n`;
}

function valueOf({ missRatio, waitMs }: Outcome, target: Target): number {
  return "hitRatio" in target ? 1 - missRatio : (waitMs ?? 0);
}

/** A row a size, a column a policy with a worth. */
function targetTable(trace: Trace, outcomes: readonly Outcome[], target: Target): string {
  const nameOf = ({ policy, worth }: Outcome): string =>
    weighing.includes(policy) && worth !== "hits" ? `${policy}/${worth}` : policy;
  const names = [...new Set(outcomes.map(nameOf))].sort();
  const sizes = [...new Set(outcomes.map(({ size }) => size))];
  const rows = sizes.map((size) => {
    const row = outcomes.filter((outcome) => outcome.size === size);
    const cells = names.map((name) => {
      const found = row.find((outcome) => nameOf(outcome) === name);
      if (found === undefined) return "";
      return `${valueOf(found, target).toFixed(4)}${reaches(found, target) ? "*" : " "}`;
    });
    return [roomText(trace, row[0]?.capacity ?? 0), ...cells];
  });
  const all = [["size", ...names.map((name) => `${name} `)], ...rows];
  return columns(all, [true, ...names.map(() => true)]);
}

function suggestion(
  trace: Trace,
  outcomes: readonly Outcome[],
  target: Target,
  wanted: string,
): string {
  const found = suggest(outcomes, target);
  if (found === undefined) {
    const usable = outcomes.filter(({ policy }) => !measures.includes(policy));
    const values = usable.map((outcome) => valueOf(outcome, target));
    const best = "hitRatio" in target ? Math.max(...values) : Math.min(...values);
    const most = values.length === 0 ? "none was tried" : `the best is ${best.toFixed(4)}`;
    return `No simulated size reaches ${wanted}; ${most}. Try larger --sizes`;
  }
  const { policy, worth, capacity, memory, hitRatio, waitMs } = found;
  const waits = waitMs === null ? "" : `, and waits ${waitMs.toFixed(3)} ms per request`;
  const reached = `it reaches a hit ratio of ${hitRatio.toFixed(4)}${waits}`;
  const eviction = worth === "hits" ? `"${policy}"` : `{ policy: "${policy}", worth: "${worth}" }`;
  if (trace.size === null) {
    return `Suggested: eviction: ${eviction}, room for ${roomText(trace, capacity)}; ${reached}`;
  }
  const whole = roomText(trace, capacity);
  const split =
    memory < capacity
      ? `, or memory: "${roomText(trace, memory)}" with disk: { capacity: "${whole}" }`
      : "";
  return `Suggested: eviction: ${eviction}, memory: "${whole}"${split}; ${reached}`;
}

/** The size of a cache for all keys, of which the trace may be a part. */
function roomText({ size, sample }: Trace, capacity: number): string {
  const whole = Math.ceil(capacity / sample);
  return size === null ? `${whole} entries` : sizeWords(whole);
}
