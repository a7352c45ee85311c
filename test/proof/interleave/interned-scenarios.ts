// Scenarios of near values that are found without a look at their slots: a write must reach the
// threads that have the value through the invalidation log. Called by scenarios.ts. Of the gets of
// a key the first decodes, the second is counted, the third puts the value in an index, and the
// fourth finds it there. Each scenario comes twice: "interned" for the identity index, which finds
// a value by the string object, "fresh" for the trusted entries of the near table, which is found
// by a hash of the key's bytes.

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

function* set(opener: Actor): Coroutine {
  yield* opener.set("a");
}

/** What most of these scenarios need: a key that is in the cache. */
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
      about: "a key is overwritten while its near value enters the index and is found there",
      world: { threads: 3 },
      ...onA,
      scripts: each((reader) => gets(reader, 5), set),
    },
    {
      name: `${way}-delete`,
      races: "R12 R13",
      about: "two threads delete and set a key while its near value enters the index",
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
      about: "a thread with an indexed value reads nothing older than another thread has read",
      world: { threads: 4 },
      ...onA,
      scripts: (actors) => {
        let isIndexed = false;
        let isRead = false;
        return each(
          function* (one) {
            yield* gets(one, 3);
            isIndexed = true;
            yield* until(() => isRead);
            yield* one.getNear("a");
          },
          function* (two) {
            yield* until(() => isIndexed);
            yield* two.get("a");
            isRead = true;
          },
          function* (writer) {
            yield* until(() => isIndexed);
            yield* writer.set("a");
          },
        )(actors);
      },
    },
    {
      name: `${way}-noted`,
      races: "R12 R13",
      about:
        "a thread with an indexed value looks while its invalidation is numbered but not " +
        "written, and again when it is written",
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
      about:
        "a thread that does not wait for the lock of an indexed key removes it without the lock",
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
      about: "an indexed value outlives its record in memory until the key is deleted",
      world: { threads: 4 },
      keys: ["a"],
      bound: 2,
      *setUp(opener) {
        yield* opener.set("a");
        yield* opener.seal();
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
      about: "a load brings a newer value of an indexed key",
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
      about: "a clear while a near value is in the index",
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
      about: "a thread dies while it writes a key that another has indexed, and others write it",
      world: { threads: 4 },
      ...onA,
      mortal: [1],
      bound: 1,
      scripts: each((reader) => gets(reader, 5), set, set),
    },
  ];
}
