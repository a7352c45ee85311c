// Suggests a configuration that reaches a hit ratio, from simulated outcomes. Called by the command
// line.
import { KiB, MiB } from "../base/mod.js";
import type { Outcome } from "./replay.js";

/** Simulated policies that a cache cannot be opened with. */
const measures: readonly string[] = ["lru-exact", "belady"];
/** The least share of the hits that memory must answer when a disk tier is behind it. */
const memoryHitShareMin = 0.5;

export interface Suggestion {
  readonly policy: string;
  /** Bytes (or entries, if sizes are ignored) of the whole cache, and of its memory. */
  readonly capacity: number;
  readonly memory: number;
  readonly hitRatio: number;
}

/** The smallest simulated cache that reaches `target`; its best policy ("auto" if within a
 *  thousandth of the best); and the smallest memory that answers half of the hits alone, if
 *  `outcomes` are in order of size. `undefined` if no cache reaches the target. */
export function suggest(outcomes: readonly Outcome[], target: number): Suggestion | undefined {
  const usable = outcomes.filter(({ policy }) => !measures.includes(policy));
  const capacities = [...new Set(usable.map(({ capacity }) => capacity))].sort((a, b) => a - b);
  for (const capacity of capacities) {
    const best = bestOf(usable.filter((outcome) => outcome.capacity === capacity));
    const hitRatio = 1 - best.missRatio;
    if (hitRatio < target) continue;
    const memory = usable.find(
      (outcome) =>
        outcome.policy === best.policy && 1 - outcome.missRatio >= hitRatio * memoryHitShareMin,
    );
    return {
      policy: best.policy,
      capacity,
      memory: Math.min(memory?.capacity ?? capacity, capacity),
      hitRatio,
    };
  }
  return undefined;
}

function bestOf(outcomes: readonly Outcome[]): Outcome {
  let best = outcomes[0] as Outcome;
  for (const outcome of outcomes) if (outcome.missRatio < best.missRatio) best = outcome;
  const auto = outcomes.find(({ policy }) => policy === "auto");
  return auto !== undefined && auto.missRatio <= best.missRatio + 0.001 ? auto : best;
}

/** Bytes as options take them, rounded up: "12mb". */
export function sizeWords(bytes: number): string {
  if (bytes >= MiB) return `${Math.ceil(bytes / MiB)}mb`;
  return bytes >= KiB ? `${Math.ceil(bytes / KiB)}kb` : `${bytes}`;
}
