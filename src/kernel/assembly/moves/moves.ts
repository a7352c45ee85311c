// What the janitor does to a memory record: reserve a disk location for it, move it to another
// segment, demote it to its disk copy, or drop it. A writer that finds no free segment evicts too,
// and a reader promotes. Every verb that takes a record answers answerBusy if it cannot get the
// key's lock; the caller then knows nothing about the record.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import * as counter from "../../../stats/counters";
import { block, count, segmentBase, segmentShift } from "../geometry";
import {
  announceTombstone,
  bucketAt,
  locateDiskClass,
  locateLocation,
  locatedWord,
  lock,
  replace,
  retractTombstone,
  slotAt,
  unlock,
} from "../index/bucket";
import { countDisk, countRecord, discount, uncount } from "../index/counts";
import {
  chunkBit,
  diskBit,
  displacedBit,
  frequencyBits,
  frequencyOf,
  frequencyOne,
  locationBits,
  locationOf,
  recordOf,
} from "../index/slot";
import { noteInvalidation } from "../invalidations";
import { emptySlot, fingerprint, home, isStill, lockRecord, missed, setHash } from "./key-lock";
import {
  diskLocationOf,
  flagsOf,
  hashOfRecord,
  isChunk,
  isClearedRecord,
  isHead,
  recordSizeOf,
  sequenceOf,
  setDiskLocation,
  valueOf,
} from "../segments/record";
import { isSampled, noteRequest } from "../segments/samples";
import { noteDead, noteEntry, noteRecord, reserve, segmentEntry } from "../segments/segments";
import { isInvalidated } from "../tags/tagged-records";
import { xxh64, xxh64WithoutFourth } from "../xxh64";

/** The checksum that a record in memory gets on disk, where its disk location is 0. Its checksum is
 *  0 in memory, and the location ends its first 32 bytes. The caller has pinned its segment. */
export function checksumOnDisk(record: u32, seedLow: u32, seedHigh: u32): u32 {
  const seed = (<u64>seedHigh << 32) | <u64>seedLow;
  return <u32>xxh64WithoutFourth(record, recordSizeOf(record), seed);
}

/** The frequency of the slot that names the record, or answerMiss if no slot does, or the record
 *  is cleared or invalidated. */
export function frequencyOfRecord(record: u32): i32 {
  if (sequenceOf(record) == 0) return at.answerMiss;
  const slot = lockRecord(record);
  if (slot == 0) return missed == at.answerBusy ? at.answerBusy : at.answerMiss;
  const frequency = <i32>frequencyOf(locatedWord);
  unlock(bucketAt(home));
  return isInvalidated(record) ? at.answerMiss : frequency;
}

/** Takes the hits away from the slots that name records of a segment that this thread has claimed,
 *  and has near values of their keys count theirs again. */
export function forgetHits(segment: u32): void {
  const end = load<u32>(segmentEntry(segment), at.segmentWriteOffset);
  const base = <u32>segmentBase + (segment << segmentShift);
  let record = base;
  while (record < base + end) {
    const size = recordSizeOf(record);
    if (size == 0) return;
    forgetHitsOf(record);
    record += (size + 7) & ~7;
  }
}

/** Most records have no hits, so it looks before it takes a lock. Near values are told after the
 *  slot has changed: one that is kept by its key meanwhile was kept for what the slot showed
 *  before, and hears of it. Does nothing to a chunk, in whose slot these bits are no hits, nor
 *  while the key's lock cannot be had. */
function forgetHitsOf(record: u32): void {
  if (sequenceOf(record) == 0 || isChunk(flagsOf(record))) return;
  setHash(hashOfRecord(record));
  const seen = locateLocation(home, fingerprint, 0, locationOf(record));
  if (seen == 0 || frequencyOf(locatedWord) == 0) return;
  const slot = lockRecord(record);
  if (slot == 0) return;
  const word = locatedWord;
  if (frequencyOf(word) != 0 && replace(slot, word, word & ~frequencyBits)) {
    noteInvalidation(load<u64>(block, at.resultHashLow));
  }
  unlock(bucketAt(home));
}

/** Announces where on disk the record's copy will be, before it is written; 0 retracts that.
 *  answerAbsent: the record is dead or has a disk copy already (it was promoted); it must not be
 *  written. A writer that replaces the record afterwards sees the location and writes its
 *  tombstone. answerSuperseded: evictUnlocked took the entry during the announcement. The record
 *  must not be written, nor anything else to that location, since it may get a tombstone. */
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

