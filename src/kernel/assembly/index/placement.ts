// Where a new entry is put: a slot of its two buckets, or one that is made free for it. Called with
// the home's lock held. A tombstone is announced before the slot changes, so that recovery writes
// it if the thread dies in between.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import * as counter from "../../../stats/counters";
import { assertLocked } from "../assert";
import { count, neverEvicts } from "../geometry";
import {
  addDisplaced,
  announceTombstone,
  bucketAt,
  claim,
  retractTombstone,
  tryLock,
  unlock,
} from "./bucket";
import { discount } from "./counts";
import { placeByMoving } from "./displacement";
import {
  chunkBit,
  displacedBit,
  frequencyOf,
  homeOfSlot,
  isDisk,
  locationBits,
  otherOf,
  recordOf,
} from "./slot";
import { diskLocationOf, flagsOf, isChunk, keyLengthOf } from "../segments/record";

/** A bucket of a cache with so many entries is nearly full: the next goes where more room is. */
const crowded = 5;

/** The disk location of what a slot names, 0 if it has none. */
export function diskCopyOf(word: u64): u64 {
  return isDisk(word) ? word & locationBits : diskLocationOf(recordOf(word));
}

/** The hits that count for `evictFor`. Without a chunk its whole value is lost, so it goes last. */
function rankOf(word: u64): i32 {
  const record = <usize>recordOf(word);
  const isPart = isDisk(word)
    ? (word & chunkBit) != 0
    : isChunk(flagsOf(record)) && keyLengthOf(record) == rec.chunkKeySize;
  return isPart ? at.slotFrequencyMax : <i32>frequencyOf(word);
}

/** Replaces the least hit slot of a full bucket (disk entries first) by `word`; 0 if every entry
 *  is locked. */
function evictFor(bucket: u32, word: u64): usize {
  const base = bucketAt(bucket);
  const home = homeOfSlot(bucket, word);
  for (let frequency: i32 = 0; frequency <= at.slotFrequencyMax; frequency++) {
    for (let tier = 1; tier >= 0; tier--) {
      for (let slot = base + 8; slot < base + at.bucketSize; slot += 8) {
        const victim = atomic.load<u64>(slot);
        if (victim == 0) {
          // The owner of the lock of a displaced entry emptied it since the bucket was full.
          if (atomic.cmpxchg<u64>(slot, 0, word) == 0) return slot;
          continue;
        }
        if (rankOf(victim) != frequency || <i32>isDisk(victim) != tier) continue;
        const victimHome = homeOfSlot(bucket, victim);
        // A second lock is only tried, never waited for, so two writers cannot wait for each other.
        if (victimHome != home && !tryLock(bucketAt(victimHome))) continue;
        // Announced before the slot changes: if the thread dies in between, recovery writes it.
        const copy = atomic.load<u64>(slot) == victim ? diskCopyOf(victim) : 0;
        if (copy != 0) announceTombstone(1, copy);
        const taken = atomic.cmpxchg<u64>(slot, victim, word) == victim;
        if (!taken && copy != 0) retractTombstone(1);
        if (taken) {
          discount(victim);
          if (victim & displacedBit) addDisplaced(victimHome, -1);
          count(counter.counterEvictionsIndex, 1);
        }
        if (victimHome != home) unlock(bucketAt(victimHome));
        if (taken) return slot;
      }
    }
  }
  return 0;
}

/** Finds a slot for a new entry: in the home bucket, in the other bucket, or one that a move (a
 *  map) or an eviction (a cache) frees; 0 if there is none. In a cache an entry whose home is
 *  nearly full goes to the other bucket if that is emptier: where both are full, one leaves though
 *  there is room elsewhere. */
export function insert(home: u32, fingerprint: u64, word: u64): usize {
  assertLocked(bucketAt(home));
  const other = otherOf(home, fingerprint);
  const isAway = !neverEvicts && isEmptier(other, home);
  if (!isAway) {
    const slot = claim(bucketAt(home), word);
    if (slot != 0) return slot;
  }
  // Counted before the slot is filled: a reader that sees 0 must not miss a displaced entry.
  addDisplaced(home, 1);
  const slot = claim(bucketAt(other), word | displacedBit);
  if (slot != 0) return slot;
  addDisplaced(home, -1);
  if (neverEvicts) return placeByMoving(home, other, word);
  // It has filled up meanwhile, and home may have a slot.
  const left = isAway ? claim(bucketAt(home), word) : 0;
  return left != 0 ? left : evictFor(home, word);
}

/** Whether home is nearly full and the other bucket has more empty slots. Both change meanwhile: it
 *  only decides where an entry is put. */
function isEmptier(other: u32, home: u32): bool {
  const used = usedSlots(home);
  return used >= crowded && usedSlots(other) < used;
}

function usedSlots(bucket: u32): i32 {
  const base = bucketAt(bucket);
  let used = 0;
  for (let slot = base + 8; slot < base + at.bucketSize; slot += 8) {
    if (atomic.load<u64>(slot) != 0) used += 1;
  }
  return used;
}
