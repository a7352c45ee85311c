// What the janitor, a reader and recovery do to a disk entry: drop it, relocate it, or insert a
// recovered one. Each verb works under the home lock and answers answerBusy if it cannot get it,
// except insertRecovered and dropUnits.
import * as at from "../../layout";
import * as counter from "../../../stats/counters";
import { block, bucketCount, count } from "../geometry";
import {
  announceTombstone,
  bucketAt,
  bucketOf,
  diskEntryOf,
  locate,
  locateDiskClass,
  located,
  locateLocation,
  locatedWord,
  lock,
  replace,
  retractTombstone,
  slotAt,
  unlock,
} from "../index/bucket";
import { countDisk, discount, isCleared, isClearedOnDisk } from "../index/counts";
import { diskCopyOf, insert } from "../index/placement";
import {
  chunkBit,
  diskBit,
  displacedBit,
  frequencyOf,
  homeOfSlot,
  isDisk,
  locationBits,
  nearBits,
  otherOf,
  recordOf,
  segmentOfRecord,
} from "../index/slot";
import {
  emptySlot,
  fingerprint,
  home,
  isStill,
  locateCopy,
  locatedCopy,
  setHash,
} from "./key-lock";
import { noteInvalidation } from "../invalidations";
import { diskLocationOf, revisionOf, setDiskLocation } from "../segments/record";
import { setDiskCopyLost } from "../segments/segments";
import { isInvalidated } from "../tags/tagged-records";
import { isWritten } from "../written-keys";

/** Drops the entry of a record in a disk segment that is being reclaimed. answerAbsent: no slot
 *  names it. answerDone: dropped. answerHit: it was hit since it was written or is in memory
 *  too, or `force` is 2 (it is to be kept), so it gets another write; it stays until relocateDisk
 *  or a call with `force` 1.
 *  answerInMemory: forced, the entry stays in memory and loses its disk location. With `force` 3
 *  only that is done: an entry that has left memory meanwhile is answerHit. */
export function dropDisk(hashLow: u32, hashHigh: u32, location: f64, force: u32): i32 {
  setHash((<u64>hashHigh << 32) | <u64>hashLow);
  if (!lock(bucketAt(home))) return at.answerBusy;
  const slot = locateLocation(home, fingerprint, diskBit, <u64>location);
  let answer = at.answerAbsent;
  if (slot != 0) {
    const word = locatedWord;
    const isKept = force >= 2 || (force == 0 && frequencyOf(word) != 0);
    if (isKept && !isClearedOnDisk(word)) {
      answer = at.answerHit;
    } else if (emptySlot(home, slot, word)) {
      answer = at.answerDone;
    }
  } else {
    const copied = locateCopy(<u64>location);
    if (copied != 0) {
      const isForced = force == 1 || force == 3;
      answer = isForced ? at.answerInMemory : at.answerHit;
      if (isForced) forgetCopy(copied, locatedCopy);
    }
  }
  unlock(bucketAt(home));
  return answer;
}

/** Removes the disk location from the memory record that a slot names, and lets a flush look at its
 *  segment again. An invalidated one leaves: the sweep that forgets its tag looks for it where the
 *  file is, if it was promoted behind the sweep. Call with the home's lock held. */
function forgetCopy(slot: usize, word: u64): void {
  const record = recordOf(word);
  if (isInvalidated(record)) {
    emptySlot(homeOfSlot(bucketOf(slot), word), slot, word);
    return;
  }
  setDiskLocation(record, 0);
  setDiskCopyLost(segmentOfRecord(record), 1);
}

/** Drops an entry whose record on disk has an invalidated tag, in memory too if it was promoted.
 *  answerDone: tombstone 0 is its location. answerAbsent: the index does not name it. */
