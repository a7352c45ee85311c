// Scenarios of full buckets: displaced entries, and the count of them. Called by scenarios.ts.

import { each, homedIn0, homedIn1, type Scenario } from "./scenario.js";

export const indexScenarios: readonly Scenario[] = [
  {
    name: "full-index",
    races: "R13",
    about:
      "inserts of two homes want the last empty slot: displaced entries, victims of another home",
    world: { threads: 4, buckets: 2, segments: 8 },
    keys: ["a", "b", "o", "p", "r"],
    bound: 1,
    *setUp(opener) {
      for (const key of homedIn1.slice(0, 9) + homedIn0.slice(0, 4)) yield* opener.set(key);
      yield* opener.holdDisplaced("a", 4);
    },
    scripts: each(
      function* (one) {
        yield* one.set("r");
        yield* one.set("u");
      },
      function* (two) {
        yield* two.set("p");
        yield* two.delete("b");
      },
      function* (reader) {
        yield* reader.get("a");
        yield* reader.get("o");
      },
    ),
  },
  {
    name: "displaced",
    races: "R13",
    about: "a displaced entry is written and deleted while it is read",
    world: { threads: 3, buckets: 2, segments: 8 },
    keys: ["a", "h", "o"],
    bound: 2,
    *setUp(opener) {
      for (const key of `${homedIn1.slice(0, 5)}o`) yield* opener.set(key);
      yield* opener.holdDisplaced("o", 1);
    },
    scripts: each(
      function* (one) {
        yield* one.set("o");
        yield* one.delete("o");
        yield* one.set("o");
      },
      function* (two) {
        yield* two.get("o");
        yield* two.delete("h");
        yield* two.set("h");
      },
    ),
  },
  {
    name: "displaced-comes-and-goes",
    races: "R13",
    about: "a bucket's count of displaced entries changes while one of them is looked up",
    world: { threads: 4, buckets: 2, segments: 8 },
    keys: ["o", "q"],
    bound: 2,
    *setUp(opener) {
      for (const key of `${homedIn1.slice(0, 5)}o`) yield* opener.set(key);
      yield* opener.holdDisplaced("o", 1);
    },
    scripts: each(
      function* (one) {
        yield* one.set("q");
        yield* one.delete("q");
      },
      function* (two) {
        yield* two.set("r");
        yield* two.delete("r");
      },
      // Nobody removes "o": it must not even miss.
      function* (reader) {
        yield* reader.getPresent("o");
        yield* reader.get("q");
        yield* reader.getPresent("o");
      },
    ),
  },
];
