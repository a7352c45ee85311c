// Scenarios of values kept by their keys, which are found without a look at the slot: what is written has to reach who keeps
// them through the change log. Called by scenarios.ts. Of the gets of a key the first decodes, the second keeps, the third
// finds what is kept.

import type { Actor } from "./actor.js";
import { each, type Scenario } from "./scenario.js";
import { type Coroutine, until } from "./suspension.js";

function* getsKept(reader: Actor, times: number): Coroutine {
  reader.indexKeys();
  for (let time = 0; time < times; time++) yield* reader.getNear("a");
}

function* set(owner: Actor): Coroutine {
  yield* owner.set("a");
}

/** What most of these scenarios have: a key that is there. */
const onA = { keys: ["a"], bound: 2, setUp: set };

export const keptScenarios: readonly Scenario[] = [
  {
    name: "kept-set",
    races: "R12 R13",
    about: "a key is overwritten while its value is kept by it, and found there",
    world: { threads: 3 },
    ...onA,
    scripts: each((reader) => getsKept(reader, 4), set),
  },
  {
    name: "kept-delete",
    races: "R12 R13",
    about: "a key is deleted and set by two threads while its value is kept by it",
    world: { threads: 4 },
    ...onA,
    scripts: each(
      (reader) => getsKept(reader, 4),
      (one) => one.delete("a"),
      set,
    ),
  },
  {
    name: "kept-by-two",
    races: "R12 R13",
    about: "what one thread has read is not older for another that keeps the value",
    world: { threads: 4 },
    ...onA,
    scripts: (actors) => {
      let isKept = false;
      let isRead = false;
      return each(
        function* (one) {
          yield* getsKept(one, 2);
          isKept = true;
          yield* until(() => isRead);
          yield* one.getNear("a");
        },
        function* (two) {
          yield* until(() => isKept);
          yield* two.get("a");
          isRead = true;
        },
        function* (writer) {
          yield* until(() => isKept);
          yield* writer.set("a");
        },
      )(actors);
    },
  },
  {
    name: "kept-noted",
    races: "R12 R13",
    about:
      "who keeps a value looks while its change is numbered and not written, and again when it is done",
    world: { threads: 3 },
    ...onA,
    scripts: (actors) => {
      let writes: "none" | "begun" | "done" = "none";
      return each(
        function* (reader) {
          yield* getsKept(reader, 2);
          writes = "begun";
          yield* reader.getNear("a");
          yield* until(() => writes === "done");
          yield* reader.getNear("a");
        },
        function* (writer) {
          yield* until(() => writes === "begun");
          yield* writer.set("a");
          writes = "done";
        },
      )(actors);
    },
  },
  {
    name: "kept-unlocked",
    races: "R12 R14",
    about: "who has no patience with the lock of a kept key takes it away without it",
    world: { threads: 4 },
    ...onA,
    hasty: [1],
    scripts: each(
      (reader) => getsKept(reader, 4),
      function* (hasty) {
        yield* hasty.delete("a");
        yield* hasty.get("a");
      },
      set,
    ),
  },
  {
    name: "kept-evict",
    races: "R12 R9",
    about: "a kept value outlives its place in memory until the key is deleted",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    *setUp(owner) {
      yield* owner.set("a");
      yield* owner.seal();
    },
    scripts: each(
      (reader) => getsKept(reader, 4),
      (evictor) => evictor.evict(),
      (writer) => writer.delete("a"),
    ),
  },
  {
    name: "kept-fill",
    races: "R12 R4",
    about: "a load brings a newer value of a kept key",
    world: { threads: 3 },
    ...onA,
    scripts: each(
      (reader) => getsKept(reader, 4),
      (loader) => loader.fill("a"),
    ),
  },
  {
    name: "kept-clear",
    races: "R12 R4",
    about: "a clear while a value is kept by its key",
    world: { threads: 3 },
    ...onA,
    clears: true,
    scripts: each(
      (reader) => getsKept(reader, 4),
      function* (clearer) {
        yield* clearer.clear(["a"]);
        yield* clearer.set("a");
      },
    ),
  },
  {
    name: "changes-come-round",
    races: "R12",
    about: "the numbers of changes come round to the one that a thread saw last",
    world: { threads: 3 },
    ...onA,
    scripts: (actors) => {
      let changes: "first" | "kept" | "all" = "first";
      return each(
        function* (reader) {
          yield* getsKept(reader, 3);
          changes = "kept";
          yield* until(() => changes === "all");
          yield* reader.getNear("a");
          yield* reader.getNear("a");
        },
        function* (writer) {
          yield* until(() => changes === "kept");
          // As if all but two had passed unseen: the set and the delete are numbers 0 and 1, and 1 was the first set.
          writer.word(writer.at.controlChanges, -1);
          yield* writer.set("a");
          changes = "all";
          yield* writer.delete("a");
        },
      )(actors);
    },
  },
  {
    name: "kept-writer-dies",
    races: "R12 R14",
    about: "a thread dies while it writes a key that another keeps, and others write it",
    world: { threads: 4 },
    ...onA,
    mortal: [1],
    bound: 1,
    scripts: each((reader) => getsKept(reader, 4), set, set),
  },
];
