// How a map's index makes a place where a cache's would let an entry go: entries move from their home bucket to their other
// one. Called by insert (entries.ts) under the new entry's home lock, and by who frees a dead thread's lock (repair.ts).
// Invariant: an entry moves under its home's lock, home to other and never back, and is in both places for a moment.
import * as at from "../../layout";
import {
  addDisplaced,
  bucketAt,
  claim,
  replace,
  sameButFrequency,
  swap,
  tryLock,
  unlock,
} from "./bucket";
import { displacedBit, otherOf } from "./slot";

/** Moves one of the entries that stand at home in this bucket to its other bucket; false if none has room there. Call with
 *  the bucket's lock held: it is the lock of every entry that is moved. The entry is in both places for a moment. A reader
 *  looks at the home first, so it finds one of them; the way back would not be safe. Only a map, which nobody takes a slot
 *  from without the lock, does this: in a cache an entry could come back from a deletion by evictUnlocked. */
function displaceOne(home: u32): bool {
  for (let slot = bucketAt(home) + 8; slot < bucketAt(home) + at.bucketSize; slot += 8) {
    const word = atomic.load<u64>(slot);
    if (word == 0) return true;
    if (word & displacedBit) continue;
    addDisplaced(home, 1);
    if (claim(bucketAt(otherOf(home, word >> at.slotFingerprintShift)), word | displacedBit) != 0) {
      replace(slot, word, 0);
      return true;
    }
    addDisplaced(home, -1);
  }
  return false;
}

/** Ends what displaceOne had begun when the thread died that holds this bucket's lock: of an entry that stands in both of its
 *  places the one at home goes, as it would have. Call before that lock is freed. */
export function finishMove(home: u32): void {
  for (let slot = bucketAt(home) + 8; slot < bucketAt(home) + at.bucketSize; slot += 8) {
    const word = atomic.load<u64>(slot);
    if (word == 0 || word & displacedBit) continue;
    const other = bucketAt(otherOf(home, word >> at.slotFingerprintShift));
    for (let copy = other + 8; copy < other + at.bucketSize; copy += 8) {
      if (sameButFrequency(atomic.load<u64>(copy), word | displacedBit)) swap(slot, word, 0);
    }
  }
}

/** A map's place for a new entry whose two buckets are full: one that another entry makes in either; 0 if none can. */
export function placeByMoving(home: u32, other: u32, word: u64): usize {
  let slot: usize = 0;
  // Somebody else may claim what was made free, so each is tried a few times.
  for (let turn = 0; turn < at.bucketSlots && slot == 0 && displaceOne(home); turn++) slot = claim(bucketAt(home), word);
  if (slot != 0) return slot;
  // A second lock is only tried, never waited for, so two writers cannot wait for each other.
  if (!tryLock(bucketAt(other))) return 0;
  addDisplaced(home, 1);
  for (let turn = 0; turn < at.bucketSlots && slot == 0 && displaceOne(other); turn++) {
    slot = claim(bucketAt(other), word | displacedBit);
  }
  if (slot == 0) addDisplaced(home, -1);
  unlock(bucketAt(other));
  return slot;
}
