// The janitor's verbs (a writer that finds no free segment uses the eviction ones too): give a record a disk copy, move
// it to another segment, demote it to its disk copy, drop it, and the same for disk entries. Each works under the home
// lock of the record's key and changes the slot only if it still names the record, so a write in between wins. Visiting
// a record under its key's lock also waits out any writer that was reading that record's header.
import * as at from "../layout";
import * as counter from "../../stats/counters";
import {
  addDisplaced,
  announceTombstone,
  bucketAt,
  diskEntryOf,
  locatedWord,
  locateDiskClass,
  locateLocation,
  lock,
  replace,
  retractTombstone,
  sameButFrequency,
  slotAt,
  unlock,
} from "./bucket";
import { noteInvalidation } from "./invalidations";
import { countDisk, countMemory, discount, isClearedOnDisk } from "./counts";
import { insert } from "./entries";
import { block, bucketCount, clearEpoch, count, seed } from "./geometry";
import { deadlineOf, diskLocationOf, flagsOf, keyLengthOf, keyOf, recordSizeOf, sequenceOf, setDiskLocation } from "./record";
import { isSampled, noteRequest } from "./samples";
import { noteDead, noteMissedLock, noteRecord, reserve, setDiskCopyLost, unblockSegments } from "./segments";
import {
  diskBit,
  displacedBit,
  fingerprintOf,
  frequencyBits,
  frequencyOf,
  homeOf,
  homeOfSlot,
  isDisk,
  locationBits,
  locationOf,
  nearBits,
  otherOf,
  recordOf,
  segmentOfRecord,
} from "./slot";
import { isInvalidated, isTagInvalidated } from "./tags";
import { xxh64 } from "./xxh64";

let home: u32 = 0;
let fingerprint: u64 = 0;
/** Why lockRecord answered 0: answerAbsent or answerBusy. */
let missed: i32 = at.answerAbsent;

function setHash(hash: u64): void {
  store<u64>(block, hash, at.resultHashLow);
  home = homeOf(hash);
  fingerprint = fingerprintOf(hash);
}

/** Locks the record's key and finds the slot that names the record, its word in locatedWord. 0: the record is dead, or
 *  the lock could not be had (noteMissedLock); no lock is held then. */
