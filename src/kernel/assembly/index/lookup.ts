// Finds a key's slot without a lock. Every get calls this. A reader loads a slot, compares the key
// in place, fences, and loads the slot again. If the word is unchanged except for its frequency,
// what was read is whole, because a segment is reused only after every slot that named it has
// changed.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import * as counter from "../../../stats/counters";
import { fence } from "../fence";
import { block, count, epochOf } from "../geometry";
import { bucketAt, sameButFrequency, slotAt, slotNumber } from "./bucket";
import { isClearedOnDisk } from "./counts";
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
  otherOf,
  recordOf,
} from "./slot";
import {
  expiresOf,
  flagsOf,
  hashOfKey,
  isKeyOf,
  keyOf,
  recordSizeOf,
  sequenceOf,
  spaceOf,
} from "../segments/record";
import { isSampled, noteRequest } from "../segments/samples";
import { isTagInvalidated } from "../tags/tagged-records";

/** True in evictUnlocked, which also looks for records that a fill has put in a slot and not yet
 *  confirmed. */
let seesUnconfirmed = false;

/** Hashes a key, or other bytes, with the cache's seed; the result is in resultHashLow and
 *  resultHashHigh. */
export function hashKey(key: u32, extent: u32): void {
  store<u64>(block, hashOfKey(key, extent), at.resultHashLow);
}

/** The hash of a key: the caller's, from an earlier call, or computed here if the caller has
 *  none (0). Stores it in the results. */
// @ts-ignore: decorator
@inline
export function hashOf(key: usize, extent: u32, low: u32, high: u32): u64 {
  let hash = (<u64>high << 32) | <u64>low;
  if (hash == 0) hash = hashOfKey(key, extent);
  store<u64>(block, hash, at.resultHashLow);
  return hash;
}

/** Reads a slot whose fingerprint matched. 1: a hit. 0: another key, or a record that is
 *  cleared, invalidated or unconfirmed. -1: the slot changed meanwhile. */
