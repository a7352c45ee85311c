// What is done to a value in chunks as to one entry: find its head from any part, and move, demote
// or drop head and chunks. Called by whoever evicts, flushes or reclaims, and by the writer of the
// value. Which value is meant stands in the thread's value register (threadValue), so that the
// chunks can still be named when the head is gone. Each verb takes one lock, that of the head's or
// of one chunk's key. Invariant: a chunk without a head in memory is dead, unless its value is
// being written (threadLargeWrite) or its head is on disk.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import { answerSpilling } from "../../layouts/stream-layout";
import { block, diskSegmentUnits } from "../geometry";
import {
  addDisplaced,
  announceTombstone,
  bucketAt,
  diskEntryOf,
  locate,
  located,
  locatedWord,
  locateDiskClass,
  lock,
  replace,
  retractTombstone,
  sameButFrequency,
  slotAt,
  slotNumber,
  unlock,
} from "../index/bucket";
import { uncount } from "../index/counts";
import { diskCopyOf } from "../index/placement";
import {
  chunkBit,
  displacedBit,
  frequencyBits,
  frequencyOf,
  isDisk,
  locationBits,
  nearBits,
  otherOf,
  recordOf,
  segmentOfRecord,
} from "../index/slot";
import { fingerprint, home, setHash } from "./key-lock";
import { demoteSlot, moveSlot, noteRemoval } from "./moves";
import {
  diskLocationOf,
  entrySizeOf,
  flagsOf,
  hashOfKey,
  hashOfRecord,
  isChunk,
  isHead,
  keyOf,
  recordSizeOf,
  spaceOf,
  valueOf,
} from "../segments/record";
import { noteDead, noteMissedLock, reserve, segmentEntry } from "../segments/segments";
import { isOfStream, isSpilling, streamWord } from "./streams";
import { isInvalidated } from "../tags/tagged-records";

/** Names the value that the verbs below are about, and the space that it is in. */
export function setValue(
  hashLow: u32,
  hashHigh: u32,
  idLow: u32,
  idHigh: u32,
  space: u32,
): void {
  const value = block + at.threadValue;
  store<u64>(value, (<u64>hashHigh << 32) | <u64>hashLow, at.valueHash);
  store<u64>(value, (<u64>idHigh << 32) | <u64>idLow, at.valueId);
  store<u8>(value, <u8>space, at.valueSpace);
}

/** Says that this thread writes the value with this id: its chunks live without a head until
 *  `endLargeWrite`. */
export function beginLargeWrite(idLow: u32, idHigh: u32): void {
  atomic.store<u64>(block, (<u64>idHigh << 32) | <u64>idLow, at.threadLargeWrite);
}

/** Call it when the head is published, or chunks are dropped. 0: eviction abandoned the write. */
export function endLargeWrite(): u32 {
  const id = atomic.load<u64>(block, at.threadLargeWrite);
  return id != 0 && atomic.cmpxchg<u64>(block, id, 0, at.threadLargeWrite) == id ? 1 : 0;
}

/** Ends the write of the value in the value register, whose writer learns of it in `endLargeWrite`.
 *  0: the write has ended, so its head may be published. */
export function abandonLargeWrite(): u32 {
  const id = load<u64>(block + at.threadValue, at.valueId);
  return atomic.cmpxchg<u64>(writeWord(id), id, 0) == id ? 1 : 0;
}

/** Where the id of a value stands while it is being written: in its thread's block, or among the
 *  streams. Bytes from disk may be noise, so the thread id is cut to one that there can be. */
function writeWord(id: u64): usize {
  if (isOfStream(id)) return streamWord(id);
  const thread = min<usize>(<usize>(id & 0xff), at.threadsMax - 1);
  return <usize>at.threadTable + thread * <usize>at.threadBlockSize + at.threadLargeWrite;
}

/** Is the value with this id being written? */
function isBeingWritten(id: u64): bool {
  return id != 0 && atomic.load<u64>(writeWord(id)) == id;
}

let headWord: u64 = 0;

/** The memory slot of the head with this id; its word is in headWord. 0 if there is none. Call
 *  with the head's lock held. */
