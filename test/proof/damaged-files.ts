// Damaged, hostile and planted files: each byte of a directory changed, and files that nobody wrote
// so. Called by main.ts and, in its CI share, by a test.
import { randomOf } from "../crash/entry-value.js";
import { DamageRunner } from "./disk/damage-runner.js";
import { loadEngine } from "./disk/engine.js";
import { Fault, type Proof } from "./proof.js";

const tellEveryMs = 10_000;

export const damagedFilesProof: Proof<"inputs" | "step" | "seed"> = {
  name: "damaged-files",
  about: "no byte that changes, and no file that somebody plants, makes an answer wrong",
  options: { inputs: 1_000_000, step: 1, seed: 1 },
  async run({ inputs, step, seed }, say) {
    const engine = await loadEngine();
    let toldMs = performance.now();
    const started = toldMs;
    try {
      const runner = await DamageRunner.make(engine, randomOf(seed));
      const { account } = runner;
      const tell = (): void => {
        if (performance.now() - toldMs < tellEveryMs) return;
        toldMs = performance.now();
        say(`${account.opens} opens`);
      };
      await runner.flips([1, 2, 4, 8, 16, 32, 64, 128, 255], step, tell);
      const flips = account.opens;
      for (let input = 0; input < inputs; input++) {
        await runner.hurt();
        tell();
      }
      const rate = Math.round(account.opens / ((performance.now() - started) / 1000));
      return (
        `${flips} bytes changed, ${inputs} hostile directories (${account.refused} refused), ` +
        `${account.hits} hits, none wrong; ${rate} a second`
      );
    } catch (error) {
      throw new Fault(`--seed ${seed}: ${String((error as Error).message)}`);
    } finally {
      engine.remove();
    }
  },
};