// @ts-ignore: decorator
@inline
function inspect(slot: usize, word: u64, key: usize, extent: u32): i32 {
  const record = <usize>recordOf(word);
  if (isKeyOf(record, key, extent)) {
    const sequence = sequenceOf(record);
    const space = spaceOf(record);
    const size = recordSizeOf(record);
    const keyOffset = <u32>(keyOf(record) - record);
    const expires = expiresOf(record);
    let isInvalid = false;
    if (flagsOf(record) & rec.flagTags) {
      // Read before the tags are checked: a near entry that is made from this record is valid only
      // under this epoch.
      store<u32>(block, atomic.load<u32>(at.controlTagEpoch), at.resultTagEpoch);
      isInvalid = isTagInvalidated(record);
    }
    fence();
    if (!sameButFrequency(atomic.load<u64>(slot), word)) return -1;
    // A record without a sequence is a fill that may be superseded; it counts as cleared.
    if ((sequence <= epochOf(space) || isInvalid) && (sequence != 0 || !seesUnconfirmed)) return 0;
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

/** Adds one to the slot's frequency, up to its maximum. If another change wins the race, only
 *  this mark is lost. */
// @ts-ignore: decorator
@inline
function mark(slot: usize, word: u64): void {
  if ((word & frequencyBits) != frequencyBits) atomic.cmpxchg<u64>(slot, word, word + frequencyOne);
}

/** The slots of a bucket that show this word, whatever their frequency: bit n stands for slot n. It
 *  has no branch, so a hit waits for its cache misses (this line, the value) together and not one
 *  after the other. */
// @ts-ignore: decorator
@inline
function matches(bucket: usize, pattern: u64): i32 {
  const wanted = i64x2.splat(pattern);
  const mask = i64x2.splat(~frequencyBits);
  const a = i64x2.bitmask(i64x2.eq(v128.and(v128.load(bucket), mask), wanted));
  const b = i64x2.bitmask(i64x2.eq(v128.and(v128.load(bucket, 16), mask), wanted));
  const c = i64x2.bitmask(i64x2.eq(v128.and(v128.load(bucket, 32), mask), wanted));
  const d = i64x2.bitmask(i64x2.eq(v128.and(v128.load(bucket, 48), mask), wanted));
  return (a & 2) | (b << 2) | (c << 4) | (d << 6);
}

/** As `find` with a mark, for a thread that keeps a value of the key near. (low, high) is the word
 *  of the memory slot that the value was decoded from, without its frequency. While the slot shows
 *  it, the value is that of the very record that the slot names: then the answer is answerKnown,
 *  found without touching the record. Results then: the key's hash, and the word. */
export function findKnown(
  key: u32,
  extent: u32,
  hashLow: u32,
  hashHigh: u32,
  low: u32,
  high: u32,
): i32 {
  const hash = hashOf(key, extent, hashLow, hashHigh);
  const known = (<u64>high << 32) | <u64>low;
  const home = homeOf(hash);
  const bucket = bucketAt(known & displacedBit ? otherOf(home, fingerprintOf(hash)) : home);
  const found = matches(bucket, known);
  if (found != 0) {
    const slot = bucket + (<usize>ctz<i32>(found) << 3);
    const word = atomic.load<u64>(slot);
    // The slot may have changed since it matched, or been emptied: a mark would then make an entry
    // of nothing.
    if (sameButFrequency(word, known)) {
      store<u64>(block, known, at.resultSlotLow);
      mark(slot, word);
      if (isSampled(hash)) noteRequest(hash, recordOf(word));
      return at.answerKnown;
    }
  }
  return find(key, extent, <u32>hash, <u32>(hash >> 32), 1);
}

/** Answers the slot number of the key's memory record, `answerDisk - slot` for a disk location
 *  that may be the key's, or answerMiss. Results: sequence, expires, record, size, key offset
 *  and slot word; for a disk answer, location and slot word. `touch` 1 marks the hit in the
 *  slot. */
export function find(key: u32, extent: u32, hashLow: u32, hashHigh: u32, touch: u32): i32 {
  const hash = hashOf(key, extent, hashLow, hashHigh);
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
          const outcome = inspect(slot, word, key, extent);
          if (outcome > 0) {
            if (touch) {
              mark(slot, word);
              if (isSampled(hash)) noteRequest(hash, recordOf(word));
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
  if (diskSlot == 0) return at.answerMiss;
  if (isClearedOnDisk(diskWord, extent >> at.extentSpaceShift)) return at.answerMiss;
  store<u64>(block, diskWord, at.resultSlotLow);
  store<f64>(block, <f64>(diskWord & locationBits), at.resultLocation);
  return at.answerDisk - <i32>slotNumber(diskSlot);
}

/** 1 while the slot names what it named when (low, high) was its word. It fences first: call it
 *  after copying the bytes. */
export function validate(slot: u32, low: u32, high: u32): u32 {
  fence();
  return sameButFrequency(atomic.load<u64>(slotAt(slot)), (<u64>high << 32) | <u64>low) ? 1 : 0;
}

/** The home bucket of the entry in a slot; answerMiss if the slot is empty. */
export function homeOfEntry(slot: u32): i32 {
  const word = atomic.load<u64>(slotAt(slot));
  return word == 0 ? at.answerMiss : <i32>homeOfSlot(slot >> 3, word);
}

/** Marks a verified disk hit; answers the frequency before the mark, 0 if the slot has changed. */
export function touch(slot: u32, low: u32, high: u32): u32 {
  const word = atomic.load<u64>(slotAt(slot));
  if (!sameButFrequency(word, (<u64>high << 32) | <u64>low)) return 0;
  mark(slotAt(slot), word);
  return frequencyOf(word);
}

/** As find, without a mark. It also finds a record that a fill has put in a slot and not yet
 *  confirmed. */
export function findUnconfirmed(key: u32, extent: u32): i32 {
  seesUnconfirmed = true;
  const found = find(key, extent, 0, 0, 0);
  seesUnconfirmed = false;
  return found;
}