function locateHead(id: u64): usize {
  for (let pass = 0; pass < 2; pass++) {
    if (pass == 1 && atomic.load<u32>(bucketAt(home), at.bucketDisplaced) == 0) break;
    const bucket = bucketAt(pass == 0 ? home : otherOf(home, fingerprint));
    const pattern = (fingerprint << at.slotFingerprintShift) | (pass == 0 ? 0 : displacedBit);
    for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
      const word = atomic.load<u64>(slot);
      if ((word & nearBits) != pattern) continue;
      const record = <usize>recordOf(word);
      if (!isHead(flagsOf(record)) || load<u64>(valueOf(record), rec.headId) != id) continue;
      headWord = word;
      return slot;
    }
  }
  return 0;
}

/** Finds the head of a chunk, or of a head itself, and fills the value register. The record must
 *  not be reused meanwhile. answerInMemory: the value lives; results: slot, word, record and size
 *  of the head, and the rest of the value register. answerWriting: the value is being written;
 *  answerSpilling: as a stream that is larger than memory takes.
 *  answerDisk: the head is not in memory, and may be on disk: results: slot, word, location and
 *  frequency of the disk entry of its class. answerAbsent: the chunk is dead.
 *  answerBusy: the lock could not be had (noteMissedLock). */
export function findHead(record: u32): i32 {
  const value = block + at.threadValue;
  store<u8>(value, <u8>spaceOf(record), at.valueSpace);
  if (isChunk(flagsOf(record))) {
    const key = keyOf(record);
    const id = load<u64>(key, rec.chunkId);
    store<u64>(value, load<u64>(key, rec.chunkHash), at.valueHash);
    store<u64>(value, id, at.valueId);
    if (isSpilling(id)) return answerSpilling;
    // Before the head is looked for: the writer publishes the head and then ends the write. So if
    // the write has ended here, the head is found below, or the value is dead.
    if (isBeingWritten(id)) return at.answerWriting;
  } else {
    store<u64>(value, hashOfRecord(record), at.valueHash);
    store<u64>(value, load<u64>(valueOf(record), rec.headId), at.valueId);
  }
  return lookForHead();
}

/** As `findHead`, for the value of a chunk on disk that the value register names. */
export function findHeadOnDisk(): i32 {
  const id = load<u64>(block + at.threadValue, at.valueId);
  if (isBeingWritten(id)) return isSpilling(id) ? answerSpilling : at.answerWriting;
  return lookForHead();
}

/** The same for the value that the value register names, if it is not being written. */
export function lookForHead(): i32 {
  const value = block + at.threadValue;
  setHash(load<u64>(value, at.valueHash));
  if (!lock(bucketAt(home))) {
    noteMissedLock(home);
    return at.answerBusy;
  }
  const slot = locateHead(load<u64>(value, at.valueId));
  let answer = at.answerAbsent;
  if (slot == 0) {
    const disk = locateDiskClass(home, fingerprint);
    if (disk != 0) {
      store<u32>(block, slotNumber(disk), at.resultSlot);
      store<u64>(block, locatedWord & ~frequencyBits, at.resultSlotLow);
      store<f64>(block, <f64>(locatedWord & locationBits), at.resultLocation);
      store<u8>(value, <u8>frequencyOf(locatedWord), at.valueFrequency);
      answer = at.answerDisk;
    }
  } else if (!isInvalidated(recordOf(headWord))) {
    const head = recordOf(headWord);
    const list = valueOf(head);
    store<u32>(value, load<u32>(list, rec.headChunks), at.valueChunks);
    store<u32>(value, entrySizeOf(head), at.valueBytes);
    store<u8>(value, <u8>frequencyOf(headWord), at.valueFrequency);
    store<u32>(value, load<u32>(list, rec.headRound), at.valueRound);
    const log = load<u32>(segmentEntry(segmentOfRecord(head)), at.segmentLog);
    store<u8>(value, <u8>log, at.valueLog);
    store<u32>(block, slotNumber(slot), at.resultSlot);
    store<u64>(block, headWord & ~frequencyBits, at.resultSlotLow);
    store<u32>(block, head, at.resultRecord);
    store<u32>(block, recordSizeOf(head), at.resultRecordSize);
    answer = at.answerInMemory;
  }
  unlock(bucketAt(home));
  return answer;
}

/** Locks the head that `findHead` found and answers its slot, whose word is in headWord. 0: the
 *  slot has changed, or the lock could not be had (noteMissedLock); `missedHead` says which. */