function lockRecord(record: u32): usize {
  setHash(xxh64(keyOf(record), keyLengthOf(record), seed));
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

/** Frequency of the slot that names the record, or answerMiss when the record is dead or cleared. As all verbs that take
 *  a record, it answers answerBusy when the key's lock could not be had: nothing is known of the record then. */
export function frequencyOfRecord(record: u32): i32 {
  if (sequenceOf(record) == 0) return at.answerMiss;
  const slot = lockRecord(record);
  if (slot == 0) return missed == at.answerBusy ? at.answerBusy : at.answerMiss;
  const frequency = <i32>frequencyOf(locatedWord);
  unlock(bucketAt(home));
  return isInvalidated(record) ? at.answerMiss : frequency;
}

/** Announces the record's copy on disk before it is written (0 takes it back). answerAbsent if the record is dead or has a
 *  copy already (a promoted one): then it must not be written. A writer that kills the record afterwards sees the copy
 *  and marks it dead on disk. answerSuperseded: it was taken away without its lock while it was announced; it must not be
 *  written, nor anything else to that place, which may be marked dead. */
export function reserveDiskLocation(record: u32, location: f64): i32 {
  if (sequenceOf(record) == 0) return at.answerAbsent;
  const slot = lockRecord(record);
  if (slot == 0) return missed;
  const old = locatedWord;
  let answer = at.answerAbsent;
  if (!isInvalidated(record) && (location == 0 || diskLocationOf(record) == 0)) {
    setDiskLocation(record, <u64>location);
    answer = isStill(slot, old) ? at.answerDone : at.answerSuperseded;
  }
  unlock(bucketAt(home));
  return answer;
}

/** After a copy on disk was announced in a record: does its slot still name it? evictUnlocked takes a slot away without
 *  the lock and looks for a copy afterwards, so at least one of the two sees the other. */
function isStill(slot: usize, word: u64): bool {
  return sameButFrequency(atomic.load<u64>(slot), word);
}

/** Copies a live record to this thread's open segment of a log and points its slot there with a new frequency. */
export function move(record: u32, log: u32, frequency: u32): i32 {
  const size = recordSizeOf(record);
  const copy = reserve(size, log, 1);
  if (copy == 0) return at.answerNoRoom;
  const slot = lockRecord(record);
  if (slot == 0) return missed;
  const old = locatedWord;
  const sequence = sequenceOf(record);
  // The copy's sequence is written last, so that a walker takes it for unpublished until it is whole.
  memory.copy(copy + 16, record + 16, size - 16);
  store<u64>(copy, load<u64>(record));
  atomic.store<u64>(copy, load<u64>(record, 8), 8);
  noteRecord(copy, sequence);
  const word = (fingerprint << at.slotFingerprintShift) | (<u64>frequency << at.slotFrequencyShift);
  const moved = replace(slot, old, word | (old & displacedBit) | locationOf(copy));
  if (moved) {
    // Its hits are to be counted again.
    noteInvalidation(load<u64>(block, at.resultHashLow));
    noteDead(record, (size + 7) & ~7);
    if (log == at.logMain) count(counter.counterMovesToMain, 1);
  }
  unlock(bucketAt(home));
  return moved ? at.answerDone : at.answerAbsent;
}

/** Empties a slot that shows `old`; false if that was taken away meanwhile. */
function emptySlot(slot: usize, old: u64): bool {
  if (!replace(slot, old, 0)) return false;
  discount(old);
  if (old & displacedBit) addDisplaced(home, -1);
  return true;
}

/** What leaves memory is still what it was, so this is no duty: but what a thread keeps by its keys should not outlast it.
 *  That has been hit. Call with the hash in the results. */
function noteRemoval(word: u64): void {
  if (frequencyOf(word) != 0) noteInvalidation(load<u64>(block, at.resultHashLow));
}

/** Leaves a record to its disk copy, or drops it when it has none. answerDone: demoted, answerAbsent: dead already,
 *  answerMiss: dropped. An older disk entry of the same class gives way (kill0): a class has one disk slot. */
export function demote(record: u32): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  if (sequenceOf(record) == 0) return at.answerAbsent;
  const slot = lockRecord(record);
  if (slot == 0) return missed;
  const old = locatedWord;
  const copy = diskLocationOf(record);
  noteRemoval(old);
  let answer = at.answerAbsent;
  if (copy != 0 && !isInvalidated(record)) {
    const rival = locateDiskClass(home, fingerprint);
    if (rival != 0) {
      announceTombstone(0, locatedWord & locationBits);
      if (emptySlot(rival, locatedWord)) count(counter.counterEvictionsIndex, 1);
      else retractTombstone(0);
    }
    if (replace(slot, old, (fingerprint << at.slotFingerprintShift) | (old & displacedBit) | diskBit | copy)) {
      discount(old);
      countDisk(1);
      count(counter.counterDemotions, 1);
      answer = at.answerDone;
    }
  } else if (emptySlot(slot, old)) {
    answer = at.answerMiss;
  }
  unlock(bucketAt(home));
  return answer;
}

/** Drops a record if a slot still names it; kill0 is its disk copy, if any. Also one without a sequence: the slot of a fill
 *  whose thread died may name it. One that was never published has any key, but no slot. */
export function dropRecord(record: u32): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  const slot = lockRecord(record);
  if (slot == 0) return missed;
  const copy = diskLocationOf(record);
  if (copy != 0) announceTombstone(0, copy);
  noteRemoval(locatedWord);
  emptySlot(slot, locatedWord);
  unlock(bucketAt(home));
  return at.answerDone;
}

/** Points the slot of a disk entry at a copy this thread has just written to its open segment. `record` must be
 *  reserved and filled, with the entry's own sequence in its header. answerAbsent if the slot changed meanwhile. */
export function promote(record: u32, slotNumber: u32, low: u32, high: u32): i32 {
  const sequence = sequenceOf(record);
  setHash(xxh64(keyOf(record), keyLengthOf(record), seed));
  if (!lock(bucketAt(home))) return at.answerBusy;
  const slot = slotAt(slotNumber);
  const old = atomic.load<u64>(slot);
  const seen = (<u64>high << 32) | <u64>low;
  let answer = at.answerAbsent;
  if (((old ^ seen) & (locationBits | diskBit)) == 0 && old != 0 && !isInvalidated(record)) {
    setDiskLocation(record, old & locationBits);
    noteRecord(record, sequence);
    const word = (fingerprint << at.slotFingerprintShift) | (<u64>1 << at.slotFrequencyShift);
    if (replace(slot, old, word | (old & displacedBit) | locationOf(record))) {
      discount(old);
      countMemory(recordSizeOf(record), flagsOf(record), 1);
      count(counter.counterPromotions, 1);
      answer = at.answerDone;
    }
  }
  const hash = load<u64>(block, at.resultHashLow);
  if (answer == at.answerDone && isSampled(hash)) noteRequest(hash, recordSizeOf(record));
  // Walkers must not take the abandoned copy for a published record.
  if (answer != at.answerDone) store<u64>(record, 0, 8);
  unlock(bucketAt(home));
  return answer;
}

