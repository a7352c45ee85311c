// The verbs of every thread: find, publish, remove, validate. A reader takes no lock: it loads a slot, compares the key
// in place, fences, and loads the slot again; while the word is unchanged (but for frequency) what it read is whole,
// since a segment is reused only after every slot that named it was changed. Writers work under the home lock.
import * as at from "../layout";
import * as rec from "../../record/layout";
import * as counter from "../../stats/counters";
import {
  addDisplaced,
  announceTombstone,
  bucketAt,
  bucketOf,
  claim,
  located,
  locatedWord,
  locate,
  lock,
  replace,
  retractTombstone,
  sameButFrequency,
  slotAt,
  slotNumber,
  tryLock,
  unlock,
} from "./bucket";
import { noteInvalidation } from "./invalidations";
import { countDisk, countMemory, discount, discountMemory, isCleared, isClearedOnDisk } from "./counts";
import { fence } from "./fence";
import { flightSequenceOf, invalidateFlights, isSuperseded } from "./flights";
import { block, clearEpoch, count, neverEvicts, seed } from "./geometry";
import { placeByMoving } from "./map-places";
import {
  diskLocationOf,
  expiresOf,
  flagsOf,
  keyLengthOf,
  keyOf,
  recordSizeOf,
  sameKey,
  sequenceOf,
  sequenceWordOf,
} from "./record";
import { isSampled, noteRequest } from "./samples";
import { noteRecord } from "./segments";
import {
  classBits,
  displacedBit,
  fingerprintOf,
  frequencyBits,
  frequencyOf,
  frequencyOne,
  homeOf,
  homeOfSlot,
  isDisk,
  locationBits,
  locationOf,
  nearBits,
  otherOf,
  recordOf,
} from "./slot";
import { isFillInvalidated, isTagInvalidated } from "./tags";
import { xxh64 } from "./xxh64";

/** Hash of bytes with the cache's seed; the result is in resultHashLow and resultHashHigh. */
export function hashKey(key: u32, length: u32): void {
  store<u64>(block, xxh64(key, length, seed), at.resultHashLow);
}

/** The hash of a key: as the caller has it from an earlier call, or made now where it has none (0). It is in the results
 *  then. */
// @ts-ignore: decorator
@inline
function hashOf(key: usize, length: u32, low: u32, high: u32): u64 {
  let hash = (<u64>high << 32) | <u64>low;
  if (hash == 0) hash = xxh64(key, length, seed);
  store<u64>(block, hash, at.resultHashLow);
  return hash;
}

/** evictUnlocked looks for records too that a fill has put in a slot and not yet confirmed. */
let seesUnconfirmed = false;

/** Reads a slot that matched the fingerprint. 1 hit, 0 another key, -1 the slot changed meanwhile. */
// @ts-ignore: decorator
@inline
function inspect(slot: usize, word: u64, key: usize, length: u32): i32 {
  const record = <usize>recordOf(word);
  if (keyLengthOf(record) == length && sameKey(keyOf(record), key, length)) {
    const sequence = sequenceOf(record);
    const size = recordSizeOf(record);
    const keyOffset = <u32>(keyOf(record) - record);
    const expires = expiresOf(record);
    let isInvalid = false;
    if (flagsOf(record) & rec.flagTags) {
      // Before the tags are looked at: a near entry made from this look is not worth more than it.
      store<u32>(block, atomic.load<u32>(at.controlTagEpoch), at.resultTagEpoch);
      isInvalid = isTagInvalidated(record);
    }
    fence();
    if (!sameButFrequency(atomic.load<u64>(slot), word)) return -1;
    // No sequence yet: a fill that may have been superseded. It counts as cleared.
    if ((sequence <= clearEpoch() || isInvalid) && (sequence != 0 || !seesUnconfirmed)) return 0;
    store<f64>(block, <f64>sequence, at.resultSequence);
    store<f64>(block, expires, at.resultExpires);
    store<u32>(block, <u32>record, at.resultRecord);
    store<u32>(block, size, at.resultRecordSize);
    store<u32>(block, keyOffset, at.resultKeyOffset);
    store<u64>(block, word & ~frequencyBits, at.resultSlotLow);
    return 1;
  }
  fence();
  return sameButFrequency(atomic.load<u64>(slot), word) ? 0 : -1;
}

