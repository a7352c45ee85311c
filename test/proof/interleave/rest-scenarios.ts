// Scenarios of the janitor's sleep: it sleeps until something changes, and knows when the next
// entry ends. Here it has no timeout, so a change that does not wake it, or a deadline that it does
// not learn, leaves it asleep for good. Called by scenarios.ts.

import { each, type Scenario } from "./scenario.js";

export const restScenarios: readonly Scenario[] = [
  {
    name: "rest",
    races: "R7 R12",
    about: "a janitor falls asleep until something changes while two threads write",
    world: { threads: 4 },
    keys: ["a", "b"],
    bound: 3,
    scripts: each(
      (janitor) => janitor.awaitSequence(2n),
      (writer) => writer.set("a"),
      (other) => other.set("b"),
    ),
  },
  {
    name: "rest-deadline",
    races: "R7 R12",
    about: "an entry with a deadline comes while a janitor looks for the soonest one",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    scripts: each(
      (janitor) => janitor.awaitDeadline(5000),
      (writer) => writer.set("a", 5000),
    ),
  },
  {
    name: "rest-replaced",
    races: "R7 R12",
    about: "the same, where the entry has replaced one that ends later, and a third ends sooner",
    world: { threads: 4 },
    keys: ["a", "b"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a", 9000);
    },
    scripts: each(
      (janitor) => janitor.awaitDeadline(4000),
      (writer) => writer.set("a", 5000),
      (other) => other.set("b", 4000),
    ),
  },
];
