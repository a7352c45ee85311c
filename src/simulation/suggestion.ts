// Which configuration reaches a hit ratio, by what was simulated. Called by the command.
import { KiB, MiB } from "../base/mod.js";
import type { Outcome } from "./replay.js";

/** Policies that a cache can be opened with; the others are measures. */
const measures: readonly string[] = ["lru-exact", "belady"];
/** Shares of the capacity in memory that are tried with a disk behind, smallest first. */
const missesInMemoryMax = 0.5;

export interface Suggestion {
  readonly policy: string;
  /** Bytes (or entries, where sizes are not counted) of the whole cache, and of its memory. */
  readonly capacity: number;
  readonly memory: number;
  readonly hitRatio: number;
}

/** The smallest simulated cache that reaches `target`, its best policy ("auto" if that is as good within a thousandth),
 *  and the smallest memory of it that answers half of the hits itself; `undefined` if none reaches it. */
export function suggest(outcomes: readonly Outcome[], target: number): Suggestion | undefined {
  const usable = outcomes.filter(({ policy }) => !measures.includes(policy));
  const capacities = [...new Set(usable.map(({ capacity }) => capacity))].sort((a, b) => a - b);
  for (const capacity of capacities) {
    const best = bestOf(usable.filter((outcome) => outcome.capacity === capacity));
    const hitRatio = 1 - best.missRatio;
    if (hitRatio < target) continue;
    const memory = usable.find(
      (outcome) =>
        outcome.policy === best.policy && 1 - outcome.missRatio >= hitRatio * missesInMemoryMax,
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

/** A number of bytes as options take it, rounded up: "12mb". */
export function sizeWords(bytes: number): string {
  if (bytes >= MiB) return `${Math.ceil(bytes / MiB)}mb`;
  return bytes >= KiB ? `${Math.ceil(bytes / KiB)}kb` : `${bytes}`;
}
