// Suggests a configuration that reaches a hit ratio, from simulated outcomes. Called by the command
// line.
import { KiB, MiB } from "../base/mod.js";
import type { Worth } from "../policy/mod.js";
import type { Outcome } from "./replay.js";

/** Simulated policies that a cache cannot be opened with. */
export const measures: readonly string[] = ["lru-exact", "belady"];
/** The least share of the hits that memory must answer when a disk tier is behind it. */
const memoryHitShareMin = 0.5;

/** A hit ratio that is to be reached, or milliseconds that a request may wait for loads at most, on
 *  average. */
export type Target = { readonly hitRatio: number } | { readonly waitMs: number };

export interface Suggestion {
  readonly policy: string;
  readonly worth: Worth;
  /** Bytes (or entries, if sizes are ignored) of the whole cache, and of its memory. */
  readonly capacity: number;
  readonly memory: number;
  readonly hitRatio: number;
  readonly waitMs: number | null;
}

/** The smallest simulated cache that reaches `target`; its best policy and worth ("auto" for hits
 *  if within a thousandth of the best); and the smallest memory that answers half of the hits
 *  alone, if `outcomes` are in order of size. `undefined` if no cache reaches the target. */
export function suggest(outcomes: readonly Outcome[], target: Target): Suggestion | undefined {
  const usable = outcomes.filter(({ policy }) => !measures.includes(policy));
  const capacities = [...new Set(usable.map(({ capacity }) => capacity))].sort((a, b) => a - b);
  for (const capacity of capacities) {
    const best = bestOf(
      usable.filter((outcome) => outcome.capacity === capacity),
      target,
    );
    if (!reaches(best, target)) continue;
    const hitRatio = 1 - best.missRatio;
    const memory = usable.find(
      (outcome) =>
        outcome.policy === best.policy &&
        outcome.worth === best.worth &&
        1 - outcome.missRatio >= hitRatio * memoryHitShareMin,
    );
    return {
      policy: best.policy,
      worth: best.worth,
      capacity,
      memory: Math.min(memory?.capacity ?? capacity, capacity),
      hitRatio,
      waitMs: best.waitMs,
    };
  }
  return undefined;
}

/** Whether a simulated cache reaches a target. */
export function reaches({ missRatio, waitMs }: Outcome, target: Target): boolean {
  if ("hitRatio" in target) return 1 - missRatio >= target.hitRatio;
  return waitMs !== null && waitMs <= target.waitMs;
}

/** How far an outcome is from the best there could be. */
function costOf(outcome: Outcome, target: Target): number {
  return "hitRatio" in target ? outcome.missRatio : (outcome.waitRatio ?? 1);
}

function bestOf(outcomes: readonly Outcome[], target: Target): Outcome {
  let best = outcomes[0] as Outcome;
  for (const outcome of outcomes)
    if (costOf(outcome, target) < costOf(best, target)) best = outcome;
  const auto = outcomes.find(({ policy, worth }) => policy === "auto" && worth === "hits");
  if (auto === undefined || costOf(auto, target) > costOf(best, target) + 0.001) return best;
  // It may be that much worse only if it reaches the target all the same.
  return reaches(best, target) && !reaches(auto, target) ? best : auto;
}

/** Bytes as options take them, rounded up: "12mb". */
export function sizeWords(bytes: number): string {
  if (bytes >= MiB) return `${Math.ceil(bytes / MiB)}mb`;
  return bytes >= KiB ? `${Math.ceil(bytes / KiB)}kb` : `${bytes}`;
}
