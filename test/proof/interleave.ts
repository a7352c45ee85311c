// The kernel, the memory tier, eviction, flushing and recovery under chosen schedules: threads stop
// between any two accesses to shared memory, in an order drawn from a seed, and in every order of
// few preemptions. Called by main.ts.

import { Explorer } from "./interleave/explorer.js";
import { instrument } from "./interleave/instrumented-kernel.js";
import { describeFault } from "./interleave/report.js";
import { builtPackage, loadRooms } from "./interleave/rooms.js";
import { scenarios } from "./interleave/scenarios.js";
import { hold, type Proof } from "./proof.js";

/** No number: all of them, or no particular one. */
const none = -1;

export const interleave: Proof<"scenario" | "seeds" | "schedules" | "seed" | "schedule"> = {
  name: "interleave",
  about: "threads stopped at every step, in drawn and in all orders; --seed or --schedule runs one",
  options: { scenario: none, seeds: 20_000, schedules: 100_000, seed: none, schedule: none },
  async run({ scenario: only, seeds, schedules, seed, schedule }, say) {
    hold(only === none || scenarios[only] !== undefined, `there is no scenario ${only}`);
    const rooms = await loadRooms(builtPackage);
    const kernel = instrument(rooms.kernelBytes);
    let total = 0;
    for (const [number, scenario] of scenarios.entries()) {
      if (only !== none && number !== only) continue;
      const explorer = new Explorer(rooms, kernel, scenario);
      const drawn =
        schedule === none && explorer.draw(seed === none ? 0 : seed, seed === none ? seeds : 1);
      if (drawn !== false && drawn.fault !== undefined) {
        hold(false, describeFault(explorer, number, "seed", drawn));
      }
      const limit = schedule === none ? schedules : schedule + 1;
      const walked = seed === none ? explorer.walk(scenario.bound, limit) : undefined;
      if (walked?.fault !== undefined) {
        hold(false, describeFault(explorer, number, "schedule", walked));
      }
      total += (drawn === false ? 0 : drawn.schedules) + (walked?.schedules ?? 0);
      const end = walked?.isComplete === true ? "all" : "the first";
      const words =
        `${drawn === false ? 0 : drawn.schedules} drawn, ` +
        `${end} ${walked?.schedules ?? 0} with ${scenario.bound} preemptions`;
      say(
        `${String(number).padStart(3)} ${scenario.name.padEnd(20)} ` +
          `${scenario.races.padEnd(34)} ${words}`,
      );
    }
    return `${total} schedules, no fault`;
  },
};
