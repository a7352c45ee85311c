// Every order of up to six events for two hosts and one tier; and each rule of the protocol is
// needed.
import { expect, test } from "vitest";
import { explore, mutants, Protocol } from "./tier-protocol.js";

test("no order of events leaves or answers what is old", { timeout: 300_000 }, () => {
  const { states, fault } = explore(new Protocol(), 6);
  expect(fault).toBeUndefined();
  expect(states).toBeGreaterThan(100_000);
});

test.each(mutants)("is wrong if %s", { timeout: 300_000 }, (mutant) => {
  const { fault } = explore(new Protocol(mutant), 6);
  expect(fault?.what).toMatch(/^host|is left in the end/);
});
