// Deliberate faults in the protocol, each of which the schedules must show. A mutant is one exact
// change of one source file; if its text is not there exactly once, that is a fault of its own.
// Called by ../mutants.ts and a test.

import { flightMutants } from "./flight-mutants.js";
import { internedMutants } from "./interned-mutants.js";
import { largeMutants } from "./large-mutants.js";
import { entries, lookup, type Mutant, mutant } from "./mutant.js";
import { orderedMutants } from "./ordered-mutants.js";
import { namespaceMutants } from "./namespace-mutants.js";
import { refusedMutants } from "./refused-mutants.js";
import { resizedMutants } from "./resized-mutants.js";
import { restMutants } from "./rest-mutants.js";
import { tagMutants } from "./tag-mutants.js";

const moves = "src/kernel/assembly/moves/moves.ts";
const diskMoves = "src/kernel/assembly/moves/disk-moves.ts";
const segments = "src/kernel/assembly/segments/segments.ts";
const bucket = "src/kernel/assembly/index/bucket.ts";
const placement = "src/kernel/assembly/index/placement.ts";
const door = "src/kernel/assembly/mod.ts";
const tags = "src/kernel/assembly/tags/tag-invalidation.ts";
const flights = "src/kernel/assembly/flights.ts";
const reader = "src/memory/memory-reader.ts";
const writer = "src/memory/memory-writer.ts";
const evictor = "src/eviction/evictor.ts";
const threads = "src/kernel/threads/thread-table.ts";

