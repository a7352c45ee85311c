// The lock of a record's key and the slot that names the record, for the files in this folder.
// Every operation here works under the home lock and changes the slot only if it still names the
// record, so a write in between wins. Invariant: taking the lock of a record's key also waits for
// any writer that reads the record's header.
import * as at from "../../layout";
import { block } from "../geometry";
import {
  addDisplaced,
  bucketAt,
  locateLocation,
  lock,
  replace,
  sameButFrequency,
  unlock,
} from "../index/bucket";
import { discount } from "../index/counts";
import {
  displacedBit,
  fingerprintOf,
  homeOf,
  locationOf,
  nearBits,
  otherOf,
  recordOf,
} from "../index/slot";
import { diskLocationOf, hashOfRecord } from "../segments/record";
import { noteMissedLock } from "../segments/segments";

export let home: u32 = 0;

export let fingerprint: u64 = 0;

/** Why lockRecord answered 0: answerAbsent or answerBusy. */
export let missed: i32 = at.answerAbsent;

export function setHash(hash: u64): void {
  store<u64>(block, hash, at.resultHashLow);
  home = homeOf(hash);
  fingerprint = fingerprintOf(hash);
}

/** Locks the record's key and finds the slot that names the record; its word is in locatedWord.
 *  0: no slot names the record, or the lock could not be had (noteMissedLock); no lock is held
 *  then. */
export function lockRecord(record: u32): usize {
  setHash(hashOfRecord(record));
  if (!lock(bucketAt(home))) {
    noteMissedLock(home);
    missed = at.answerBusy;
    return 0;
  }
  const slot = locateLocation(home, fingerprint, 0, locationOf(record));
  if (slot != 0) return slot;
  missed = at.answerAbsent;
  unlock(bucketAt(home));
  return 0;
}

/** True if the slot still names the record. Call it after a disk location was announced in the
 *  record. evictUnlocked empties a slot without the lock and looks for a disk location
 *  afterwards, so at least one of the two sees the other. */
export function isStill(slot: usize, word: u64): bool {
  return sameButFrequency(atomic.load<u64>(slot), word);
}

/** Empties a slot of an entry of `home` if it still shows `old`; false if evictUnlocked emptied
 *  it meanwhile. */
export function emptySlot(home: u32, slot: usize, old: u64): bool {
  if (!replace(slot, old, 0)) return false;
  discount(old);
  if (old & displacedBit) addDisplaced(home, -1);
  return true;
}

export let locatedCopy: u64 = 0;

/** The slot of the memory record of this class that has exactly this disk location; its word is
 *  in locatedCopy. 0 if there is none. Call with the lock held. */
export function locateCopy(location: u64): usize {
  for (let pass = 0; pass < 2; pass++) {
    if (pass == 1 && atomic.load<u32>(bucketAt(home), at.bucketDisplaced) == 0) break;
    const bucket = bucketAt(pass == 0 ? home : otherOf(home, fingerprint));
    const pattern = (fingerprint << at.slotFingerprintShift) | (pass == 0 ? 0 : displacedBit);
    for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
      const word = atomic.load<u64>(slot);
      if ((word & nearBits) != pattern) continue;
      if (diskLocationOf(recordOf(word)) != location) continue;
      locatedCopy = word;
      return slot;
    }
  }
  return 0;
}