function lockHead(): usize {
  setHash(load<u64>(block + at.threadValue, at.valueHash));
  missedHead = at.answerBusy;
  if (!lock(bucketAt(home))) {
    noteMissedLock(home);
    return 0;
  }
  const slot = slotAt(load<u32>(block, at.resultSlot));
  headWord = atomic.load<u64>(slot);
  if (sameButFrequency(headWord, load<u64>(block, at.resultSlotLow))) return slot;
  missedHead = at.answerAbsent;
  unlock(bucketAt(home));
  return 0;
}

let missedHead: i32 = at.answerAbsent;

/** Moves the head that `findHead` found to a log, with a new frequency, and begins the value's next
 *  round: the chunks found later follow. answerAbsent if the head has changed. */
export function moveHead(log: u32, frequency: u32): i32 {
  const copy = reserve(load<u32>(block, at.resultRecordSize), log, 1);
  if (copy == 0) return at.answerNoRoom;
  const slot = lockHead();
  if (slot == 0) return missedHead;
  if (isInvalidated(recordOf(headWord))) {
    unlock(bucketAt(home));
    return at.answerAbsent;
  }
  return moveSlot(slot, headWord, copy, log, frequency, 1);
}

/** Demotes the head that `findHead` found to its disk copy. answerMiss: it has none. */
export function demoteHead(): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  const slot = lockHead();
  if (slot == 0) return missedHead;
  const record = recordOf(headWord);
  const copy = diskLocationOf(record);
  let answer = at.answerMiss;
  if (isWritten(copy) && !isInvalidated(record)) {
    noteRemoval(headWord);
    answer = at.answerAbsent;
    if (demoteSlot(slot, headWord, copy)) {
      noteDead(record, (recordSizeOf(record) + 7) & ~7);
      answer = at.answerDone;
    }
  }
  unlock(bucketAt(home));
  return answer;
}

/** Drops the head that `findHead` found; tombstone 0 is its disk location, if any. */
export function dropHead(): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  const slot = lockHead();
  if (slot == 0) return missedHead;
  if (!isDisk(headWord)) noteRemoval(headWord);
  const isDropped = take(slot, headWord, true);
  unlock(bucketAt(home));
  return isDropped ? at.answerDone : at.answerAbsent;
}

/** True if a disk location is one that can be read: its batch is written, not only announced. */
function isWritten(location: u64): bool {
  if (location == 0) return false;
  const unit = (location & (((<u64>1) << at.locationUnitBits) - 1)) % <u64>diskSegmentUnits;
  return <u32>(unit << 4) < atomic.load<u32>(diskEntryOf(location), at.diskEndOffset);
}

/** Empties a slot and announces the tombstone of its copy on disk. `isDead`: its bytes count as
 *  dead. Call with the lock of the slot's entry held. */
function take(slot: usize, word: u64, isDead: bool): bool {
  const copy = diskCopyOf(word);
  if (copy != 0) announceTombstone(0, copy);
  if (!replace(slot, word, 0)) {
    if (copy != 0) retractTombstone(0);
    return false;
  }
  uncount(word);
  if (!isDisk(word)) noteTaken(recordOf(word), isDead);
  if (word & displacedBit) addDisplaced(home, -1);
  return true;
}

/** Leaves the segment and the bytes of a chunk that left memory in the results, and counts the
 *  bytes as dead if it is to. */
function noteTaken(record: u32, isDead: bool): void {
  const bytes = (recordSizeOf(record) + 7) & ~7;
  store<u32>(block + at.threadValue, segmentOfRecord(record) + 1, at.valueSegment);
  store<u32>(block + at.threadValue, bytes, at.valueTaken);
  if (isDead) noteDead(record, bytes);
}

/** Locks a chunk of the value in the value register and finds its slot, or a slot on disk of a
 *  chunk of its class: sets `located`. False if the lock could not be had (noteMissedLock). */
