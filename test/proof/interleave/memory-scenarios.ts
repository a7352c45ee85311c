// Scenarios of the memory tier alone. Called by scenarios.ts. The log has three segments with one
// held back. The setup fills two, so a writer empties the oldest itself; every kernel looks for a
// free segment at number 1 first.

import { deletesAndGets, each, getsTwice, type Scenario, setsAndGets } from "./scenario.js";
import { until } from "./suspension.js";

const full = { segments: 3, segmentBytes: 512 };

export const memoryScenarios: readonly Scenario[] = [
  {
    name: "overwrite",
    races: "R13",
    about: "two writers of one key and a reader",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
    },
    scripts: each(
      (one) => one.set("a"),
      (two) => two.set("a"),
      getsTwice,
    ),
  },
  {
    name: "first-sets",
    races: "R13",
    about: "two threads insert an absent key, and delete it",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    scripts: each(setsAndGets, function* (two) {
      yield* two.set("a");
      yield* two.delete("a");
      yield* two.get("a");
    }),
  },
  {
    name: "reclaim",
    races: "R1 R9",
    about: "a reader copies a record while a writer empties its segment and overwrites it",
    world: { threads: 3, ...full },
    keys: ["a", "b", "c"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
      yield* opener.set("c");
      yield* opener.seal();
    },
    scripts: each(
      (reader) => reader.get("a"),
      function* (writer) {
        yield* writer.set("b");
        yield* writer.get("a");
      },
    ),
  },
  {
    name: "reuse",
    races: "R2",
    about: "a key's slot comes to name the same offset again, in another generation of the segment",
    world: { threads: 3, ...full },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
      yield* opener.set("c");
      yield* opener.seal();
    },
    scripts: each(
      function* (reader) {
        yield* reader.get("a");
        yield* reader.getNear("a");
      },
      function* (writer) {
        yield* writer.delete("a");
        yield* writer.set("a");
        yield* writer.get("a");
      },
    ),
  },
  {
    name: "generations-come-round",
    races: "R2 R12",
    about: "a segment's generation wraps, so that the word of a near value names a new record",
    world: { threads: 3, ...full },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
      yield* opener.set("c");
      yield* opener.seal();
    },
    scripts: (actors) => {
      // Generations pass between two reads, not within one: that takes 32,768 of them.
      let stage: "first" | "near" | "later" = "first";
      return each(
        function* (reader) {
          yield* reader.getNear("a");
          stage = "near";
          yield* until(() => stage === "later");
          yield* reader.getNear("a");
          yield* reader.getNear("a");
        },
        function* (writer) {
          yield* until(() => stage === "near");
          yield* writer.delete("a");
          writer.skipGenerations(1);
          stage = "later";
          yield* writer.set("a");
        },
      )(actors);
    },
  },
  {
    name: "move-overwrite",
    races: "R3 R9",
    about: "eviction moves a record that was hit while it is written and read",
    world: { threads: 4 },
    keys: ["a", "b"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.set("b");
      yield* opener.get("a");
      yield* opener.seal();
    },
    scripts: each(
      (evictor) => evictor.evict(),
      (writer) => writer.set("a"),
      getsTwice,
    ),
  },
  {
    name: "move-delete",
    races: "R3",
    about: "eviction moves a record that was hit while it is deleted",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.get("a");
      yield* opener.seal();
    },
    scripts: each((evictor) => evictor.evict(), deletesAndGets),
  },
  {
    name: "two-evictors",
    races: "tier: two evictions",
    about: "two threads empty segments at once while a key there is written",
    world: { threads: 4 },
    keys: ["a", "b"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
      yield* opener.set("b");
      yield* opener.get("b");
      yield* opener.seal();
    },
    scripts: each(
      (one) => one.evict(),
      (two) => two.evict(),
      (writer) => writer.set("a"),
    ),
  },
  {
    name: "extended",
    races: "R8; tier: expired",
    about: "an expired entry is swept and evicted while it is written with a new time",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a", 50);
      yield* opener.seal();
    },
    scripts: each(
      (sweeper) => sweeper.sweep(100),
      (evictor) => evictor.evict(false, 100),
      setsAndGets,
    ),
  },
  {
    name: "clear",
    races: "R4",
    about: "a clear while keys are written, and read near",
    world: { threads: 4 },
    keys: ["a", "b"],
    clears: true,
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.set("b");
    },
    scripts: each(
      function* (clearer) {
        yield* clearer.clear(["a", "b"]);
        yield* clearer.get("a");
      },
      setsAndGets,
      function* (reader) {
        yield* reader.getNear("a");
        yield* reader.getNear("a");
      },
    ),
  },
  {
    name: "clear-sweep",
    races: "R3 R4",
    about: "cleared entries are swept and evicted while they are written again",
    world: { threads: 4 },
    keys: ["a"],
    clears: true,
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
    },
    scripts: each(
      function* (clearer) {
        yield* clearer.clear(["a"]);
        yield* clearer.sweep();
      },
      (writer) => writer.set("a"),
      (evictor) => evictor.evict(),
    ),
  },
  {
    name: "tag",
    races: "R4",
    about: "a tag is invalidated while a key with it is written, and read near",
    world: { threads: 4 },
    keys: ["a", "b"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a", Infinity, "t");
      yield* opener.set("b", Infinity, "u");
    },
    scripts: each(
      function* (deleter) {
        yield* deleter.deleteByTag("t", ["a"]);
        yield* deleter.get("a");
        yield* deleter.getPresent("b");
      },
      function* (writer) {
        yield* writer.set("a", Infinity, "t");
        yield* writer.get("a");
      },
      function* (reader) {
        yield* reader.getNear("a");
        yield* reader.getNear("a");
      },
    ),
  },
  {
    name: "tag-sweep",
    races: "R3 R4",
    about: "entries whose tag was invalidated are swept and evicted while they are written again",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a", Infinity, "t");
      yield* opener.get("a");
      yield* opener.seal();
    },
    scripts: each(
      function* (deleter) {
        yield* deleter.deleteByTag("t", ["a"]);
        yield* deleter.sweep();
      },
      (writer) => writer.set("a", Infinity, "t"),
      (evictor) => evictor.evict(),
    ),
  },
  {
    name: "doorbell",
    races: "R7 R12",
    about: "a janitor sleeps on the doorbell while a writer seals; the bell wraps at 2^32",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    *setUp(opener) {
      opener.word(opener.at.controlDoorbell, -1);
      yield* opener.set("a");
    },
    scripts: each(
      (janitor) => janitor.awaitSealed(2),
      function* (writer) {
        yield* writer.set("b");
        yield* writer.seal();
        yield* writer.set("c");
        yield* writer.seal();
      },
    ),
  },
  {
    name: "sealed-by-leaving",
    races: "R10",
    about: "a thread leaves while its segment is emptied and its key read",
    world: { threads: 4 },
    keys: ["a", "b"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("b");
      yield* opener.seal();
    },
    scripts: each(
      function* (leaver) {
        yield* leaver.set("a");
        yield* leaver.seal();
      },
      function* (evictor) {
        yield* evictor.evict();
        yield* evictor.evict();
      },
      (reader) => reader.get("a"),
    ),
  },
  {
    name: "blocked",
    races: "R16 R14",
    about: "a record whose lock is held keeps its segment from being freed, and nothing else",
    world: { threads: 4 },
    keys: ["a", "b"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
      yield* opener.set("b");
      yield* opener.seal();
    },
    scripts: each(
      (writer) => writer.set("a"),
      function* (evictor) {
        yield* evictor.evict();
        yield* evictor.evict();
      },
      function* (sweeper) {
        yield* sweeper.sweep();
        yield* sweeper.get("b");
      },
    ),
  },
];