/** For reclaim of a disk segment: lets go of an entry. answerAbsent: no slot names it; answerDone: dropped; answerHit: it
 *  was hit since, or its record is in memory too, so it deserves to be written again: it stays until relocateDisk or
 *  another call with `force`; answerInMemory: forced, its copy in memory stays and forgets the disk. */
export function dropDisk(hashLow: u32, hashHigh: u32, location: f64, force: u32): i32 {
  setHash((<u64>hashHigh << 32) | <u64>hashLow);
  if (!lock(bucketAt(home))) return at.answerBusy;
  const slot = locateLocation(home, fingerprint, diskBit, <u64>location);
  let answer = at.answerAbsent;
  if (slot != 0) {
    const word = locatedWord;
    if (force == 0 && frequencyOf(word) != 0 && !isClearedOnDisk(word)) {
      answer = at.answerHit;
    } else if (emptySlot(slot, word)) {
      answer = at.answerDone;
    }
  } else {
    const copied = locateCopy(<u64>location);
    if (copied != 0) {
      answer = force == 0 ? at.answerHit : at.answerInMemory;
      if (force != 0) forgetCopy(recordOf(locatedCopy));
    }
  }
  unlock(bucketAt(home));
  return answer;
}

/** Takes a memory record's copy on disk away from it; a flush will look at its segment again. */
function forgetCopy(record: u32): void {
  setDiskLocation(record, 0);
  setDiskCopyLost(segmentOfRecord(record), 1);
}

let locatedCopy: u64 = 0;

/** The slot of the memory record of this class whose disk copy is exactly here, its word in locatedCopy; 0 = none. Call
 *  with the lock held. */