/** Copies a live record to this thread's open segment of a log, and points its slot there with a
 *  new frequency. */
export function move(record: u32, log: u32, frequency: u32): i32 {
  const copy = reserve(recordSizeOf(record), log, 1);
  if (copy == 0) return at.answerNoRoom;
  const slot = lockRecord(record);
  if (slot == 0) return missed;
  return moveSlot(slot, locatedWord, copy, log, frequency, 0);
}

/** Moves the record that a slot shows to `copy`, which this thread has reserved, and adds `rounds`
 *  to a head's rounds. Call with the lock of the record's key held, and its hash in the results; it
 *  frees the lock. */
export function moveSlot(
  slot: usize,
  old: u64,
  copy: u32,
  log: u32,
  frequency: u32,
  rounds: u32,
): i32 {
  const record = <usize>recordOf(old);
  const size = recordSizeOf(record);
  const sequence = sequenceOf(record);
  // The word with the sequence comes last: until then a walker takes the copy for unpublished.
  memory.copy(copy + 16, record + 16, size - 16);
  store<u64>(copy, load<u64>(record));
  // `valueOf` needs the length of the extension, which is in that word: so take the original's.
  const round = <usize>copy + (valueOf(record) - record) + rec.headRound;
  if (rounds != 0) store<u32>(round, load<u32>(round) + rounds);
  atomic.store<u64>(copy, load<u64>(record, 8), 8);
  noteRecord(copy, sequence);
  const word = (fingerprint << at.slotFingerprintShift) | (<u64>frequency << at.slotFrequencyShift);
  const moved = replace(slot, old, word | (old & displacedBit) | locationOf(copy));
  if (moved) {
    // So that near copies kept by key are dropped and their hits reach the slot again.
    noteInvalidation(load<u64>(block, at.resultHashLow));
    noteDead(<u32>record, (size + 7) & ~7);
    if (log == at.logMain && !isChunk(flagsOf(copy))) count(counter.counterMovesToMain, 1);
  }
  unlock(bucketAt(home));
  return moved ? at.answerDone : at.answerAbsent;
}

/** Invalidates near values of a record that leaves memory. Its value is still right, so
 *  correctness does not need this, but near values should not outlast the record. Only a record
 *  that was hit can have any. Call with the hash in the results. */
export function noteRemoval(word: u64): void {
  if (frequencyOf(word) != 0) noteInvalidation(load<u64>(block, at.resultHashLow));
}

/** Points a record's slot at its disk copy, or drops the record if it has none. answerDone:
 *  demoted. answerAbsent: no slot names it. answerMiss: dropped, and tombstone 0 is the location of
 *  its copy, if it was invalidated. A class has one disk slot: an older disk entry of the same
 *  class leaves, and tombstone 0 is its location. */
export function demote(record: u32): i32 {
  return leave(record, false);
}

/** As `demote`, at a clean close: the slot keeps how often the entry was hit, for the next open. */
export function demoteAtClose(record: u32): i32 {
  return leave(record, true);
}

function leave(record: u32, isClose: bool): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  if (sequenceOf(record) == 0) return at.answerAbsent;
  const slot = lockRecord(record);
  if (slot == 0) return missed;
  const old = locatedWord;
  const copy = diskLocationOf(record);
  noteRemoval(old);
  let answer = at.answerAbsent;
  if (copy != 0 && !isInvalidated(record)) {
    // In the slot of a chunk these bits are no hits.
    const kept = isClose && (copy & chunkBit) == 0 ? old & frequencyBits : 0;
    if (demoteSlot(slot, old, copy | kept)) {
      noteDead(record, (recordSizeOf(record) + 7) & ~7);
      answer = at.answerDone;
    }
  } else {
    // Once its tag is forgotten, nothing else remembers that the copy of an invalidated record is
    // dead. A clear is remembered.
    const isVoid = copy != 0 && !isClearedRecord(record);
    if (isVoid) announceTombstone(0, copy);
    if (emptySlot(home, slot, old)) answer = at.answerMiss;
    else if (isVoid) retractTombstone(0);
  }
  unlock(bucketAt(home));
  return answer;
}

/** Points a slot at the disk copy of the memory record that it shows, with the frequency in `copy`,
 *  and removes the disk entry of its class that is there; tombstone 0 is that one's location. Call
 *  with the lock of the record's key held. False if evictUnlocked emptied the slot. */
