// Writes to the index: publish, remove, and the eviction that makes room for a slot. Each verb
// works under the key's home lock, except evictUnlocked, the last resort. A tombstone is announced
// before the slot changes, so that recovery writes it if the thread dies in between.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import * as counter from "../../../stats/counters";
import { assertHeld, assertRecord } from "../assert";
import { flightSequenceOf, invalidateFlights, isSuperseded } from "../flights";
import { block, count, neverEvicts } from "../geometry";
import {
  addDisplaced,
  announceTombstone,
  bucketAt,
  bucketOf,
  locate,
  located,
  locatedWord,
  lock,
  replace,
  retractTombstone,
  sameButFrequency,
  slotAt,
  slotNumber,
  unlock,
} from "./bucket";
import { judgeWrite, needsRecord } from "./condition";
import { countRecord, discount, discountRecord, discountTaken, isCleared } from "./counts";
import { findUnconfirmed, hashOf } from "./lookup";
import { diskCopyOf, insert } from "./placement";
import {
  displacedBit,
  fingerprintOf,
  homeOf,
  isDisk,
  locationBits,
  locationOf,
  recordOf,
  segmentOfRecord,
} from "./slot";
import { noteInvalidation, noteWritten } from "../invalidations";
import {
  diskLocationOf,
  expiresOf,
  flagsOf,
  hashOfKey,
  isDeletion,
  isHead,
  isValueless,
  recordSizeOf,
  sequenceOf,
  sequenceWordOf,
  spaceOf,
  valueOf,
} from "../segments/record";
import { isSampled, noteRequest } from "../segments/samples";
import { noteEntry, noteRecord } from "../segments/segments";
import { isFillInvalidated, isTagInvalidated } from "../tags/tagged-records";

/** Discounts what a slot named. If that is the head of a value in chunks: notes which, so that the
 *  caller drops them. Call with the lock held under which the slot changed. */
function noteReplaced(hash: u64, word: u64): void {
  discount(word);
  if (isDisk(word) || !isHead(flagsOf(recordOf(word)))) return;
  const head = valueOf(recordOf(word));
  const value = block + at.threadValue;
  store<u64>(value, hash, at.valueHash);
  store<u64>(value, load<u64>(head, rec.headId), at.valueId);
  store<u32>(value, load<u32>(head, rec.headChunks), at.valueChunks);
  store<u8>(value, <u8>spaceOf(recordOf(word)), at.valueSpace);
}

function writeHeader(
  record: usize,
  extent: u32,
  codec: u32,
  flags: u32,
  units: u32,
  created: f64,
  sequence: u64,
): void {
  const since = <u64>max<f64>(0, created - load<f64>(at.controlCreatedBase));
  store<u8>(record, <u8>(extent >> at.extentSpaceShift), rec.recordSpace);
  store<u16>(record, <u16>((extent & at.extentLengthMask) - 1), rec.recordKeyLength);
  store<u8>(record, <u8>codec, rec.recordCodec);
  store<u8>(record, <u8>flags, rec.recordFlags);
  store<u32>(record, <u32>since, rec.recordCreatedLow);
  store<u32>(record, 0, rec.recordChecksum);
  const high = (since >> 32) & 0xff;
  atomic.store<u64>(record, sequence | (<u64>units << 48) | (high << 56), rec.recordSequence);
}

/** Makes a reserved record the newest of its key: assigns its sequence, writes the header and
 *  changes the slot, all under the key's lock. The caller has written extension, key and value
 *  after the header. `flight` is the caller's flight + 1, or 0. `condition` and `wanted` say what
 *  the write depends on (condition.ts). Answers answerDone, answerSuperseded, answerChanged,
 *  answerOutdated, answerBusy or, in a map, answerNoRoom. Results: sequence, change, slot,
 *  tombstones 0 and 1, and in the value register the value in chunks that it replaced. */