/** Adds one to the slot's frequency, up to its maximum; losing the race to another change costs only the mark. */
// @ts-ignore: decorator
@inline
function mark(slot: usize, word: u64): void {
  if ((word & frequencyBits) != frequencyBits) atomic.cmpxchg<u64>(slot, word, word + frequencyOne);
}

/** Which slots of a bucket show this class and tier: bit n for slot n. Without a branch, so that a hit's cache misses
 *  (this line, the near entry, its value) are waited for together and not one after the other. */
// @ts-ignore: decorator
@inline
function matches(bucket: usize, pattern: u64): i32 {
  const wanted = i64x2.splat(pattern);
  const mask = i64x2.splat(nearBits);
  const a = i64x2.bitmask(i64x2.eq(v128.and(v128.load(bucket), mask), wanted));
  const b = i64x2.bitmask(i64x2.eq(v128.and(v128.load(bucket, 16), mask), wanted));
  const c = i64x2.bitmask(i64x2.eq(v128.and(v128.load(bucket, 32), mask), wanted));
  const d = i64x2.bitmask(i64x2.eq(v128.and(v128.load(bucket, 48), mask), wanted));
  return (a & 2) | (b << 2) | (c << 4) | (d << 6);
}

/** The fast look for a thread that keeps decoded values: 1 if a memory slot of the key's class is there, without touching
 *  the record. Results: the key's hash, and the slot's word less its frequency: while a near entry holds the same word,
 *  it was made from the very record the slot names. The slot may have changed since it matched; then its word does not
 *  compare either. */
export function findNear(key: u32, length: u32): i32 {
  const hash = xxh64(key, length, seed);
  store<u64>(block, hash, at.resultHashLow);
  const home = homeOf(hash);
  const fingerprint = fingerprintOf(hash);
  const pattern = fingerprint << at.slotFingerprintShift;
  let bucket = bucketAt(home);
  let found = matches(bucket, pattern);
  if (found == 0) {
    if (atomic.load<u32>(bucket, at.bucketDisplaced) == 0) return 0;
    bucket = bucketAt(otherOf(home, fingerprint));
    found = matches(bucket, pattern | displacedBit);
    if (found == 0) return 0;
  }
  const slot = bucket + (<usize>ctz<i32>(found) << 3);
  const word = atomic.load<u64>(slot);
  // It may have been emptied since it matched, and a mark would make an entry of nothing.
  if (word == 0) return 0;
  store<u64>(block, word & ~frequencyBits, at.resultSlotLow);
  mark(slot, word);
  if (isSampled(hash) && !isDisk(word)) noteRequest(hash, recordSizeOf(recordOf(word)));
  return 1;
}

/** Answers the slot number of the key's memory record, `answerDisk - slot` for a disk location that may be the key's,
 *  or answerMiss. Results: sequence, expires, record, size, key offset and slot word; for a disk answer the location
 *  and slot word. `touch` 1 marks the hit in the slot. */
export function find(key: u32, length: u32, hashLow: u32, hashHigh: u32, touch: u32): i32 {
  const hash = hashOf(key, length, hashLow, hashHigh);
  const home = homeOf(hash);
  const fingerprint = fingerprintOf(hash);
  let retries = 0;
  let bucket = bucketAt(home);
  let pattern = fingerprint << at.slotFingerprintShift;
  let diskSlot: usize = 0;
  let diskWord: u64 = 0;
  while (true) {
    let slot = bucket + 8;
    while (slot < bucket + at.bucketSize) {
      const word = atomic.load<u64>(slot);
      if ((word & classBits) == pattern) {
        if (isDisk(word)) {
          diskSlot = slot;
          diskWord = word;
        } else {
          const outcome = inspect(slot, word, key, length);
          if (outcome > 0) {
            if (touch) {
              mark(slot, word);
              if (isSampled(hash)) noteRequest(hash, recordSizeOf(recordOf(word)));
            }
            return slotNumber(slot);
          }
          if (outcome < 0) {
            count(counter.counterReadRetries, 1);
            if (++retries <= at.readRetriesMax) continue;
            count(counter.counterReadRetriesExceeded, 1);
            return at.answerMiss;
          }
        }
      }
      slot += 8;
    }
    if (pattern & displacedBit || atomic.load<u32>(bucket, at.bucketDisplaced) == 0) break;
    bucket = bucketAt(otherOf(home, fingerprint));
    pattern |= displacedBit;
  }
  if (diskSlot == 0 || isClearedOnDisk(diskWord)) return at.answerMiss;
  store<u64>(block, diskWord, at.resultSlotLow);
  store<f64>(block, <f64>(diskWord & locationBits), at.resultLocation);
  return at.answerDisk - <i32>slotNumber(diskSlot);
}

