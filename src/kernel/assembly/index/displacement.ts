// Makes room in a map's index where a cache would evict: entries move from their home bucket to
// their other bucket. Called by insert (entries.ts) under the new entry's home lock, and before a
// dead thread's lock is released (repair.ts). Invariant: an entry moves under its home lock, from
// home to other and never back, and is in both buckets for a moment.
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

/** Moves one entry from this bucket, its home, to its other bucket; false if none has room
 *  there. Call with the bucket's lock held, which is the home lock of each entry that can move.
 *  The entry is in both buckets for a moment. A reader looks at the home bucket first, so it
 *  finds one of the two; a move back would not be safe. Only a map does this, since nothing
 *  empties its slots without the lock. In a cache, an entry that evictUnlocked deletes could
 *  come back. */
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

/** Completes a displaceOne whose thread died with this bucket's lock: if an entry is in both of
 *  its buckets, the slot at home is emptied. Call before that lock is released. */
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

/** Finds a slot in a map for a new entry whose two buckets are full, by moving another entry out
 *  of either; 0 if none can move. */
export function placeByMoving(home: u32, other: u32, word: u64): usize {
  let slot: usize = 0;
  // Another thread may claim the slot that we freed, so each bucket gets a few attempts.
  for (let attempt = 0; attempt < at.bucketSlots && slot == 0 && displaceOne(home); attempt++)
    slot = claim(bucketAt(home), word);
  if (slot != 0) return slot;
  // A second lock is only tried, never waited for, so two writers cannot wait for each other.
  if (!tryLock(bucketAt(other))) return 0;
  addDisplaced(home, 1);
  for (let attempt = 0; attempt < at.bucketSlots && slot == 0 && displaceOne(other); attempt++) {
    slot = claim(bucketAt(other), word | displacedBit);
  }
  if (slot == 0) addDisplaced(home, -1);
  unlock(bucketAt(other));
  return slot;
}