export function publish(
  record: u32,
  extent: u32,
  codec: u32,
  flags: u32,
  units: u32,
  created: f64,
  flight: u32,
  hashLow: u32,
  hashHigh: u32,
  condition: u32,
  wanted: f64,
): i32 {
  assertRecord(record);
  assertHeld(segmentOfRecord(record), at.segmentOpen);
  const key = <usize>record + rec.recordHeaderSize + (units << 3);
  const hash = hashOf(key, extent, hashLow, hashHigh);
  clearResults();
  const home = homeOf(hash);
  const fingerprint = fingerprintOf(hash);
  if (!lock(bucketAt(home))) return at.answerBusy;
  // The sequence first: a clear that the check below does not see takes a newer one (mod.ts).
  const sequence = atomic.add<u64>(at.controlSequence, 1) + 1;
  if (
    flight != 0 &&
    (isSuperseded(flight - 1) || isFillInvalidated(record, flags, flightSequenceOf(flight - 1)))
  ) {
    unlock(bucketAt(home));
    return at.answerSuperseded;
  }
  const allowed = judge(hash, key, extent, condition, wanted, isDeletion(flags), created);
  if (allowed != at.answerDone) return unlocked(home, allowed);
  // A fill has no sequence, so answers no reader, until its flight is checked once more.
  writeHeader(record, extent, codec, flags, units, created, flight == 0 ? sequence : 0);
  noteRecord(record, sequence);
  store<f64>(block, reinterpret<f64>(noteInvalidation(hash)), at.resultChange);
  let word = (fingerprint << at.slotFingerprintShift) | locationOf(record);
  locate(home, fingerprint, key, extent);
  let slot = located;
  if (slot != 0) {
    const old = locatedWord;
    const copy = diskCopyOf(old);
    if (copy != 0) announceTombstone(0, copy);
    if (replace(slot, old, word | (old & displacedBit))) {
      noteReplaced(hash, old);
    } else {
      retractTombstone(0);
      slot = 0;
    }
  }
  if (slot == 0 && needsRecord(condition, wanted)) return unlocked(home, at.answerChanged);
  if (slot == 0) slot = insert(home, fingerprint, word);
  let answer: i32 = neverEvicts ? at.answerNoRoom : at.answerBusy;
  if (slot != 0) {
    countRecord(record, 1);
    answer = at.answerDone;
    if (flight != 0) {
      // A delete without this lock may have looked too early. A later one finds the slot filled.
      if (isSuperseded(flight - 1)) {
        withdraw(home, slot, word);
        answer = at.answerSuperseded;
      } else confirm(record, sequence);
    }
  }
  if (answer == at.answerDone) noteEntry(record);
  invalidateFlights(hash);
  unlock(bucketAt(home));
  if (isSampled(hash)) noteRequest(hash, record);
  store<f64>(block, <f64>sequence, at.resultSequence);
  storeSlot(home, slot, word);
  return answer;
}

/** Looks at a condition, if there is one, with the home lock held. */
function judge(
  hash: u64,
  key: usize,
  extent: u32,
  condition: u32,
  wanted: f64,
  isRemoval: bool,
  now: f64,
): i32 {
  if (condition == at.conditionNone) return at.answerDone;
  locate(homeOf(hash), fingerprintOf(hash), key, extent);
  return judgeWrite(extent >> at.extentSpaceShift, condition, wanted, isRemoval, now);
}

/** Stores which slot shows a word, in the results; 0 = none. */
function storeSlot(home: u32, slot: usize, word: u64): void {
  store<u32>(block, slot != 0 ? slotNumber(slot) : 0, at.resultSlot);
  // The word as a near entry holds it, without the frequency.
  const shown = slot != 0 && bucketOf(slot) != home ? word | displacedBit : word;
  store<u64>(block, shown, at.resultSlotLow);
}

function unlocked(home: u32, answer: i32): i32 {
  unlock(bucketAt(home));
  return answer;
}

/** Sets the results of publish and remove to nothing. */
export function clearResults(): void {
  store<f64>(block, 0, at.resultTombstone0);
  store<f64>(block, 0, at.resultTombstone1);
  store<u32>(block, 0, at.threadValue + at.valueChunks);
}

/** Makes a fill visible to readers. */
function confirm(record: usize, sequence: u64): void {
  atomic.store<u64>(record, sequenceWordOf(record) | sequence, rec.recordSequence);
}

/** Removes a fill that publish has just put in a slot. */
function withdraw(home: u32, slot: usize, word: u64): void {
  const own = atomic.load<u64>(slot);
  if (((own ^ word) & locationBits) != 0 || isDisk(own) || !replace(slot, own, 0)) return;
  discountRecord(recordOf(own));
  if (own & displacedBit) addDisplaced(home, -1);
}

/** Removes the key. answerDone if it was there (a disk entry: if the index says so),
 *  answerAbsent if not, or if there was a record without a value; answerChanged or answerOutdated
 *  if the condition does not hold. Results: expires, tombstones 0 and 1, and in the value register
 *  the value in chunks that it removed. */
