// The mutants of the protocol still apply, and one of them is caught. The long run is `npm run
// proof -- mutants`.

import { expect, test } from "vitest";

import { Explorer } from "../../dist/test/proof/interleave/explorer.js";
import { instrument } from "../../dist/test/proof/interleave/instrumented-kernel.js";
import { mutants } from "../../dist/test/proof/interleave/mutant-table.js";
import type { Mutant } from "../../dist/test/proof/interleave/mutant.js";
import { buildMutant, mutate } from "../../dist/test/proof/interleave/mutation.js";
import { loadRooms } from "../../dist/test/proof/interleave/rooms.js";
import { scenarios } from "../../dist/test/proof/interleave/scenarios.js";

test("every mutant's text is in its source exactly once, and its scenarios exist", () => {
  expect(mutants.length).toBeGreaterThanOrEqual(20);
  const names = new Set(scenarios.map(({ name }) => name));
  for (const mutant of mutants) {
    expect(mutate(mutant)).toContain(mutant.put);
    expect(mutant.scenarios.filter((name) => !names.has(name))).toEqual([]);
  }
});

test("a mutant whose text is absent is refused", () => {
  const [first] = mutants as [Mutant, ...Mutant[]];
  expect(() => mutate({ ...first, find: "text that is nowhere" })).toThrow("has rotted");
});

test("a reader that does not validate after its copy is caught", async () => {
  const mutant = mutants.find(({ name }) => name === "copy-without-validate");
  const scenario = scenarios.find(({ name }) => name === "reclaim");
  if (mutant === undefined || scenario === undefined) throw new Error("the mutant is gone");
  const { source, remove } = await buildMutant(mutant);
  try {
    const rooms = await loadRooms(source);
    const explorer = new Explorer(rooms, instrument(rooms.kernelBytes), scenario);
    expect(explorer.draw(0, 2000).fault).toMatch(/torn|no order|another key/);
  } finally {
    remove();
  }
});