export function dropInvalidated(hashLow: u32, hashHigh: u32, location: f64): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  setHash((<u64>hashHigh << 32) | <u64>hashLow);
  if (!lock(bucketAt(home))) return at.answerBusy;
  let slot = locateLocation(home, fingerprint, diskBit, <u64>location);
  let word = locatedWord;
  if (slot == 0) {
    slot = locateCopy(<u64>location);
    word = locatedCopy;
  }
  let answer = at.answerAbsent;
  if (slot != 0) {
    announceTombstone(0, <u64>location);
    if (emptySlot(home, slot, word)) answer = at.answerDone;
    else retractTombstone(0);
  }
  unlock(bucketAt(home));
  return answer;
}

/** Points an entry at another copy on disk. It changes the slot, taking one hit off its
 *  frequency, or the header of the memory record. answerSuperseded: as for reserveDiskLocation,
 *  nothing may be written to the new location. */
export function relocateDisk(hashLow: u32, hashHigh: u32, from: f64, to: f64): i32 {
  setHash((<u64>hashHigh << 32) | <u64>hashLow);
  if (!lock(bucketAt(home))) return at.answerBusy;
  // The new segment gets its newest sequence before the entry names it. A segment whose newest
  // sequence is not above the clear epoch counts as cleared.
  const target = diskEntryOf(<u64>to);
  const newest = load<f64>(diskEntryOf(<u64>from), at.diskMaxSequence);
  store<f64>(target, max<f64>(load<f64>(target, at.diskMaxSequence), newest), at.diskMaxSequence);
  const slot = locateLocation(home, fingerprint, diskBit, <u64>from);
  if (slot != 0) {
    const old = locatedWord;
    const word =
      (fingerprint << at.slotFingerprintShift) | (old & displacedBit) | diskBit | (<u64>to);
    const frequency = frequencyOf(old);
    const moved = replace(
      slot,
      old,
      word | ((<u64>(frequency > 0 ? frequency - 1 : 0)) << at.slotFrequencyShift),
    );
    if (moved && ((<u64>to) & chunkBit) == 0) count(counter.counterReinsertions, 1);
    unlock(bucketAt(home));
    return moved ? at.answerDone : at.answerAbsent;
  }
  const copied = locateCopy(<u64>from);
  let answer = at.answerAbsent;
  if (copied != 0) {
    setDiskLocation(recordOf(locatedCopy), <u64>to);
    answer = isStill(copied, locatedCopy) ? at.answerDone : at.answerSuperseded;
  }
  unlock(bucketAt(home));
  return answer;
}

/** Recovery calls this, newest records first: indexes a disk record unless its class has a disk
 *  entry already. answerDone, or answerAbsent: the caller must write a tombstone for the record,
 *  or it could come back as an older value. answerSuperseded: the same, since this cache may have
 *  written the key before it had the directory, with a revision (supplantByRecovered). If a full
 *  bucket evicted a disk entry, its location is in tombstone 1 and the caller must write that
 *  tombstone. */
export function insertRecovered(hashLow: u32, hashHigh: u32, location: f64): i32 {
  store<f64>(block, 0, at.resultTombstone1);
  const hash = (<u64>hashHigh << 32) | <u64>hashLow;
  setHash(hash);
  if (!lock(bucketAt(home))) return at.answerAbsent;
  let answer = at.answerAbsent;
  if (isWritten(hash)) {
    if (hasRevision()) answer = at.answerSuperseded;
  } else if (locateDiskClass(home, fingerprint) == 0) {
    const word = (fingerprint << at.slotFingerprintShift) | diskBit | <u64>location;
    const slot = insert(home, fingerprint, word);
    if (slot != 0) {
      countDisk(<u64>location, 1);
      answer = at.answerDone;
      // evictUnlocked has noted the key and looked into the slots, or it finds this one.
      const isHome = bucketOf(slot) == home;
      if (isWritten(hash) && emptySlot(home, slot, isHome ? word : word | displacedBit))
        answer = at.answerAbsent;
    }
  }
  unlock(bucketAt(home));
  return answer;
}

/** Whether a memory record of the class has a revision. Call with the lock held. */
function hasRevision(): bool {
  for (let pass = 0; pass < 2; pass++) {
    const bucket = bucketAt(pass == 0 ? home : otherOf(home, fingerprint));
    const pattern = (fingerprint << at.slotFingerprintShift) | (pass == 0 ? 0 : displacedBit);
    for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
      const word = atomic.load<u64>(slot);
      if ((word & nearBits) == pattern && revisionOf(recordOf(word)) >= 0) return true;
    }
  }
  return false;
}

