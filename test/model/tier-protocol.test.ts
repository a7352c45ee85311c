// Every order of up to six events for two hosts and one tier; and each rule of the protocol is
// needed.
import { expect, test } from "vitest";
import { type Explored, explore, starts } from "./tier-exploration.js";
import { mutants } from "./tier-mutants.js";
import { Protocol } from "./tier-protocol.js";

const { warm, cold, busy } = starts();
const timeout = 300_000;

const fromBusy = (protocol: Protocol): Explored => explore(protocol, [busy], 5);
const fromQuiet = (protocol: Protocol): Explored => explore(protocol, [warm, cold], 6);

test.each([
  ["quiet hosts", fromQuiet, 200_000],
  ["a host that is in the midst of a set", fromBusy, 20_000],
])("no order of events from %s leaves or answers what is old", { timeout }, (_, run, least) => {
  const { states, fault } = run(new Protocol());
  expect(fault).toBeUndefined();
  expect(states).toBeGreaterThan(least);
});

test.each(mutants)("is wrong if %s", { timeout }, (mutant) => {
  const protocol = new Protocol(mutant);
  const fault = fromBusy(protocol).fault ?? fromQuiet(protocol).fault;
  expect(fault?.what).toMatch(/^host|is left in the end/);
});