export const mutants: readonly Mutant[] = [
  mutant(
    "copy-without-validate",
    "the slot is not looked at again after the copy",
    reader,
    ["if (!this.isCurrent(this.found)) return false;", ""],
    "reclaim",
    "reuse",
  ),
  mutant(
    "publish-before-bytes",
    "the value is written after the slot",
    writer,
    [
      "this.#dropReplaced();\n    if (answer === codes.answerDone)",
      "this.#dropReplaced();\n    const { u8 } = this.kernel.views;\n    const valueAt = record + recordHeaderSize + extensionBytes + keyBytes;\n    u8.fill(0, valueAt, valueAt + value.length);\n    u8.set(value, valueAt);\n    if (answer === codes.answerDone)",
    ],
    "overwrite",
  ),
  mutant(
    "free-before-index",
    "a segment is freed before the slots that name it have changed",
    evictor,
    [
      "const walk = this.#table.walk(segment);\n    while (walk.next()) {",
      "const walk = this.#table.walk(segment);\n    verbs.freeSegment(segment);\n    while (walk.next()) {",
    ],
    "reclaim",
    "move-overwrite",
  ),
  mutant(
    "busy-is-dead",
    "a record whose lock cannot be had is dropped without a tombstone",
    evictor,
    [
      "} else if (frequency !== codes.answerBusy) this.#dropDead(record);",
      "} else if (frequency === codes.answerBusy) {\n        verbs.dropRecord(record);\n        this.#kernel.tombstones.drop();\n      } else this.#dropDead(record);",
    ],
    "demote-waits",
  ),
  mutant(
    "location-given-on",
    "the disk location of an entry taken away while announced goes to the next record",
    "src/disk-log/flusher.ts",
    ["if (answer === codes.answerSuperseded) this.#log.skip(size);", ""],
    "flush-delete",
  ),
  mutant(
    "locks-of-the-dead",
    "recovery leaves a dead thread's locks",
    threads,
    ["verbs.releaseLocks(lockWordOf(holder));", ""],
    "writer-dies",
    "deleter-dies",
  ),
  mutant(
    "tombstones-of-the-dead",
    "recovery does not write the tombstones that a dead thread had announced",
    "src/kernel/words/pending-tombstones.ts",
    ["if (isAnnounced && location !== 0) write(location);", ""],
    "disk-deleter-dies",
  ),
  mutant(
    "claims-of-the-dead",
    "recovery leaves the segments that a dead thread was emptying",
    threads,
    ["verbs.releaseClaims(thread);", ""],
    "evictor-dies",
  ),
  mutant(
    "validate-says-yes",
    "validate does not compare",
    lookup,
    [
      "return sameButFrequency(atomic.load<u64>(slotAt(slot)), (<u64>high << 32) | <u64>low) ? 1 : 0;",
      "return 1;",
    ],
    "reclaim",
    "reuse",
  ),
  mutant(
    "mark-of-nothing",
    "a near lookup marks a slot that has changed since it matched",
    lookup,
    ["if (sameButFrequency(word, known)) {", "if (word == word) {"],
    "reuse",
    "clear",
  ),
  mutant(
    "set-leaves-flights",
    "a set does not supersede the fills of its key",
    entries,
    [
      "invalidateFlights(hash);\n  unlock(bucketAt(home));\n  if (isSampled(hash))",
      "unlock(bucketAt(home));\n  if (isSampled(hash))",
    ],
    "fill-set",
    "negative-set",
  ),
  mutant(
    "fill-after-delete",
    "a delete does not supersede the fills of its key",
    entries,
    [
      "answer = removeLocated(hash, home, space);\n    invalidateFlights(hash);",
      "answer = removeLocated(hash, home, space);",
    ],
    "fill-delete",
    "refresh-delete",
    "negative-delete",
  ),
  mutant(
    "fill-seen-early",
    "a fill is seen before it has looked once more whether it was superseded",
    entries,
    ["flight == 0 ? sequence : 0);", "sequence);"],
    "fill-unlocked",
  ),
  mutant(
    "fill-unseen-by-delete",
    "a delete that cannot have the lock does not see a fill that is not confirmed yet",
    lookup,
    ["  seesUnconfirmed = true;\n", ""],
    "fill-unlocked",
    "negative-unlocked",
  ),
  mutant(
    "lock-kept",
    "a fill that was superseded keeps the lock",
    entries,
    ["unlock(bucketAt(home));\n    return at.answerSuperseded;", "return at.answerSuperseded;"],
    "fill-delete",
  ),
  mutant(
    "displaced-too-late",
    "an entry stands in its other bucket before it is counted",
    placement,
    [
      "addDisplaced(home, 1);\n  const slot = claim(bucketAt(other), word | displacedBit);\n  if (slot != 0) return slot;\n  addDisplaced(home, -1);",
      "const slot = claim(bucketAt(other), word | displacedBit);\n  if (slot != 0) {\n    addDisplaced(home, 1);\n    return slot;\n  }",
    ],
    "displacer-dies",
  ),
  mutant(
    "displaced-not-taken-back",
    "a deleted entry stays counted as displaced",
    entries,
    [
      "if (old & displacedBit) addDisplaced(home, -1);\n      noteReplaced(hash, old);\n      if (!gone) {",
      "noteReplaced(hash, old);\n      if (!gone) {",
    ],
    "displaced",
  ),
  mutant(
    "tombstone-not-announced",
    "a delete does not say which copy on disk is dead by it",
    entries,
    [
      "if (copy != 0) announceTombstone(0, copy);\n    if (replace(located, old, 0)) {",
      "if (replace(located, old, 0)) {",
    ],
    "demote-delete",
    "flush-delete",
  ),
  mutant(
    "lock-stolen",
    "a lock is taken whether it is held or not",
    bucket,
    [
      "return atomic.cmpxchg<u32>(bucket, 0, lockWord) == 0;",
      "atomic.store<u32>(bucket, lockWord);\n  return true;",
    ],
    "first-sets",
    "overwrite",
  ),
  mutant(
    "slot-stored",
    "a slot is changed by a store and not by a compare and exchange",
    bucket,
    [
      "if (atomic.cmpxchg<u64>(slot, seen, word) == seen) return true;",
      "atomic.store<u64>(slot, word);\n    return true;",
    ],
    "move-delete",
    "demote-delete",
  ),
  mutant(
    "empty-slot-stored",
    "an empty slot is taken by a store",
    bucket,
    [
      "if (atomic.load<u64>(slot) == 0 && atomic.cmpxchg<u64>(slot, 0, word) == 0) return slot;",
      "if (atomic.load<u64>(slot) == 0) {\n      atomic.store<u64>(slot, word);\n      return slot;\n    }",
    ],
    "full-index",
  ),
  mutant(
    "generation-reused",
    "a freed segment keeps its generation",
    segments,
    [
      "const generation = atomic.add<u32>(entry, 1, at.segmentGeneration) + 1;",
      "const generation = atomic.load<u32>(entry, at.segmentGeneration);",
    ],
    "reuse",
  ),
  mutant(
    "generation-after-free",
    "a segment is free before its generation has changed",
    segments,
    [
      "const generation = atomic.add<u32>(entry, 1, at.segmentGeneration) + 1;",
      "atomic.store<u32>(entry, at.segmentFree);\n  const generation = atomic.add<u32>(entry, 1, at.segmentGeneration) + 1;",
    ],
    "reuse",
    "move-overwrite",
    "two-evictors",
    "sealed-by-leaving",
  ),
  mutant(
    "generations-unnoticed",
    "near caches are not told that a generation has come round",
    segments,
    ["if ((generation & generationMask) == 0) atomic.add<u32>(at.controlNearEpoch, 1);", ""],
    "generations-come-round",
  ),
  mutant(
    "pin-unseen",
    "a segment is emptied while the flusher has it",
    segments,
    ["if (atomic.load<u32>(entry, at.segmentPin) == 0) return 1;", "return 1;"],
    "flush-reuse",
  ),
  mutant(
    "no-bell",
    "a sealed segment does not ring",
    segments,
    ["count(counterSegmentsSealed, 1);\n  ring();", "count(counterSegmentsSealed, 1);"],
    "doorbell",
  ),
  mutant(
    "clear-once",
    "a clear raises its epoch once",
    door,
    [
      "raiseClearEpoch(word);\n  const epoch = raiseClearEpoch(word);",
      "const epoch = raiseClearEpoch(word);",
    ],
    "fill-clear",
    "negative-clear",
    "namespace-clear-fill",
  ),
  mutant(
    "clear-stays-near",
    "a clear does not tell near caches",
    door,
    ["atomic.add<u32>(at.controlNearEpoch, 1);\n  noteEpoch();", "noteEpoch();"],
    "clear",
  ),
  mutant(
    "promote-unchecked",
    "an entry comes back to memory whatever its slot names by now",
    moves,
    [
      "if (((old ^ seen) & (locationBits | diskBit)) == 0 && old != 0 && !isInvalidated(record)) {",
      "if (old != 0 && !isInvalidated(record) && seen != 0) {",
    ],
    "promote-set",
    "promote-promote",
  ),
  mutant(
    "newest-unknown",
    "an entry names a new segment file before that knows a newest sequence",
    diskMoves,
    [
      "store<f64>(target, max<f64>(load<f64>(target, at.diskMaxSequence), newest), at.diskMaxSequence);",
      "",
    ],
    "reclaim-delete",
  ),
  mutant(
    "tag-once",
    "an invalidation takes one sequence for its tag",
    tags,
    [
      "raiseSlot(slot, nextSequence());\n      raiseSlot(slot, nextSequence());",
      "raiseSlot(slot, nextSequence());",
    ],
    "fill-tag",
  ),
  mutant(
    "fill-ignores-tags",
    "a fill does not look whether a tag of it was invalidated",
    entries,
    [" || isFillInvalidated(record, flags, flightSequenceOf(flight - 1))", ""],
    "fill-tag",
    "negative-tag",
  ),
  mutant(
    "tag-stays-near",
    "an invalidation does not tell near caches",
    tags,
    ["atomic.add<u32>(at.controlTagEpoch, 1);", ""],
    "tag",
  ),
  mutant(
    "tag-epoch-late",
    "a near value is kept under a tag epoch that was read after its tags were looked up",
    lookup,
    [
      "store<u32>(block, atomic.load<u32>(at.controlTagEpoch), at.resultTagEpoch);\n      isInvalid = isTagInvalidated(record);",
      "isInvalid = isTagInvalidated(record);\n      store<u32>(block, atomic.load<u32>(at.controlTagEpoch), at.resultTagEpoch);",
    ],
    "tag",
  ),
  mutant(
    "two-leaders",
    "who enters a flight does not take the key's lock",
    flights,
    [
      "if (!lock(bucket)) return at.answerBusy;\n  const answer = enterLocked(hash, forced, mayClaim, lease, space);\n  unlock(bucket);",
      "const answer = enterLocked(hash, forced, mayClaim, lease, space);",
    ],
    "join",
  ),
  mutant(
    "forced-leaves-loads",
    "a forced load does not supersede those under way",
    flights,
    ["if (mayClaim) supersede(number, hash);\n        continue;", "continue;"],
    "forced-load",
    "forced-forced",
  ),
  mutant(
    "leader-tells-nobody",
    "a load that ends does not wake who waits for it",
    flights,
    [
      "fl.flightStateShift),\n  );\n  if (atomic.load<u64>(flight, fl.flightWaiting) != 0) wake(flight);",
      "fl.flightStateShift),\n  );",
    ],
    "join",
  ),
  mutant(
    "flight-of-who-waits",
    "the number of a flight is free while others wait for what came of it",
    flights,
    [
      "(state & fl.flightStateMask) != fl.flightDone ||\n    atomic.load<u64>(flight, fl.flightWaiting) != 0\n  )",
      "(state & fl.flightStateMask) != fl.flightDone\n  )",
    ],
    "join",
  ),
  mutant(
    "flights-of-the-dead",
    "recovery leaves the flights of a dead thread",
    threads,
    ["verbs.endFlightsOf(thread);", ""],
    "filler-dies",
    "leader-dies",
  ),
  ...internedMutants,
  ...flightMutants,
  ...tagMutants,
  ...largeMutants,
  ...orderedMutants,
  ...namespaceMutants,
  ...refusedMutants,
  ...restMutants,
  ...resizedMutants,
];
