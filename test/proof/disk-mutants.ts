// Builds every mutant of the disk tier and has the checkers catch it: a proof that passes with a
// broken disk tier proves nothing. Called by main.ts and, in its CI share, by a test.
import { randomOf } from "../crash/entry-value.js";
import { crashStates } from "./crash-states.js";
import { DamageRunner } from "./disk/damage-runner.js";
import { type DiskMutant, diskMutants } from "./disk/disk-mutants.js";
import { type Engine, loadEngine } from "./disk/engine.js";
import { faultMatrix } from "./fault-matrix.js";
import { hold, type Proof } from "./proof.js";

const masks = [1, 2, 4, 8, 16, 32, 64, 128, 255];

async function flips(engine: Engine, opens: number, seed: number): Promise<void> {
  const runner = await DamageRunner.make(engine, randomOf(seed));
  const all = runner.flipCount(masks);
  await runner.flips(masks, Math.max(1, Math.floor(all / opens)), () => undefined);
}

/** How a mutant was caught, in words; undefined if it survived. */
export async function huntDisk(
  mutant: DiskMutant,
  states: number,
  seed: number,
): Promise<string | undefined> {
  const engine = await loadEngine([mutant]);
  try {
    if (mutant.checker === "crashes") await crashStates(engine, states, seed);
    else if (mutant.checker === "flips") await flips(engine, states, seed);
    else await faultMatrix(engine, 1, seed, ["writeSync", "fstatSync"]);
    return undefined;
  } catch (error) {
    return String((error as Error).message).split("\n")[0];
  } finally {
    engine.remove();
  }
}

export const diskMutantsProof: Proof<"mutant" | "states" | "seed"> = {
  name: "disk-mutants",
  about: "faults put into the disk tier on purpose, each of which crashes or damage must show",
  options: { mutant: -1, states: 20_000, seed: 1 },
  async run({ mutant: only, states, seed }, say) {
    const survivors: string[] = [];
    let caught = 0;
    for (const [number, mutant] of diskMutants.entries()) {
      if (only !== -1 && only !== number) continue;
      const how = await huntDisk(mutant, states, seed);
      if (how === undefined) survivors.push(mutant.name);
      else caught += 1;
      say(`${String(number).padStart(3)} ${mutant.name.padEnd(28)} ${how ?? "SURVIVED"}`);
    }
    hold(survivors.length === 0, `${survivors.join(", ")} survived`);
    return `${caught} mutants, all caught`;
  },
};
