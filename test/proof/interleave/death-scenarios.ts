// Scenarios in which a thread dies at any step and the opener recovers what it left, while others
// go on. Called by scenarios.ts.

import type { Actor } from "./actor.js";
import {
  deletesAndGets,
  each,
  homedIn0,
  homedIn1,
  rivalOfA,
  type Scenario,
  setsAndGets,
} from "./scenario.js";
import type { Coroutine } from "./suspension.js";

const disk = { diskSegments: 4 };

function* flushed(opener: Actor): Coroutine {
  yield* opener.set("a");
  yield* opener.seal();
  yield* opener.flush();
}

export const deathScenarios: readonly Scenario[] = [
  {
    name: "writer-dies",
    races: "R14",
    about: "a writer dies while another writes the key",
    world: { threads: 3 },
    keys: ["a"],
    mortal: [0],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
    },
    scripts: each((dying) => dying.set("a"), setsAndGets),
  },
  {
    name: "inserter-dies",
    races: "R14 R13",
    about: "a thread dies while it inserts into full buckets",
    world: { threads: 3, buckets: 2, segments: 8 },
    keys: ["a", "b", "c"],
    mortal: [0],
    bound: 1,
    *setUp(opener) {
      for (const key of homedIn1.slice(0, 7) + homedIn0.slice(0, 6)) yield* opener.set(key);
    },
    scripts: each(function* (dying) {
      yield* dying.set("n");
      yield* dying.set("o");
      yield* dying.delete("b");
    }, setsAndGets),
  },
  {
    name: "displacer-dies",
    races: "R14 R13",
    about: "a thread dies while it displaces an entry, and while it removes one",
    world: { threads: 3, buckets: 2, segments: 8 },
    keys: ["o", "q"],
    mortal: [0],
    bound: 2,
    *setUp(opener) {
      for (const key of homedIn1.slice(0, 7)) yield* opener.set(key);
    },
    scripts: each(
      function* (dying) {
        yield* dying.set("o");
        yield* dying.delete("o");
      },
      function* (other) {
        yield* other.set("q");
        yield* other.get("o");
      },
    ),
  },
  {
    name: "deleter-dies",
    races: "R14",
    about: "a thread dies while it deletes a key",
    world: { threads: 3 },
    keys: ["a"],
    mortal: [0],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
    },
    scripts: each((dying) => dying.delete("a"), setsAndGets),
  },
  {
    name: "evictor-dies",
    races: "R14 R1",
    about: "a thread dies while it empties a segment; its claim is released",
    world: { threads: 3 },
    keys: ["a", "b"],
    mortal: [0],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.set("b");
      yield* opener.get("b");
      yield* opener.seal();
    },
    scripts: each(
      (dying) => dying.evict(),
      function* (writer) {
        yield* writer.set("a");
        yield* writer.get("b");
      },
    ),
  },
  {
    name: "filler-dies",
    races: "R14 R4",
    about: "a thread dies during a load; its flight ends",
    world: { threads: 3 },
    keys: ["a"],
    mortal: [0],
    bound: 2,
    scripts: each(
      (dying) => dying.fill("a"),
      function* (other) {
        yield* other.fill("a");
        yield* other.delete("a");
        yield* other.get("a");
      },
    ),
  },
  {
    name: "leader-dies",
    races: "R14 R7",
    about: "the thread whose load others wait for dies; they are woken",
    world: { threads: 4 },
    keys: ["a"],
    mortal: [0],
    bound: 1,
    scripts: each(
      (dying) => dying.load("a"),
      (two) => two.load("a"),
      (three) => three.load("a"),
    ),
  },
  {
    name: "disk-deleter-dies",
    races: "R14; tier: delete failure",
    about: "a thread dies while it deletes a key that is on disk; the tombstone is written for it",
    world: { threads: 3, ...disk },
    keys: ["a"],
    mortal: [0],
    bound: 2,
    setUp: flushed,
    scripts: each(
      (dying) => dying.delete("a"),
      function* (writer) {
        yield* writer.get("a");
        yield* writer.set("a");
      },
    ),
  },
  {
    name: "demoter-dies",
    races: "R14 R5",
    about: "a thread dies while it demotes an entry whose class has another on disk",
    world: { threads: 3, ...disk },
    keys: ["a", rivalOfA],
    mortal: [0],
    bound: 2,
    *setUp(opener) {
      yield* opener.holdRivals("a", rivalOfA);
      yield* opener.set(rivalOfA);
      yield* opener.seal();
      yield* opener.set("a");
      yield* opener.seal();
      yield* opener.flush();
      yield* opener.evict();
    },
    scripts: each(function* (dying) {
      yield* dying.evict();
      yield* dying.evict();
    }, deletesAndGets),
  },
];
