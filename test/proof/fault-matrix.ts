// Every call to the file system fails in every way at every phase. Called by main.ts and, in its CI
// share, by a test.
import { randomOf } from "../crash/entry-value.js";
import { type Engine, loadEngine } from "./disk/engine.js";
import { faultCells, runCell } from "./disk/fault-matrix.js";
import { type FailingCall, failingCalls } from "./disk/faulty-files.js";
import { Fault, type Proof } from "./proof.js";

/** Runs every `step`th cell, beginning with one that the seed says; answers what was done. */
export async function faultMatrix(
  engine: Engine,
  step: number,
  seed: number,
  calls: readonly FailingCall[] = failingCalls,
): Promise<{ readonly cells: number; readonly failed: number }> {
  let [cells, failed] = [0, 0];
  for (const [number, cell] of faultCells().entries()) {
    if ((number + seed) % step !== 0 || !calls.includes(cell.call)) continue;
    const random = randomOf(seed * 100_000 + number);
    engine.seed(random);
    try {
      if ((await runCell(engine, random, cell)) > 0) failed += 1;
    } catch (error) {
      throw new Fault(`--seed ${seed}, cell ${number}: ${(error as Error).message}`);
    }
    cells += 1;
  }
  return { cells, failed };
}

export const faultMatrixProof: Proof<"rounds" | "seed"> = {
  name: "fault-matrix",
  about: "whatever call to the file system fails, the cache stays right, says so and comes back",
  options: { rounds: 20, seed: 1 },
  async run({ rounds, seed }, say) {
    const engine = await loadEngine();
    let [cells, failed] = [0, 0];
    try {
      for (let round = 0; round < rounds; round++) {
        const done = await faultMatrix(engine, 1, seed + round);
        cells += done.cells;
        failed += done.failed;
        say(`${cells} cells, in ${failed} of which a call failed`);
      }
      return `${cells} cells, in ${failed} of which a call failed`;
    } finally {
      engine.remove();
    }
  },
};
