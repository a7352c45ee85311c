// Scenarios of the tag table: tags are invalidated, swept and forgotten while what they void is
// read, written, moved, demoted and promoted. Called by scenarios.ts. The table has two buckets,
// and a sweep begins at four tags.

import type { Actor } from "./actor.js";
import { each, type Scenario } from "./scenario.js";
import { type Coroutine, pause, until } from "./suspension.js";

const disk = { diskSegments: 4 };

/** So many that the next tag makes a sweep due. */
function* nearlyDue(opener: Actor): Coroutine {
  for (const tag of ["x", "y", "z"]) yield* opener.deleteByTag(tag, []);
}

/** "a" has the tag and was hit. */
function* tagged(opener: Actor): Coroutine {
  yield* nearlyDue(opener);
  yield* opener.set("a", Infinity, "t");
  yield* opener.set("b", Infinity, "u");
  yield* opener.get("a");
  yield* opener.seal();
}

function* flushed(opener: Actor): Coroutine {
  yield* nearlyDue(opener);
  yield* opener.set("a", Infinity, "t");
  yield* opener.seal();
  yield* opener.flush();
}

function* hitOnDisk(opener: Actor): Coroutine {
  yield* flushed(opener);
  yield* opener.evict();
  yield* opener.get("a");
}

/** Every slot of the table is taken, the oldest by the tag of "a". */
function* fullTable(opener: Actor): Coroutine {
  yield* opener.set("a", Infinity, "x0");
  for (let tag = 0; tag < 14; tag++) yield* opener.deleteByTag(`x${tag}`, tag === 0 ? ["a"] : []);
}

function* deletesTag(actor: Actor): Coroutine {
  yield* actor.deleteByTag("t", ["a"]);
  yield* actor.get("a");
  yield* actor.get("a");
}

function* forgets(janitor: Actor): Coroutine {
  yield* janitor.forgetTags();
  yield* janitor.forgetTags();
}