function lockChunk(number: u32): bool {
  const value = block + at.threadValue;
  const key = value + at.valueKey;
  store<u8>(key, 0);
  store<u64>(key, load<u64>(value, at.valueHash), rec.chunkHash);
  store<u64>(key, load<u64>(value, at.valueId), rec.chunkId);
  store<u32>(key, number, rec.chunkNumber);
  store<u32>(value, 0, at.valueSegment);
  const extent = rec.chunkKeySize | ((<u32>load<u8>(value, at.valueSpace)) << at.extentSpaceShift);
  setHash(hashOfKey(key, extent));
  if (!lock(bucketAt(home))) {
    noteMissedLock(home);
    return false;
  }
  locate(home, fingerprint, key, extent);
  return true;
}

/** Is what `lockChunk` found a chunk? A disk slot of its class may be another key's. */
function isChunkThere(): bool {
  return located != 0 && (!isDisk(locatedWord) || (locatedWord & chunkBit) != 0);
}

/** Where a chunk is: answerDisk: on disk only, at the location in the results. answerDone: in
 *  memory, with a copy on disk. answerInMemory: in memory only. answerAbsent: nowhere.
 *  answerBusy. */
export function chunkCopy(number: u32): i32 {
  if (!lockChunk(number)) return at.answerBusy;
  let answer = at.answerAbsent;
  if (isChunkThere()) {
    const copy = diskCopyOf(locatedWord);
    store<f64>(block, <f64>copy, at.resultLocation);
    answer = isWritten(copy) ? at.answerDone : at.answerInMemory;
    if (isDisk(locatedWord)) answer = at.answerDisk;
  }
  unlock(bucketAt(home));
  return answer;
}

/** Demotes a chunk to its disk copy. answerDone: it is on disk only. answerMiss: it has no copy.
 *  answerAbsent: it is nowhere. `isDead`: count its bytes as dead. Results: tombstone 0, and the
 *  segment (+ 1, or 0) and bytes that it leaves. */
export function demoteChunk(number: u32, isDead: u32): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  if (!lockChunk(number)) return at.answerBusy;
  let answer = at.answerAbsent;
  if (isChunkThere()) {
    answer = at.answerDone;
    const slot = located;
    const word = locatedWord;
    if (!isDisk(word)) {
      const copy = diskCopyOf(word);
      if (!isWritten(copy)) answer = at.answerMiss;
      else if (demoteSlot(slot, word, copy)) noteTaken(recordOf(word), isDead != 0);
      else answer = at.answerAbsent;
    }
  }
  unlock(bucketAt(home));
  return answer;
}

/** Drops a chunk. `isDead` and results as for `demoteChunk`; tombstone 0 is its location on
 *  disk. */
export function dropChunk(number: u32, isDead: u32): i32 {
  store<f64>(block, 0, at.resultTombstone0);
  if (!lockChunk(number)) return at.answerBusy;
  const isDropped = isChunkThere() && take(located, locatedWord, isDead != 0);
  unlock(bucketAt(home));
  return isDropped ? at.answerDone : at.answerAbsent;
}

let notedChunks: u32 = 0;

/** Notes which value a head is of that was just taken out, for `dropNoted`. False if the record is
 *  no head. Call with the lock held under which its slot changed. */
export function noteHead(record: usize): bool {
  if (!isHead(flagsOf(record))) return false;
  const list = valueOf(record);
  const value = block + at.threadValue;
  store<u64>(value, load<u64>(list, rec.headHash), at.valueHash);
  store<u64>(value, load<u64>(list, rec.headId), at.valueId);
  store<u8>(value, <u8>spaceOf(record), at.valueSpace);
  notedChunks = load<u32>(list, rec.headChunks);
  return true;
}

/** Drops the chunks of the head noted last, but for those with a copy on disk, which need a
 *  tombstone: eviction finds that they are dead. Call without a lock. */
export function dropNoted(): void {
  const chunks = notedChunks;
  notedChunks = 0;
  for (let number: u32 = 0; number < chunks; number++) {
    if (!lockChunk(number)) continue;
    if (located != 0 && diskCopyOf(locatedWord) == 0) take(located, locatedWord, true);
    unlock(bucketAt(home));
  }
}

/** Counts bytes as dead that left a segment without being counted, while it has this
 *  generation. */
export function noteDeadBytes(segment: u32, bytes: u32, generation: u32): void {
  const entry = segmentEntry(segment);
  if (atomic.load<u32>(entry, at.segmentGeneration) != generation) return;
  atomic.add<u32>(entry, bytes, at.segmentDeadBytes);
}
