// Scenarios of fills: loads that must not overwrite what was written, deleted or cleared since they
// began. Called by scenarios.ts.

import { deletesAndGets, each, getsTwice, type Scenario, setsAndGets } from "./scenario.js";
import { until } from "./suspension.js";

export const fillScenarios: readonly Scenario[] = [
  {
    name: "fill-set",
    races: "R4; tier: fill vs insert",
    about: "a load and a set of one key",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    scripts: each((filler) => filler.fill("a"), setsAndGets),
  },
  {
    name: "fill-delete",
    races: "R4; tier: fill vs delete",
    about: "a load and a delete of one key, and a reader",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    scripts: each((filler) => filler.fill("a"), deletesAndGets, getsTwice),
  },
  {
    name: "fill-unlocked",
    races: "R4",
    about: "a delete cannot take the lock because a load is being published under it; then a read",
    world: { threads: 4 },
    keys: ["a"],
    hasty: [1],
    bound: 2,
    scripts: (actors) => {
      let isDeleted = false;
      return each(
        (filler) => filler.fill("a"),
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
    name: "refresh-delete",
    races: "R6",
    about: "a refresh of an existing key, and a delete of it",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    *setUp(opener) {
      yield* opener.set("a");
    },
    scripts: each((filler) => filler.fill("a"), deletesAndGets),
  },
  {
    name: "fill-fill",
    races: "R4",
    about: "two loads of one key and a delete",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    scripts: each(
      (one) => one.fill("a"),
      (two) => two.fill("a"),
      deletesAndGets,
    ),
  },
  {
    name: "fill-clear",
    races: "R4",
    about: "a load and a clear",
    world: { threads: 3 },
    keys: ["a"],
    clears: true,
    bound: 3,
    scripts: each(
      (filler) => filler.fill("a"),
      function* (clearer) {
        yield* clearer.clear(["a"]);
        yield* clearer.get("a");
      },
    ),
  },
  {
    name: "fill-tag",
    races: "R4",
    about: "a load whose value has a tag, and the tag is invalidated",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    scripts: each(
      (filler) => filler.fill("a", "t"),
      function* (deleter) {
        yield* deleter.deleteByTag("t", ["a"]);
        yield* deleter.get("a");
      },
    ),
  },
  {
    name: "fill-flight-reused",
    races: "R4 R2",
    about:
      "a flight's number is used again by a later load of the key while a delete supersedes it",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    scripts: each(
      function* (one) {
        yield* one.fill("a");
        yield* one.fill("a");
      },
      (two) => two.fill("a"),
      deletesAndGets,
    ),
  },
  {
    name: "join",
    races: "R7 R4",
    about: "three threads want the same load, and a delete; the waiters are woken",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    scripts: each(
      (one) => one.load("a"),
      function* (two) {
        yield* two.load("a");
        yield* two.get("a");
      },
      function* (deleter) {
        yield* deleter.delete("a");
        yield* deleter.load("a");
      },
    ),
  },
  {
    name: "fill-evict",
    races: "R3 R4",
    about: "a load and a set of a key whose segment is emptied",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
    },
    scripts: each(
      (filler) => filler.fill("a"),
      (writer) => writer.set("a"),
      (evictor) => evictor.evict(),
    ),
  },
];
