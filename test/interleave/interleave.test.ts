// The CI share of `npm run proof -- interleave`: every scenario under a few hundred schedules.

import { describe, expect, test } from "vitest";

import { Explorer } from "../../dist/test/proof/interleave/explorer.js";
import { instrument } from "../../dist/test/proof/interleave/instrumented-kernel.js";
import { describeFault } from "../../dist/test/proof/interleave/report.js";
import { builtPackage, loadRooms } from "../../dist/test/proof/interleave/rooms.js";
import { scenarios } from "../../dist/test/proof/interleave/scenarios.js";

const rooms = await loadRooms(builtPackage);
const kernel = instrument(rooms.kernelBytes);

describe("threads stopped between any two steps", () => {
  test.each(scenarios.map((scenario, number) => [scenario.name, number] as const))(
    "%s",
    (_name, number) => {
      const scenario = scenarios[number];
      if (scenario === undefined) throw new Error(`there is no scenario ${number}`);
      const explorer = new Explorer(rooms, kernel, scenario);
      const drawn = explorer.draw(0, 200);
      const walked = explorer.walk(scenario.bound, 300);
      const fault = (kind: "seed" | "schedule", report: typeof drawn): string | undefined =>
        report.fault === undefined ? undefined : describeFault(explorer, number, kind, report);
      expect(fault("seed", drawn)).toBeUndefined();
      expect(fault("schedule", walked)).toBeUndefined();
      // It was a race: threads were stopped where others use the same words.
      expect(explorer.asked).toBeGreaterThan(10);
    },
  );

  test("a schedule runs the same each time", () => {
    const scenario = scenarios.find(({ name }) => name === "move-overwrite");
    if (scenario === undefined) throw new Error("the scenario is absent");
    const traces = [0, 1].map(() => {
      const steps: Parameters<Explorer["seeded"]>[1] = [];
      const explorer = new Explorer(rooms, kernel, scenario);
      explorer.draw(0, 5);
      explorer.seeded(77, steps);
      return explorer.trace(steps);
    });
    expect(traces[0]?.length).toBeGreaterThan(50);
    expect(traces[1]).toEqual(traces[0]);
  });
});