export function remove(
  key: u32,
  extent: u32,
  hashLow: u32,
  hashHigh: u32,
  condition: u32,
  wanted: f64,
): i32 {
  const hash = hashOf(key, extent, hashLow, hashHigh);
  clearResults();
  const home = homeOf(hash);
  if (!lock(bucketAt(home))) return at.answerBusy;
  locate(home, fingerprintOf(hash), key, extent);
  const space = extent >> at.extentSpaceShift;
  let answer: i32 = at.answerDone;
  if (condition != at.conditionNone) {
    answer = judgeWrite(space, condition, wanted, true, load<f64>(at.controlClock));
  }
  if (answer == at.answerDone) {
    answer = removeLocated(hash, home, space);
    invalidateFlights(hash);
  }
  unlock(bucketAt(home));
  return answer;
}

/** Empties the slot that `locate` has found, if any, for `remove` and for a guard. `space` is the
 *  key's. Call with the home lock held, and the results of remove set to nothing. */
export function removeLocated(hash: u64, home: u32, space: u32): i32 {
  // Also if we find nothing: a thread may still keep a near value of an entry that left the index.
  store<f64>(block, reinterpret<f64>(noteInvalidation(hash)), at.resultChange);
  let answer = at.answerAbsent;
  if (located != 0) {
    const old = locatedWord;
    const copy = diskCopyOf(old);
    const gone =
      isCleared(old, space) ||
      (!isDisk(old) && (isTagInvalidated(recordOf(old)) || isValueless(recordOf(old))));
    const expires = isDisk(old) ? 0 : expiresOf(recordOf(old));
    if (copy != 0) announceTombstone(0, copy);
    if (replace(located, old, 0)) {
      if (old & displacedBit) addDisplaced(home, -1);
      noteReplaced(hash, old);
      if (!gone) {
        store<f64>(block, expires, at.resultExpires);
        answer = at.answerDone;
      }
    } else {
      retractTombstone(0);
    }
  }
  return answer;
}

/** The last resort when a key's lock cannot be had: empties a slot of the key without the lock,
 *  so that no older value is read. answerDone: it emptied one; the caller must write tombstones
 *  0 and 1 before the next call. answerAbsent: none is left. The displaced count of the bucket
 *  may stay too high, which costs searches one cache line and never hides an entry. */
export function evictUnlocked(key: u32, extent: u32): i32 {
  const hash = hashOfKey(key, extent);
  noteWritten(hash);
  // Flights first: a fill that checks its flight again sees this, or takeUnlocked finds its slot.
  invalidateFlights(hash);
  const answer = takeUnlocked(key, extent);
  // After the slot changed: without the lock, a thread may keep what it found there until then.
  store<f64>(block, reinterpret<f64>(noteInvalidation(hash)), at.resultChange);
  return answer;
}

function takeUnlocked(key: u32, extent: u32): i32 {
  for (let attempt = 0; attempt <= at.readRetriesMax; attempt++) {
    store<f64>(block, 0, at.resultTombstone0);
    store<f64>(block, 0, at.resultTombstone1);
    const found = findUnconfirmed(key, extent);
    if (found == at.answerMiss) break;
    const slot = slotAt(found >= 0 ? <u32>found : <u32>(at.answerDisk - found));
    const word = atomic.load<u64>(slot);
    if (!sameButFrequency(word, load<u64>(block, at.resultSlotLow))) continue;
    // Read before the slot changes: without the lock, nothing keeps the segment from reuse
    // afterwards.
    const copy = diskCopyOf(word);
    const size = isDisk(word) ? 0 : recordSizeOf(recordOf(word));
    const flags = isDisk(word) ? 0 : flagsOf(recordOf(word));
    const space = extent >> at.extentSpaceShift;
    const isCounted = (!isDisk(word) && sequenceOf(recordOf(word)) == 0) || !isCleared(word);
    if (copy != 0) announceTombstone(0, copy);
    if (atomic.cmpxchg<u64>(slot, word, 0) == word) {
      // A disk location that was announced meanwhile was announced before the slot was empty
      // (isStill in ../moves/key-lock.ts), so it is visible here.
      const later = isDisk(word) ? copy : diskLocationOf(recordOf(word));
      // The read counts only if the segment still has the same generation after it.
      if (later != 0 && later != copy && locationOf(recordOf(word)) == (word & locationBits))
        announceTombstone(1, later);
      discountTaken(word, size, flags, space, isCounted);
      return at.answerDone;
    }
    retractTombstone(0);
  }
  return at.answerAbsent;
}
