// Scenarios in which the janitor is refused the lock of a key while it empties a segment file: the
// file is quarantined, and what the index names there can be read until a later round has emptied
// it. Called by scenarios.ts.

import type { Actor } from "./actor.js";
import { each, type Scenario } from "./scenario.js";
import type { Coroutine } from "./suspension.js";

const world = { threads: 4, diskSegments: 4 };

/** Takes the lock of "a", and nothing of its. */
function* deletesNeighbour(other: Actor): Coroutine {
  yield* other.delete(yield* other.neighbourOf("a"));
}

function* reclaims(janitor: Actor): Coroutine {
  yield* janitor.reclaim(0);
  yield* janitor.dropQuarantined();
}

/** "a" is in memory and has a copy on disk. */
function* flushed(opener: Actor): Coroutine {
  yield* opener.set("a", Infinity, "t");
  yield* opener.seal();
  yield* opener.flush();
}

/** "a" is on disk only. */
function* demoted(opener: Actor): Coroutine {
  yield* flushed(opener);
  yield* opener.evict();
}

export const refusedScenarios: readonly Scenario[] = [
  {
    name: "reclaim-refused",
    races: "R15 R16",
    about: "reclaim is refused the lock of an entry on disk, which is read and then deleted",
    world,
    keys: ["a"],
    hasty: [1],
    bound: 2,
    setUp: demoted,
    scripts: each(deletesNeighbour, reclaims, function* (reader) {
      yield* reader.get("a");
      yield* reader.delete("a");
      yield* reader.get("a");
    }),
  },
  {
    name: "rewrite-refused",
    races: "R15 R16",
    about: "reclaim is refused the lock of an entry that was hit, which comes back to memory",
    world,
    keys: ["a"],
    hasty: [1],
    bound: 2,
    *setUp(opener) {
      yield* demoted(opener);
      yield* opener.get("a");
    },
    scripts: each(deletesNeighbour, reclaims, function* (reader) {
      yield* reader.get("a");
      yield* reader.get("a");
    }),
  },
  {
    name: "copy-refused",
    races: "R5 R15 R16",
    about: "reclaim is refused the lock of an entry in memory, which is left to its copy on disk",
    world,
    keys: ["a"],
    hasty: [1],
    bound: 2,
    setUp: flushed,
    scripts: each(deletesNeighbour, reclaims, function* (evictor) {
      yield* evictor.evict();
      yield* evictor.get("a");
    }),
  },
  {
    name: "tag-refused",
    races: "R4 R15 R16",
    about: "reclaim and the sweep of a tag are refused the lock of an entry that the tag voids",
    world,
    keys: ["a"],
    hasty: [1],
    bound: 2,
    *setUp(opener) {
      for (const tag of ["x", "y", "z"]) yield* opener.deleteByTag(tag, []);
      yield* demoted(opener);
      yield* opener.get("a");
    },
    scripts: each(
      function* (deleter) {
        yield* deleter.deleteByTag("t", ["a"]);
        yield* deleter.get("a");
      },
      function* (janitor) {
        yield* janitor.reclaim(0);
        yield* janitor.forgetTags();
        yield* janitor.dropQuarantined();
        yield* janitor.forgetTags();
      },
      (reader) => reader.get("a"),
    ),
  },
];