/** 1 while the slot names what it named when (low, high) was its word. Fences first: call it after copying the bytes. */
export function validate(slot: u32, low: u32, high: u32): u32 {
  fence();
  return sameButFrequency(atomic.load<u64>(slotAt(slot)), (<u64>high << 32) | <u64>low) ? 1 : 0;
}

/** Marks a verified disk hit; answers the frequency the slot had before. */
export function touch(slot: u32, low: u32, high: u32): u32 {
  const word = atomic.load<u64>(slotAt(slot));
  if (!sameButFrequency(word, (<u64>high << 32) | <u64>low)) return 0;
  mark(slotAt(slot), word);
  return frequencyOf(word);
}

/** Where on disk what a slot names stands, 0 = nowhere. */
function diskCopyOf(word: u64): u64 {
  return isDisk(word) ? word & locationBits : diskLocationOf(recordOf(word));
}

/** Empties a full bucket's least hit slot (disk entries first) and puts `word` there; 0 if every entry is locked. */
function evictFor(bucket: u32, word: u64): usize {
  const base = bucketAt(bucket);
  const home = homeOfSlot(bucket, word);
  for (let frequency: i32 = 0; frequency <= at.slotFrequencyMax; frequency++) {
    for (let tier = 1; tier >= 0; tier--) {
      for (let slot = base + 8; slot < base + at.bucketSize; slot += 8) {
        const victim = atomic.load<u64>(slot);
        if (victim == 0) {
          // Emptied since the bucket was found full, by the owner of a displaced entry.
          if (atomic.cmpxchg<u64>(slot, 0, word) == 0) return slot;
          continue;
        }
        if (<i32>frequencyOf(victim) != frequency || <i32>isDisk(victim) != tier) continue;
        const victimHome = homeOfSlot(bucket, victim);
        // A second lock is only tried, never waited for, so two writers cannot wait for each other.
        if (victimHome != home && !tryLock(bucketAt(victimHome))) continue;
        // Announced before the slot lets go: a thread that dies in between leaves word of what it killed.
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

/** Finds a place for a new entry: the home bucket, the other bucket, a place that an entry makes by moving (a map) or the
 *  place of a victim (a cache); 0 if there is none. */
export function insert(home: u32, fingerprint: u64, word: u64): usize {
  let slot = claim(bucketAt(home), word);
  if (slot != 0) return slot;
  const other = otherOf(home, fingerprint);
  // Counted before the slot appears: a reader that sees 0 must not miss a displaced entry that is there.
  addDisplaced(home, 1);
  slot = claim(bucketAt(other), word | displacedBit);
  if (slot != 0) return slot;
  addDisplaced(home, -1);
  return neverEvicts ? placeByMoving(home, other, word) : evictFor(home, word);
}

function writeHeader(record: usize, keyLength: u32, codec: u32, flags: u32, units: u32, created: f64, sequence: u64): void {
  const since = <u64>max<f64>(0, created - load<f64>(at.controlCreatedBase));
  store<u16>(record, <u16>(keyLength - 1), rec.recordKeyLength);
  store<u8>(record, <u8>codec, rec.recordCodec);
  store<u8>(record, <u8>flags, rec.recordFlags);
  store<u32>(record, <u32>since, rec.recordCreatedLow);
  store<u32>(record, 0, rec.recordChecksum);
  const high = (since >> 32) & 0xff;
  atomic.store<u64>(record, sequence | (<u64>units << 48) | (high << 56), rec.recordSequence);
}

/** Makes a reserved record the newest of its key: assigns its sequence, writes the header and changes the slot, all
 *  under the key's lock. The caller has written extension, key and value behind the header. `flight` is the caller's
 *  flight + 1, or 0. Answers answerDone, answerSuperseded, answerBusy or (a map) answerNoRoom; results: sequence, slot,
 *  kill0 and kill1. */
export function publish(
  record: u32,
  keyLength: u32,
  codec: u32,
  flags: u32,
  units: u32,
  created: f64,
  flight: u32,
  hashLow: u32,
  hashHigh: u32,
): i32 {
  const key = <usize>record + rec.recordHeaderSize + (units << 3);
  const hash = hashOf(key, keyLength, hashLow, hashHigh);
  store<f64>(block, 0, at.resultTombstone0);
  store<f64>(block, 0, at.resultTombstone1);
  const home = homeOf(hash);
  const fingerprint = fingerprintOf(hash);
  if (!lock(bucketAt(home))) return at.answerBusy;
  // The sequence first: a clear that this look does not see yet takes a newer one, and hides the record (clear, mod.ts).
  const sequence = atomic.add<u64>(at.controlSequence, 1) + 1;
  if (flight != 0 && (isSuperseded(flight - 1) || isFillInvalidated(record, flags, flightSequenceOf(flight - 1)))) {
    unlock(bucketAt(home));
    return at.answerSuperseded;
  }
  // A fill is not seen before its flight was looked at once more: without a sequence it is nobody's answer.
  writeHeader(record, keyLength, codec, flags, units, created, flight == 0 ? sequence : 0);
  noteRecord(record, sequence);
  noteInvalidation(hash);
  let word = (fingerprint << at.slotFingerprintShift) | locationOf(record);
  locate(home, fingerprint, key, keyLength);
  let slot = located;
  if (slot != 0) {
    const old = locatedWord;
    const copy = diskCopyOf(old);
    if (copy != 0) announceTombstone(0, copy);
    if (replace(slot, old, word | (old & displacedBit))) {
      discount(old);
    } else {
      retractTombstone(0);
      slot = 0;
    }
  }
  if (slot == 0) slot = insert(home, fingerprint, word);
  let answer: i32 = neverEvicts ? at.answerNoRoom : at.answerBusy;
  if (slot != 0) {
    countMemory(recordSizeOf(record), flags, 1);
    answer = at.answerDone;
    if (flight != 0) {
      // A delete that could not have this lock superseded the flight, and may have looked before the slot was there. One
      // that supersedes it after this look finds the slot, and empties it.
      if (isSuperseded(flight - 1)) {
        withdraw(home, slot, word);
        answer = at.answerSuperseded;
      } else {
        confirm(record, sequence);
      }
    }
  }
  invalidateFlights(hash);
  unlock(bucketAt(home));
  if (isSampled(hash)) noteRequest(hash, recordSizeOf(record));
  store<f64>(block, <f64>sequence, at.resultSequence);
  store<u32>(block, slot != 0 ? slotNumber(slot) : 0, at.resultSlot);
  // As a near entry holds it: less its frequency.
  store<u64>(block, slot != 0 && bucketOf(slot) != home ? word | displacedBit : word, at.resultSlotLow);
  return answer;
}

/** Lets readers see a fill. */
function confirm(record: usize, sequence: u64): void {
  atomic.store<u64>(record, sequenceWordOf(record) | sequence, rec.recordSequence);
}

/** Takes back a fill that publish has just put in a slot. */
function withdraw(home: u32, slot: usize, word: u64): void {
  const own = atomic.load<u64>(slot);
  if (((own ^ word) & locationBits) != 0 || isDisk(own) || !replace(slot, own, 0)) return;
  discountMemory(recordOf(own), recordSizeOf(recordOf(own)), flagsOf(recordOf(own)), true);
  if (own & displacedBit) addDisplaced(home, -1);
}

/** Removes the key. answerDone if it was there (for a disk entry: if the index says so), answerAbsent if not. */
export function remove(key: u32, length: u32, hashLow: u32, hashHigh: u32): i32 {
  const hash = hashOf(key, length, hashLow, hashHigh);
  store<f64>(block, 0, at.resultTombstone0);
  store<f64>(block, 0, at.resultTombstone1);
  const home = homeOf(hash);
  const fingerprint = fingerprintOf(hash);
  if (!lock(bucketAt(home))) return at.answerBusy;
  // Also if nothing is found: what left the index may be kept by a thread still.
  noteInvalidation(hash);
  locate(home, fingerprint, key, length);
  let answer = at.answerAbsent;
  if (located != 0) {
    const old = locatedWord;
    const copy = diskCopyOf(old);
    const gone = isCleared(old) || (!isDisk(old) && isTagInvalidated(recordOf(old)));
    const expires = isDisk(old) ? 0 : expiresOf(recordOf(old));
    if (copy != 0) announceTombstone(0, copy);
    if (replace(located, old, 0)) {
      if (old & displacedBit) addDisplaced(home, -1);
      discount(old);
      if (!gone) {
        store<f64>(block, expires, at.resultExpires);
        answer = at.answerDone;
      }
    } else {
      retractTombstone(0);
    }
  }
  invalidateFlights(hash);
  unlock(bucketAt(home));
  return answer;
}

/** Last resort when a key's lock cannot be had: takes a slot of the key away without it, so that no older value is read.
 *  Answers answerDone when it took one, whose disk copies (kill0, kill1) must be marked dead before the next call, and
 *  answerAbsent when there is none left. The bucket's displaced count then stands too high, which costs searches a line,
 *  never an entry. */
export function evictUnlocked(key: u32, length: u32): i32 {
  const hash = xxh64(key, length, seed);
  // First the flights: a fill looks once more after its slot has changed, so it sees this or its slot is found below.
  invalidateFlights(hash);
  const answer = takeUnlocked(key, length);
  // Behind the slot, as there is no lock that would stop others from keeping what they found in it.
  noteInvalidation(hash);
  return answer;
}

function takeUnlocked(key: u32, length: u32): i32 {
  for (let attempt = 0; attempt <= at.readRetriesMax; attempt++) {
    store<f64>(block, 0, at.resultTombstone0);
    store<f64>(block, 0, at.resultTombstone1);
    seesUnconfirmed = true;
    const found = find(key, length, 0, 0, 0);
    seesUnconfirmed = false;
    if (found == at.answerMiss) break;
    const slot = slotAt(found >= 0 ? <u32>found : <u32>(at.answerDisk - found));
    const word = atomic.load<u64>(slot);
    if (!sameButFrequency(word, load<u64>(block, at.resultSlotLow))) continue;
    // Read before the slot lets go of the record: without the lock nothing holds its segment afterwards.
    const copy = diskCopyOf(word);
    const size = isDisk(word) ? 0 : recordSizeOf(recordOf(word));
    const flags = isDisk(word) ? 0 : flagsOf(recordOf(word));
    const isCounted = (!isDisk(word) && sequenceOf(recordOf(word)) == 0) || !isCleared(word);
    if (copy != 0) announceTombstone(0, copy);
    if (atomic.cmpxchg<u64>(slot, word, 0) == word) {
      // A copy announced since was announced before the slot was empty (isStill in moves.ts), so it is seen here.
      const later = isDisk(word) ? copy : diskLocationOf(recordOf(word));
      // The look is worth something if the segment is in the same life after it.
      if (later != 0 && later != copy && locationOf(recordOf(word)) == (word & locationBits)) announceTombstone(1, later);
      if (!isDisk(word)) discountMemory(recordOf(word), size, flags, isCounted);
      else if (isCounted) countDisk(-1);
      return at.answerDone;
    }
    retractTombstone(0);
  }
  return at.answerAbsent;
}
