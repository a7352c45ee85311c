// Crashes of the disk tier by the million: sessions of a cache over files in memory crash at every
// change they make, each state that may be left is opened, and a judge that knows only the user's
// calls looks at it. Called by main.ts and, in its CI share, by a test.
import { randomOf } from "../crash/entry-value.js";
import { CrashRunner } from "./disk/crash-runner.js";
import { type Engine, loadEngine } from "./disk/engine.js";
import { plots, tell } from "./disk/story.js";
import { Fault, type Proof } from "./proof.js";

/** States of one story, before another one is told. */
const statesOfStory = 4000;
const tellEveryMs = 10_000;

/** Crashes an engine so often. Rejects with the first Fault, which names the seed. */
export async function crashStates(
  engine: Engine,
  states: number,
  seed: number,
  say: (line: string) => void = () => undefined,
): Promise<Record<string, number>> {
  const total: Record<string, number> = { states: 0 };
  let toldMs = performance.now();
  for (let round = 0; (total["states"] ?? 0) < states; round++) {
    const plot = plots[round % plots.length] as (typeof plots)[number];
    const ownSeed = seed + round;
    const random = randomOf(ownSeed);
    engine.seed(random);
    const story = await tell(engine, plot, random);
    const runner = new CrashRunner(engine, story, random);
    const share = Math.ceil(states / Math.max(plots.length, Math.ceil(states / statesOfStory)));
    try {
      await runner.run(share);
    } catch (error) {
      throw new Fault(`--seed ${ownSeed}: ${String((error as Error).message)}`);
    }
    for (const [name, count] of Object.entries(runner.account)) {
      total[name] = (total[name] ?? 0) + count;
    }
    if (performance.now() - toldMs < tellEveryMs) continue;
    toldMs = performance.now();
    say(`${total["states"]} of ${states} states`);
  }
  return total;
}

export const crashStatesProof: Proof<"states" | "seed"> = {
  name: "crash-states",
  about: "whatever a kill or a power loss leaves is opened, and nothing is wrong, old or lost",
  options: { states: 1_000_000, seed: 1 },
  async run({ states, seed }, say) {
    const engine = await loadEngine();
    const started = performance.now();
    try {
      const { again, reads, kept, ...rest } = await crashStates(engine, states, seed, say);
      const rate = Math.round((rest["states"] ?? 0) / ((performance.now() - started) / 1000));
      return (
        `${rest["states"]} states (${again} of crashed recoveries), ${reads} reads, ` +
        `${kept} values that had to be there, ${rate} states a second`
      );
    } finally {
      engine.remove();
    }
  },
};