/** After insertRecovered has answered answerSuperseded for a record with a revision: indexes it in
 *  the place of the memory record of its key, if that has an older revision. answerDone, or
 *  answerAbsent: the caller must write a tombstone for the record. */
export function supplantByRecovered(
  key: u32,
  extent: u32,
  hashLow: u32,
  hashHigh: u32,
  location: f64,
  revision: f64,
): i32 {
  const hash = (<u64>hashHigh << 32) | <u64>hashLow;
  setHash(hash);
  if (!lock(bucketAt(home))) return at.answerAbsent;
  let answer = at.answerAbsent;
  if (locateDiskClass(home, fingerprint) == 0) {
    locate(home, fingerprint, key, extent);
    const old = locatedWord;
    const found = located == 0 || isDisk(old) ? -1 : revisionOf(recordOf(old));
    if (found >= 0 && found < revision && !isCleared(old)) {
      noteInvalidation(hash);
      const word = (fingerprint << at.slotFingerprintShift) | diskBit | <u64>location;
      if (replace(located, old, word | (old & displacedBit))) {
        discount(old);
        countDisk(<u64>location, 1);
        answer = at.answerDone;
      }
    }
  }
  unlock(bucketAt(home));
  return answer;
}

/** Drops the entry of a slot if the slot still names what (low, high) named: a record that is
 *  damaged, cannot be decoded or has expired, or a head with a chunk missing. Tombstone 0 is its
 *  disk location, if any. */
export function dropSlot(slotNumber: u32, low: u32, high: u32): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  const slot = slotAt(slotNumber);
  const word = atomic.load<u64>(slot);
  const seen = (<u64>high << 32) | <u64>low;
  if (word == 0 || ((word ^ seen) & (locationBits | diskBit)) != 0) return at.answerAbsent;
  const home = homeOfSlot(slotNumber >> 3, word);
  if (!lock(bucketAt(home))) return at.answerBusy;
  const now = atomic.load<u64>(slot);
  const same = now != 0 && ((now ^ seen) & (locationBits | diskBit)) == 0;
  if (same) {
    const copy = diskCopyOf(now);
    if (copy != 0) announceTombstone(0, copy);
    emptySlot(home, slot, now);
  }
  unlock(bucketAt(home));
  return same ? at.answerDone : at.answerAbsent;
}

/** True if what the slot names has its disk copy in the units [first, end). Certain only under
 *  the lock. */
function liesIn(word: u64, first: f64, end: f64): bool {
  if (word == 0) return false;
  const copy = isDisk(word) ? word & locationBits : diskLocationOf(recordOf(word));
  if (copy == 0) return false;
  const unit = <f64>(copy & (((<u64>1) << at.locationUnitBits) - 1));
  return unit >= first && unit < end;
}

/** Drops everything on disk in the units [first, end) from the index: disk entries leave, memory
 *  records lose their disk location. Answers how many slots it could not visit, because it could
 *  not get the lock. */
export function dropUnits(first: f64, end: f64): u32 {
  let unvisited: u32 = 0;
  for (let bucket: u32 = 0; bucket < bucketCount; bucket++) {
    for (let slot = bucketAt(bucket) + 8; slot < bucketAt(bucket) + at.bucketSize; slot += 8) {
      // Looks again while another thread changes the slot before we have the lock.
      for (
        let word = atomic.load<u64>(slot);
        liesIn(word, first, end);
        word = atomic.load<u64>(slot)
      ) {
        const home = homeOfSlot(bucket, word);
        if (!lock(bucketAt(home))) {
          unvisited += 1;
          break;
        }
        if (isStill(slot, word) && liesIn(word, first, end)) {
          if (isDisk(word)) emptySlot(home, slot, word);
          else forgetCopy(slot, word);
        }
        unlock(bucketAt(home));
      }
    }
  }
  return unvisited;
}