function locateCopy(location: u64): usize {
  for (let turn = 0; turn < 2; turn++) {
    if (turn == 1 && atomic.load<u32>(bucketAt(home), at.bucketDisplaced) == 0) break;
    const bucket = bucketAt(turn == 0 ? home : otherOf(home, fingerprint));
    const pattern = (fingerprint << at.slotFingerprintShift) | (turn == 0 ? 0 : displacedBit);
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

/** Points an entry at another copy on disk: its slot, with one hit taken off, or the header of its memory record.
 *  answerSuperseded as reserveDiskLocation: then nothing may be written to the new place. */
export function relocateDisk(hashLow: u32, hashHigh: u32, from: f64, to: f64): i32 {
  setHash((<u64>hashHigh << 32) | <u64>hashLow);
  if (!lock(bucketAt(home))) return at.answerBusy;
  // Before the entry names the new segment: one whose newest sequence is not above the clear epoch counts as cleared.
  const target = diskEntryOf(<u64>to);
  const newest = load<f64>(diskEntryOf(<u64>from), at.diskMaxSequence);
  store<f64>(target, max<f64>(load<f64>(target, at.diskMaxSequence), newest), at.diskMaxSequence);
  const slot = locateLocation(home, fingerprint, diskBit, <u64>from);
  if (slot != 0) {
    const old = locatedWord;
    const word = (fingerprint << at.slotFingerprintShift) | (old & displacedBit) | diskBit | <u64>to;
    const frequency = frequencyOf(old);
    const moved = replace(slot, old, word | (<u64>(frequency > 0 ? frequency - 1 : 0) << at.slotFrequencyShift));
    if (moved) count(counter.counterReinsertions, 1);
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

/** For recovery, newest records first: indexes a disk record unless its class has a disk entry already.
 *  answerDone, or answerAbsent: the caller must mark the record dead, so that it can never come back as an older value.
 *  A record that had to give way in a full bucket is in kill1. */
export function insertRecovered(hashLow: u32, hashHigh: u32, location: f64): i32 {
  store<f64>(block, 0, at.resultTombstone1);
  setHash((<u64>hashHigh << 32) | <u64>hashLow);
  if (!lock(bucketAt(home))) return at.answerAbsent;
  let answer = at.answerAbsent;
  if (locateDiskClass(home, fingerprint) == 0) {
    const word = (fingerprint << at.slotFingerprintShift) | diskBit | <u64>location;
    if (insert(home, fingerprint, word) != 0) {
      countDisk(1);
      answer = at.answerDone;
    }
  }
  unlock(bucketAt(home));
  return answer;
}

/** Removes a disk entry whose record turned out damaged, if the slot still names it; kill0 is its place. */
export function dropSlot(slotNumber: u32, low: u32, high: u32): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  const slot = slotAt(slotNumber);
  const word = atomic.load<u64>(slot);
  const seen = (<u64>high << 32) | <u64>low;
  if (word == 0 || ((word ^ seen) & (locationBits | diskBit)) != 0) return at.answerAbsent;
  home = homeOfSlot(slotNumber >> 3, word);
  if (!lock(bucketAt(home))) return at.answerBusy;
  const now = atomic.load<u64>(slot);
  const same = now != 0 && ((now ^ seen) & (locationBits | diskBit)) == 0;
  if (same) {
    if (isDisk(now)) announceTombstone(0, now & locationBits);
    emptySlot(slot, now);
  }
  unlock(bucketAt(home));
  return same ? at.answerDone : at.answerAbsent;
}

/** Removes cleared, invalidated and expired memory entries, and cleared disk entries, of `buckets` buckets from `from` on; answers
 *  how many expired entries went. Expired means past the last moment it could serve anybody. Each turn of the index also
 *  gives back segments whose eviction met a lock that is free by now. */
export function sweep(from: u32, buckets: u32, now: f64): u32 {
  if (from == 0) unblockSegments();
  let expired: u32 = 0;
  const end = min<u32>(from + buckets, bucketCount);
  for (let bucket = from; bucket < end; bucket++) {
    const base = bucketAt(bucket);
    for (let slot = base + 8; slot < base + at.bucketSize; slot += 8) {
      const word = atomic.load<u64>(slot);
      if (word == 0) continue;
      home = homeOfSlot(bucket, word);
      if (!lock(bucketAt(home))) continue;
      const held = atomic.load<u64>(slot);
      if (held != 0 && ((held ^ word) & ~((<u64>3) << at.slotFrequencyShift)) == 0) {
        if (isDisk(held)) {
          if (isClearedOnDisk(held)) emptySlot(slot, held);
        } else {
          const record = <usize>recordOf(held);
          const deadline = deadlineOf(record);
          // What a tag took away and is on disk leaves with its segment: there its copy is marked dead.
          if (sequenceOf(record) <= clearEpoch() || (diskLocationOf(record) == 0 && isTagInvalidated(record))) {
            emptySlot(slot, held);
          } else if (deadline != 0 && deadline <= now) {
            if (emptySlot(slot, held)) expired += 1;
          }
        }
      }
      unlock(bucketAt(home));
    }
  }
  if (expired != 0) count(counter.counterExpirations, <f64>expired);
  return expired;
}

/** For who tells of expired entries: the next slot from `from` on, before `end`, that names an expired memory entry, or
 *  answerMiss. Results: its word, record and size. Takes no lock and changes nothing: copy the key, then `validate`, then
 *  `dropSlot`, as a reader does. */
export function nextExpired(from: u32, end: u32, now: f64): i32 {
  for (let number = from; number < end; number++) {
    // The first word of a bucket is its lock.
    if ((number & 7) == 0) continue;
    const word = atomic.load<u64>(slotAt(number));
    if (word == 0 || isDisk(word)) continue;
    const record = recordOf(word);
    const deadline = deadlineOf(record);
    if (deadline == 0 || deadline > now || sequenceOf(record) <= clearEpoch()) continue;
    store<u64>(block, word & ~frequencyBits, at.resultSlotLow);
    store<u32>(block, record, at.resultRecord);
    store<u32>(block, recordSizeOf(record), at.resultRecordSize);
    return number;
  }
  return at.answerMiss;
}

/** Does what the slot names have its copy on disk in [first, end)? Only certain under the lock. */
function liesIn(word: u64, first: f64, end: f64): bool {
  if (word == 0) return false;
  const copy = isDisk(word) ? word & locationBits : diskLocationOf(recordOf(word));
  if (copy == 0) return false;
  const unit = <f64>(copy & (((<u64>1) << at.locationUnitBits) - 1));
  return unit >= first && unit < end;
}

/** Forgets what stands on disk at the units [first, end): disk entries go, memory records lose their copy there. Answers
 *  how many slots could not be visited, since their lock could not be had. */
export function dropUnits(first: f64, end: f64): u32 {
  let unvisited: u32 = 0;
  for (let bucket: u32 = 0; bucket < bucketCount; bucket++) {
    for (let slot = bucketAt(bucket) + 8; slot < bucketAt(bucket) + at.bucketSize; slot += 8) {
      // As long as somebody else changes the slot before it is locked, look again.
      for (let word = atomic.load<u64>(slot); liesIn(word, first, end); word = atomic.load<u64>(slot)) {
        home = homeOfSlot(bucket, word);
        if (!lock(bucketAt(home))) {
          unvisited += 1;
          break;
        }
        if (isStill(slot, word) && liesIn(word, first, end)) {
          if (isDisk(word)) emptySlot(slot, word);
          else forgetCopy(recordOf(word));
        }
        unlock(bucketAt(home));
      }
    }
  }
  return unvisited;
}
