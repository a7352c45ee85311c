// Scenarios of values kept by their keys, which are found without a look at the slot: what is written has to reach who keeps
// them through the change log. Called by scenarios.ts. Of the gets of a key the first decodes, the second is counted, the third
// keeps, the fourth finds what is kept. Each comes twice: "interned" by the very string, "fresh" by the hash of the key's bytes.

import type { Actor } from "./actor.js";
import { each, type Scenario } from "./scenario.js";
import { type Coroutine, until } from "./suspension.js";

type Way = "interned" | "fresh";

type Gets = (reader: Actor, times: number) => Coroutine;

function getsBy(way: Way): Gets {
  return function* (reader, times) {
    if (way === "interned") reader.indexKeys();
    for (let time = 0; time < times; time++) yield* reader.getNear("a");
  };
}

function* set(owner: Actor): Coroutine {
  yield* owner.set("a");
}

/** What most of these scenarios have: a key that is there. */
const onA = { keys: ["a"], bound: 2, setUp: set };

export const internedScenarios: readonly Scenario[] = (["interned", "fresh"] as const).flatMap(
  (way) => [...whileOthersWrite(way, getsBy(way)), ...whileItGoes(way, getsBy(way))],
);

/** Scenarios in which another thread writes the key. */
function whileOthersWrite(way: Way, gets: Gets): Scenario[] {
  return [
    {
      name: `${way}-set`,
      races: "R12 R13",
      about: "a key is overwritten while its value is kept by it, and found there",
      world: { threads: 3 },
      ...onA,
      scripts: each((reader) => gets(reader, 5), set),
    },
    {
      name: `${way}-delete`,
      races: "R12 R13",
      about: "a key is deleted and set by two threads while its value is kept by it",
      world: { threads: 4 },
      ...onA,
      scripts: each(
        (reader) => gets(reader, 5),
        (one) => one.delete("a"),
        set,
      ),
    },
    {
      name: `${way}-by-two`,
      races: "R12 R13",
      about: "what one thread has read is not older for another that keeps the value",
      world: { threads: 4 },
      ...onA,
      scripts: (actors) => {
        let isKept = false;
        let isRead = false;
        return each(
          function* (one) {
            yield* gets(one, 3);
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
      name: `${way}-noted`,
      races: "R12 R13",
      about:
        "who keeps a value looks while its change is numbered and not written, and again when it is done",
      world: { threads: 3 },
      ...onA,
      scripts: (actors) => {
        let writes: "none" | "begun" | "done" = "none";
        return each(
          function* (reader) {
            yield* gets(reader, 3);
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
  ];
}

/** Scenarios in which the key's entry leaves in another way, or a writer does. */
function whileItGoes(way: Way, gets: Gets): Scenario[] {
  return [
    {
      name: `${way}-unlocked`,
      races: "R12 R14",
      about: "who has no patience with the lock of a kept key takes it away without it",
      world: { threads: 4 },
      ...onA,
      hasty: [1],
      scripts: each(
        (reader) => gets(reader, 5),
        function* (hasty) {
          yield* hasty.delete("a");
          yield* hasty.get("a");
        },
        set,
      ),
    },
    {
      name: `${way}-evict`,
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
        (reader) => gets(reader, 5),
        (evictor) => evictor.evict(),
        (writer) => writer.delete("a"),
      ),
    },
    {
      name: `${way}-fill`,
      races: "R12 R4",
      about: "a load brings a newer value of a kept key",
      world: { threads: 3 },
      ...onA,
      scripts: each(
        (reader) => gets(reader, 5),
        (loader) => loader.fill("a"),
      ),
    },
    {
      name: `${way}-clear`,
      races: "R12 R4",
      about: "a clear while a value is kept by its key",
      world: { threads: 3 },
      ...onA,
      clears: true,
      scripts: each(
        (reader) => gets(reader, 5),
        function* (clearer) {
          yield* clearer.clear(["a"]);
          yield* clearer.set("a");
        },
      ),
    },
    {
      name: `${way}-writer-dies`,
      races: "R12 R14",
      about: "a thread dies while it writes a key that another keeps, and others write it",
      world: { threads: 4 },
      ...onA,
      mortal: [1],
      bound: 1,
      scripts: each((reader) => gets(reader, 5), set, set),
    },
  ];
}
