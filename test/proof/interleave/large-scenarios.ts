// Scenarios of values in chunks: they are written, overwritten, read, evicted and left behind, and
// never half there. Called by scenarios.ts. A segment of 512 bytes has room for four chunks, and a
// value has three.

import { each, type Scenario } from "./scenario.js";

/** Only a whole value is answered: with the version of its head. */
const world = { buckets: 4, segments: 8, segmentBytes: 512 };

export const largeScenarios: readonly Scenario[] = [
  {
    name: "large-overwrite",
    races: "R13 R9",
    about: "two writers of one value in chunks, and a reader",
    world: { threads: 4, ...world },
    keys: ["a"],
    leavesNothing: true,
    bound: 1,
    *setUp(opener) {
      yield* opener.setLarge("a");
    },
    scripts: each(
      (one) => one.setLarge("a"),
      (two) => two.set("a"),
      function* (reader) {
        yield* reader.get("a");
        yield* reader.get("a");
      },
    ),
  },
  {
    name: "large-evict",
    races: "R1 R3 R9",
    about: "a value in chunks is evicted while it is read and overwritten",
    world: { threads: 4, ...world },
    keys: ["a", "b"],
    leavesNothing: true,
    bound: 1,
    *setUp(opener) {
      yield* opener.set("b");
      yield* opener.setLarge("a");
      yield* opener.seal();
    },
    scripts: each(
      (evictor) => evictor.evict(),
      (reader) => reader.get("a"),
      (writer) => writer.setLarge("a"),
    ),
  },
  {
    name: "large-kept",
    races: "R3",
    about: "two threads evict the parts of a value that was hit; it stays, or it goes whole",
    world: { threads: 4, ...world },
    keys: ["a"],
    leavesNothing: true,
    bound: 1,
    *setUp(opener) {
      // Its first chunks are in one segment, the last and the head in another.
      for (const key of "bc") yield* opener.set(key);
      yield* opener.setLarge("a");
      yield* opener.get("a");
      yield* opener.seal();
    },
    scripts: each(
      function* (one) {
        yield* one.evict();
        yield* one.evict();
      },
      function* (two) {
        yield* two.evict();
        yield* two.get("a");
      },
      (deleter) => deleter.delete("a"),
    ),
  },
  {
    name: "large-unfinished",
    races: "R1 R3",
    about: "segments are emptied while a value is written into them",
    world: { threads: 3, ...world },
    keys: ["a", "b"],
    leavesNothing: true,
    bound: 2,
    *setUp(opener) {
      yield* opener.setLarge("a");
      yield* opener.seal();
    },
    scripts: each(
      function* (writer) {
        // The second begins in what the first has left of a segment, which is sealed before it
        // ends.
        yield* writer.setLarge("b");
        yield* writer.setLarge("a");
        yield* writer.seal();
        yield* writer.get("a");
      },
      function* (evictor) {
        yield* evictor.evict();
        yield* evictor.evict();
        yield* evictor.get("a");
      },
    ),
  },
  {
    name: "large-writer-dies",
    races: "R14",
    about: "a thread dies while it writes a value in chunks; nothing of it is read, nor stays",
    world: { threads: 3, ...world },
    keys: ["a", "b"],
    mortal: [0],
    leavesNothing: true,
    bound: 1,
    *setUp(opener) {
      yield* opener.setLarge("a");
      yield* opener.seal();
    },
    scripts: each(
      function* (dying) {
        yield* dying.setLarge("b");
        yield* dying.setLarge("a");
      },
      function* (other) {
        yield* other.evict();
        yield* other.get("a");
      },
    ),
  },
];
