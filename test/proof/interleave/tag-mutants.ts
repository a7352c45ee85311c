// Faults in the tag table and its sweep. Called by mutant-table.ts.

import { type Mutant, mutant } from "./mutant.js";

const table = "src/kernel/assembly/tags/tag-table.ts";
const records = "src/kernel/assembly/tags/tagged-records.ts";
const invalidation = "src/kernel/assembly/tags/tag-invalidation.ts";
const moves = "src/kernel/assembly/moves/moves.ts";
const sweep = "src/kernel/assembly/moves/sweep.ts";
const sweeper = "src/janitor/tag-sweeper.ts";

export const tagMutants: readonly Mutant[] = [
  mutant(
    "tags-unswept",
    "tags are forgotten before what they void is gone",
    sweeper,
    ['this.#enter("memory");', 'this.#enter("forget");'],
    "tag-forget",
  ),
  mutant(
    "disk-unswept",
    "tags are forgotten before what they void on disk has tombstones",
    sweeper,
    ['this.#disk === null ? "forget" : "disk"', '"forget"'],
    "tag-forget-promote",
  ),
  mutant(
    "flights-unasked",
    "tags are forgotten that would void a load under way",
    sweeper,
    ["Math.min(sequence, verbs.oldestFlight())", "sequence"],
    "tag-forget-fill",
  ),
  mutant(
    "sweep-begins-early",
    "a sweep does not wait for threads that have taken a sequence and not written it",
    table,
    ["if (!lock(address)) return -1;\n    unlock(address);", ""],
    "tag-filled-between",
  ),
  mutant(
    "floor-first",
    "a reader looks at the floor before the table",
    records,
    [
      "const tags = min<u32>(load<u16>(field), rec.recordTagsMax);",
      "const tags = min<u32>(load<u16>(field), rec.recordTagsMax);\n  const floor = atomic.load<u64>(at.controlTagFloor);\n  if (sequence <= floor) return true;\n  if (tags == 1) return newestInvalidationOf(load<u64>(field + rec.tagsHeaderSize)) >= sequence;",
    ],
    "tag-replaced",
  ),
  mutant(
    "replaced-uncovered",
    "a tag loses its slot and the floor does not cover it",
    table,
    ["raiseFloor(sequenceIn(oldest));", ""],
    "tag-replaced",
  ),
  mutant(
    "tag-without-lock",
    "a tag takes a slot without the lock of its home",
    invalidation,
    [
      "if (lock(home)) {\n    slot = takeSlot(hash);",
      "lock(home);\n  unlock(home);\n  if (home != 0) {\n    slot = takeSlot(hash);",
    ],
    "tag-twice",
  ),
  mutant(
    "forgotten-without-look",
    "a tag is forgotten although it was invalidated again",
    table,
    [
      "if (atomic.load<u64>(slot) == hash && sequenceIn(slot) <= <u64>through) {",
      "if (atomic.load<u64>(slot) == hash) {",
    ],
    "tag-again",
  ),
  mutant(
    "demoted-untold",
    "the copy of an invalidated record gets no tombstone when the record leaves",
    moves,
    ["if (isVoid) announceTombstone(0, copy);", ""],
    "tag-forget-demote",
  ),
  mutant(
    "swept-untold",
    "the copy of a record that a sweep takes gets no tombstone",
    sweep,
    ["if (copy != 0) announceTombstone(0, copy);", ""],
    "tag-forget-demote",
    "tag-forget-flush",
  ),
];
