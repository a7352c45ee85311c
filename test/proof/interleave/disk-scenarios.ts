// Scenarios with a disk tier: flushing, demotion, promotion and reclaim against writers and
// readers, and what the next session would find. Called by scenarios.ts.

import type { Actor } from "./actor.js";
import { deletesAndGets, each, type Scenario, setsAndGets } from "./scenario.js";
import type { Coroutine } from "./suspension.js";

const disk = { diskSegments: 4 };

/** "a" is in a sealed segment and on disk. */
function* flushed(opener: Actor): Coroutine {
  yield* opener.set("a");
  yield* opener.seal();
  yield* opener.flush();
}

/** "a" and "c" are in sealed segments of a log that has no third for a writer. */
function* twoSealed(opener: Actor): Coroutine {
  yield* opener.set("a");
  yield* opener.seal();
  yield* opener.set("c");
  yield* opener.seal();
}

/** "a" is on disk only. */
function* demoted(opener: Actor): Coroutine {
  yield* flushed(opener);
  yield* opener.evict();
}

/** "a" is on disk only and was hit there. */
function* hitOnDisk(opener: Actor): Coroutine {
  yield* demoted(opener);
  yield* opener.get("a");
}

export const diskScenarios: readonly Scenario[] = [
  {
    name: "flush-set",
    races: "R3; tier: eviction put vs insert",
    about: "a record is flushed while its key is written",
    world: { threads: 3, ...disk },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
    },
    scripts: each((janitor) => janitor.flush(), setsAndGets),
  },
  {
    name: "flush-delete",
    races: "R3; tier: eviction put vs delete",
    about: "a record is flushed while its key is deleted, and must not come back",
    world: { threads: 3, ...disk },
    keys: ["a", "b"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.set("b");
      yield* opener.seal();
    },
    scripts: each((janitor) => janitor.flush(), deletesAndGets),
  },
  {
    name: "flush-evict",
    races: "R1 R5; tier: eviction put vs get",
    about: "a segment is flushed and emptied at once while its key is read; it must not miss",
    world: { threads: 4, ...disk },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
    },
    scripts: each(
      (janitor) => janitor.flush(),
      function* (evictor) {
        yield* evictor.evict();
        yield* evictor.evict();
      },
      (reader) => reader.get("a"),
    ),
  },
  {
    name: "flush-reuse",
    races: "R1 R2",
    about:
      "a writer without room empties the segment that is being flushed, and writes there again",
    world: { threads: 3, segments: 3, ...disk },
    keys: ["a", "b"],
    bound: 2,
    setUp: twoSealed,
    scripts: each(
      (janitor) => janitor.flush(),
      function* (writer) {
        yield* writer.set("b");
        yield* writer.delete("b");
        yield* writer.set("b");
      },
    ),
  },
  {
    name: "flush-fails",
    races: "tier: put rejected",
    about: "a batch cannot be written while its key is deleted",
    world: { threads: 3, ...disk },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
    },
    scripts: each(
      (janitor) => janitor.flush(true),
      function* (deleter) {
        yield* deleter.delete("a");
        yield* deleter.set("a");
      },
    ),
  },
  {
    name: "demote-delete",
    races: "R5; tier: delete vs eviction",
    about: "an entry is demoted while it is deleted and read",
    world: { threads: 4, ...disk },
    keys: ["a"],
    bound: 2,
    setUp: flushed,
    scripts: each(
      (evictor) => evictor.evict(),
      deletesAndGets,
      (reader) => reader.get("a"),
    ),
  },
  {
    name: "demote-set",
    races: "R5",
    about: "an entry is demoted while it is written",
    world: { threads: 3, ...disk },
    keys: ["a"],
    bound: 3,
    setUp: flushed,
    scripts: each((evictor) => evictor.evict(), setsAndGets),
  },
  {
    name: "demote-waits",
    races: "R5 R16",
    about: "eviction meets the lock of another key of the bucket, and then the key is deleted",
    world: { threads: 4, ...disk },
    keys: ["a"],
    hasty: [1],
    bound: 2,
    setUp: flushed,
    scripts: each(
      function* (other) {
        yield* other.delete(yield* other.neighbourOf("a"));
      },
      (evictor) => evictor.evict(),
      deletesAndGets,
    ),
  },
  {
    name: "promote-delete",
    races: "R4; tier: fill vs delete",
    about: "an entry is promoted while it is deleted",
    world: { threads: 3, ...disk },
    keys: ["a"],
    bound: 2,
    setUp: hitOnDisk,
    scripts: each((reader) => reader.get("a"), deletesAndGets),
  },
  {
    name: "promote-set",
    races: "R4; tier: fill vs insert",
    about: "an entry is promoted while it is written",
    world: { threads: 3, ...disk },
    keys: ["a"],
    bound: 2,
    setUp: hitOnDisk,
    scripts: each((reader) => reader.get("a"), setsAndGets),
  },
  {
    name: "promote-promote",
    races: "tier: get vs get",
    about: "two threads promote an entry, and a third deletes it",
    world: { threads: 4, ...disk },
    keys: ["a"],
    bound: 2,
    setUp: hitOnDisk,
    scripts: each(
      (one) => one.get("a"),
      (two) => two.get("a"),
      (deleter) => deleter.delete("a"),
    ),
  },
  {
    name: "reclaim-read",
    races: "R15 R2",
    about:
      "a record is read on disk while its segment file is reclaimed and begins a new generation",
    world: { threads: 3, ...disk },
    keys: ["a", "b"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("b");
      yield* demoted(opener);
    },
    scripts: each(
      function* (reader) {
        yield* reader.get("a");
        yield* reader.get("b");
      },
      (janitor) => janitor.reclaim(0),
    ),
  },
  {
    name: "reclaim-delete",
    races: "R15; tier: delete vs eviction",
    about: "a record that was hit is written again at reclaim while its key is deleted",
    world: { threads: 3, ...disk },
    keys: ["a"],
    bound: 2,
    setUp: hitOnDisk,
    scripts: each((janitor) => janitor.reclaim(0), deletesAndGets),
  },
  {
    name: "reclaim-set",
    races: "R15",
    about: "a segment file is reclaimed while a key in it, in memory too, is written",
    world: { threads: 3, ...disk },
    keys: ["a"],
    bound: 2,
    setUp: flushed,
    scripts: each((janitor) => janitor.reclaim(0), setsAndGets),
  },
  {
    name: "reclaim-promote",
    races: "tier: fill vs flash evict",
    about: "an entry is promoted while its segment file is reclaimed",
    world: { threads: 4, ...disk },
    keys: ["a"],
    bound: 2,
    setUp: hitOnDisk,
    scripts: each(
      (reader) => reader.get("a"),
      (janitor) => janitor.reclaim(0),
      (deleter) => deleter.delete("a"),
    ),
  },
];
