// Builds every mutant of the protocol and runs it under schedules, which must catch it: a suite
// that passes with a broken protocol proves nothing. Called by main.ts.

import { Explorer } from "./interleave/explorer.js";
import { instrument } from "./interleave/instrumented-kernel.js";
import type { Mutant } from "./interleave/mutant.js";
import { mutants } from "./interleave/mutant-table.js";
import { buildMutant } from "./interleave/mutation.js";
import { loadRooms } from "./interleave/rooms.js";
import { scenarios } from "./interleave/scenarios.js";
import { hold, type Proof } from "./proof.js";

/** How the mutant was caught, in words; undefined if it survived. */
async function hunt(mutant: Mutant, seeds: number, schedules: number): Promise<string | undefined> {
  const { source, remove } = await buildMutant(mutant);
  try {
    const rooms = await loadRooms(source);
    const kernel = instrument(rooms.kernelBytes);
    for (const name of mutant.scenarios) {
      const scenario = scenarios.find((candidate) => candidate.name === name);
      hold(scenario !== undefined, `there is no scenario ${name}`);
      let explorer: Explorer;
      try {
        explorer = new Explorer(rooms, kernel, scenario);
      } catch (error) {
        return `${name}, while setting up: ${String(error).split("\n")[0]}`;
      }
      const drawn = explorer.draw(0, seeds);
      const report = drawn.fault === undefined ? explorer.walk(scenario.bound, schedules) : drawn;
      if (report.fault === undefined) continue;
      const total = (drawn.fault === undefined ? seeds : 0) + report.schedules;
      return `${name}, schedule ${total}: ${report.fault.split("\n")[0]}`;
    }
    return undefined;
  } finally {
    remove();
  }
}

export const mutantsProof: Proof<"mutant" | "seeds" | "schedules"> = {
  name: "mutants",
  about: "faults put into the protocol on purpose, each of which the schedules must show",
  options: { mutant: -1, seeds: 20_000, schedules: 20_000 },
  async run({ mutant: only, seeds, schedules }, say) {
    const survivors: string[] = [];
    let caught = 0;
    for (const [number, mutant] of mutants.entries()) {
      if (only !== -1 && only !== number) continue;
      const how = await hunt(mutant, seeds, schedules);
      if (how === undefined) survivors.push(mutant.name);
      else caught += 1;
      say(`${String(number).padStart(3)} ${mutant.name.padEnd(26)} ${how ?? "SURVIVED"}`);
    }
    hold(survivors.length === 0, `${survivors.join(", ")} survived`);
    return `${caught} mutants, all caught`;
  },
};