export const tagScenarios: readonly Scenario[] = [
  {
    name: "tag-forget",
    races: "R4",
    about: "a tag is invalidated and forgotten while a key with it is read",
    world: { threads: 4 },
    keys: ["a", "b"],
    bound: 2,
    setUp: tagged,
    scripts: each(deletesTag, forgets, function* (reader) {
      yield* reader.getNear("a");
      yield* reader.getNear("a");
      yield* reader.getPresent("b");
    }),
  },
  {
    name: "tag-forget-set",
    races: "R4",
    about: "a tag is invalidated and forgotten while a key with it is written",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    setUp: tagged,
    scripts: each(deletesTag, forgets, function* (writer) {
      yield* writer.set("a", Infinity, "t");
      yield* writer.get("a");
    }),
  },
  {
    name: "tag-forget-fill",
    races: "R4",
    about: "a tag is invalidated and forgotten during a load whose value has it",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    setUp: nearlyDue,
    scripts: each(deletesTag, forgets, (filler) => filler.fill("a", "t")),
  },
  {
    name: "tag-filled-between",
    races: "R4",
    about: "a load is published between the two sequences of an invalidation, and a sweep begins",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    setUp: nearlyDue,
    scripts: (actors) => {
      // The flight is older than the invalidation, and the sweep later than the load.
      let stage: "first" | "loading" | "loaded" = "first";
      return each(
        function* (deleter) {
          yield* until(() => stage !== "first");
          yield* deletesTag(deleter);
        },
        function* (filler) {
          yield* filler.fill("a", "t", 0, function* () {
            stage = "loading";
            yield* pause();
          });
          stage = "loaded";
        },
        function* (janitor) {
          yield* until(() => stage === "loaded");
          yield* forgets(janitor);
        },
      )(actors);
    },
  },
  {
    name: "tag-forget-move",
    races: "R3 R4",
    about: "a tag is invalidated and forgotten while eviction moves a record with it",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    setUp: tagged,
    scripts: each(deletesTag, forgets, (evictor) => evictor.evict()),
  },
  {
    name: "tag-forget-demote",
    races: "R4 R5",
    about: "a tag is invalidated and forgotten while an entry with it is left to its copy on disk",
    world: { threads: 4, ...disk },
    keys: ["a"],
    bound: 2,
    setUp: flushed,
    scripts: each(deletesTag, forgets, (evictor) => evictor.evict()),
  },
  {
    name: "tag-forget-promote",
    races: "R4; tier: fill vs delete",
    about: "a tag is invalidated and forgotten while an entry with it comes back to memory",
    world: { threads: 4, ...disk },
    keys: ["a"],
    bound: 2,
    setUp: hitOnDisk,
    scripts: each(deletesTag, forgets, (reader) => reader.get("a")),
  },
  {
    name: "tag-forget-flush",
    races: "R3 R4",
    about: "a record is flushed while its tag is invalidated, which is forgotten then",
    world: { threads: 3, ...disk },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* nearlyDue(opener);
      yield* opener.set("a", Infinity, "t");
      yield* opener.seal();
    },
    scripts: each(deletesTag, function* (janitor) {
      yield* janitor.flush();
      yield* janitor.forgetTags();
    }),
  },
  {
    name: "tag-forget-reclaim",
    races: "R4; tier: fill vs flash evict",
    about: "a segment file is reclaimed while a tag in it is invalidated, which is forgotten then",
    world: { threads: 4, ...disk },
    keys: ["a"],
    bound: 2,
    setUp: hitOnDisk,
    scripts: each(
      deletesTag,
      function* (janitor) {
        yield* janitor.reclaim(0);
        yield* janitor.forgetTags();
      },
      (reader) => reader.get("a"),
    ),
  },
  {
    name: "tags-full",
    races: "R4",
    about: "two threads invalidate tags for which the table has no slot, and the floor rises",
    world: { threads: 4 },
    keys: ["a", "b"],
    bound: 2,
    *setUp(opener) {
      yield* fullTable(opener);
      yield* opener.set("a", Infinity, "t");
      yield* opener.set("b", Infinity, "u");
    },
    scripts: each(
      deletesTag,
      function* (other) {
        yield* other.deleteByTag("u", ["b"]);
        yield* other.get("b");
      },
      function* (reader) {
        yield* reader.getNear("a");
        yield* reader.get("b");
        yield* reader.getNear("a");
      },
    ),
  },
  {
    name: "tag-replaced",
    races: "R4 R2",
    about: "a tag loses its slot in a full table while a key with it is read",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    setUp: fullTable,
    scripts: each(
      (one) => one.deleteByTag("p", []),
      (two) => two.deleteByTag("q", []),
      function* (reader) {
        yield* reader.get("a");
        yield* reader.get("a");
      },
    ),
  },
  {
    name: "tag-again",
    races: "R4",
    about: "a tag is invalidated again while it is forgotten",
    world: { threads: 3 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* tagged(opener);
      yield* opener.deleteByTag("t", ["a"]);
    },
    scripts: each(function* (deleter) {
      yield* deleter.set("a", Infinity, "t");
      yield* deletesTag(deleter);
    }, forgets),
  },
  {
    name: "tag-twice",
    races: "R4",
    about: "two threads invalidate one tag that has no slot yet, and a third one of its bucket",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a", Infinity, "t");
    },
    scripts: each(deletesTag, deletesTag, (third) => third.deleteByTag("w", [])),
  },
  {
    name: "tagger-dies",
    races: "R14 R4",
    about: "a thread dies while it invalidates a tag, and others invalidate and forget it",
    world: { threads: 4 },
    keys: ["a"],
    mortal: [0],
    bound: 1,
    setUp: tagged,
    scripts: each((dying) => dying.deleteByTag("t", ["a"]), deletesTag, forgets),
  },
  {
    name: "forgetter-dies",
    races: "R14 R4",
    about: "the janitor dies while it sweeps and forgets, and another goes on",
    world: { threads: 4 },
    keys: ["a", "b"],
    mortal: [0],
    bound: 1,
    *setUp(opener) {
      yield* tagged(opener);
      yield* opener.deleteByTag("w", []);
    },
    scripts: each(
      (dying) => dying.forgetTags(),
      deletesTag,
      function* (reader) {
        yield* reader.getNear("a");
        yield* reader.getPresent("b");
      },
    ),
  },
  {
    name: "dropper-dies",
    races: "R14 R4",
    about: "a thread dies while it drops an invalidated entry on disk, whose tag is forgotten",
    world: { threads: 3, ...disk },
    keys: ["a"],
    mortal: [0],
    bound: 2,
    *setUp(opener) {
      yield* hitOnDisk(opener);
      yield* opener.deleteByTag("t", ["a"]);
    },
    scripts: each((dying) => dying.get("a"), forgets),
  },
];
