// Scenarios of negative answers, which must be gone after whatever ends them, and of forced loads,
// which supersede the loads that began before them. Called by scenarios.ts.

import { flagNegative } from "../../../src/record/record-layout.js";
import type { Actor } from "./actor.js";
import { deletesAndGets, each, getsTwice, type Scenario, setsAndGets } from "./scenario.js";
import { type Coroutine, until } from "./suspension.js";

/** A load that brings nothing, to be remembered. */
function findsNothing(tag: string = ""): (loader: Actor) => Coroutine<unknown> {
  return (loader) => loader.fill("a", tag, flagNegative);
}

export const answerScenarios: readonly Scenario[] = [
  {
    name: "negative-set",
    races: "R4",
    about: "a load that finds nothing, and a set of the key",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    scripts: each(findsNothing(), setsAndGets),
  },
  {
    name: "negative-delete",
    races: "R4",
    about: "a load that finds nothing, a delete of the key, and a reader",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    scripts: each(findsNothing(), deletesAndGets, getsTwice),
  },
  {
    name: "negative-unlocked",
    races: "R4",
    about: "a delete that cannot have the lock, since a negative answer is being stored under it",
    world: { threads: 4 },
    keys: ["a"],
    hasty: [1],
    bound: 2,
    scripts: (actors) => {
      let isDeleted = false;
      return each(
        findsNothing(),
        function* (deleter) {
          yield* deleter.delete("a");
          isDeleted = true;
        },
        function* (reader) {
          yield* until(() => isDeleted);
          yield* getsTwice(reader);
        },
      )(actors);
    },
  },
  {
    name: "negative-clear",
    races: "R4",
    about: "a load that finds nothing, and a clear",
    world: { threads: 3 },
    keys: ["a"],
    clears: true,
    bound: 3,
    scripts: each(findsNothing(), function* (clearer) {
      yield* clearer.clear(["a"]);
      yield* clearer.get("a");
    }),
  },
  {
    name: "negative-tag",
    races: "R4",
    about: "a load with a tag that finds nothing, and the tag is invalidated",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    scripts: each(findsNothing("t"), function* (deleter) {
      yield* deleter.deleteByTag("t", ["a"]);
      yield* deleter.get("a");
    }),
  },
  {
    name: "negative-over-value",
    races: "R6",
    about: "a refresh that finds nothing of a key that is there, and a set of it",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
    },
    scripts: each(findsNothing(), setsAndGets, getsTwice),
  },
  {
    name: "forced-load",
    races: "R4 R6",
    about: "a load of a key, and a forced one that begins later or earlier",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    scripts: each(
      function* (loader) {
        yield* loader.load("a");
        yield* loader.get("a");
      },
      function* (forcer) {
        yield* forcer.load("a", true);
        yield* forcer.get("a");
      },
    ),
  },
  {
    name: "forced-forced",
    races: "R4 R6",
    about: "two forced loads of one key, and a load that may join one of them",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    scripts: each(
      (one) => one.load("a", true),
      function* (two) {
        yield* two.load("a", true);
        yield* two.get("a");
      },
      function* (joiner) {
        yield* joiner.load("a");
        yield* joiner.get("a");
      },
    ),
  },
];