export function demoteSlot(slot: usize, old: u64, copy: u64): bool {
  const rival = locateDiskClass(home, fingerprint);
  if (rival != 0) {
    announceTombstone(0, locatedWord & locationBits);
    if (emptySlot(home, rival, locatedWord)) count(counter.counterEvictionsIndex, 1);
    else retractTombstone(0);
  }
  const word = (fingerprint << at.slotFingerprintShift) | (old & displacedBit) | diskBit | copy;
  if (!replace(slot, old, word)) return false;
  uncount(old);
  countDisk(copy, 1);
  if ((copy & chunkBit) == 0) count(counter.counterDemotions, 1);
  return true;
}

/** Drops a record if a slot still names it; tombstone 0 is its disk location, if any. It also
 *  accepts a record without a sequence: the slot of a fill whose thread died may name it. A
 *  record that was never published may show any key, but no slot names it. */
export function dropRecord(record: u32): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  const slot = lockRecord(record);
  if (slot == 0) return missed;
  const copy = diskLocationOf(record);
  if (copy != 0) announceTombstone(0, copy);
  noteRemoval(locatedWord);
  emptySlot(home, slot, locatedWord);
  unlock(bucketAt(home));
  return at.answerDone;
}

/** Points the slot of a disk entry at a copy that this thread has just written to its open
 *  segment. `record` must be reserved and filled, with the entry's own sequence in its header.
 *  answerAbsent if the slot changed meanwhile. */
export function promote(record: u32, slotNumber: u32, low: u32, high: u32): i32 {
  return bringBack(record, slotNumber, low, high, true);
}

/** As `promote`, for an entry that nobody has asked for in this session: it keeps the hits that its
 *  slot shows. */
export function preload(record: u32, slotNumber: u32, low: u32, high: u32): i32 {
  return bringBack(record, slotNumber, low, high, false);
}

function bringBack(record: u32, slotNumber: u32, low: u32, high: u32, isHit: bool): i32 {
  const sequence = sequenceOf(record);
  setHash(hashOfRecord(record));
  if (!lock(bucketAt(home))) return at.answerBusy;
  const slot = slotAt(slotNumber);
  const old = atomic.load<u64>(slot);
  const seen = (<u64>high << 32) | <u64>low;
  let answer = at.answerAbsent;
  if (((old ^ seen) & (locationBits | diskBit)) == 0 && old != 0 && !isInvalidated(record)) {
    setDiskLocation(record, old & locationBits);
    // A chunk's slot has the round of its value, which is the frequency below.
    if (isHead(flagsOf(record))) store<u32>(valueOf(record), 1, rec.headRound);
    noteRecord(record, sequence);
    const isEntry = !isChunk(flagsOf(record));
    const hits = isHit || !isEntry ? frequencyOne : old & frequencyBits;
    const word = (fingerprint << at.slotFingerprintShift) | hits;
    if (replace(slot, old, word | (old & displacedBit) | locationOf(record))) {
      discount(old);
      countRecord(record, 1);
      if (isEntry) count(isHit ? counter.counterPromotions : counter.counterPreloads, 1);
      if (!isHit) count(counter.counterPreloadedBytes, <f64>recordSizeOf(record));
      noteEntry(record);
      answer = at.answerDone;
    }
  }
  const hash = load<u64>(block, at.resultHashLow);
  if (answer == at.answerDone && isHit && isSampled(hash)) noteRequest(hash, record);
  // A walker must not take the abandoned copy for a published record.
  if (answer != at.answerDone) store<u64>(record, 0, 8);
  unlock(bucketAt(home));
  return answer;
}

/** As `promote`, for a record whose bytes were copied from a file and not verified yet: answerMiss
 *  if its checksum, with this seed, is another. Its size is the one that was reserved, and its
 *  checksum field is zero. */
export function promoteRead(
  record: u32,
  slotNumber: u32,
  low: u32,
  high: u32,
  checksum: u32,
  seedLow: u32,
  seedHigh: u32,
): i32 {
  const own = (<u64>seedHigh << 32) | <u64>seedLow;
  if (<u32>xxh64(record, recordSizeOf(record), own) == checksum) {
    return promote(record, slotNumber, low, high);
  }
  // As in promote: no walker may take it for a published record.
  store<u64>(record, 0, 8);
  return at.answerMiss;
}
