// Finding a key's slot without a lock. Called for every get. A reader loads a slot, compares the key in place, fences,
// and loads the slot again: while the word is unchanged (but for frequency), what it read is whole, because a segment is
// reused only after every slot that named it was changed.
import * as at from "../../layout";
import * as rec from "../../../record/layout";
import * as counter from "../../../stats/counters";
import { fence } from "../fence";
import { block, clearEpoch, count, seed } from "../geometry";
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
  isDisk,
  locationBits,
  nearBits,
  otherOf,
  recordOf,
} from "./slot";
import {
  expiresOf,
  flagsOf,
  keyLengthOf,
  keyOf,
  recordSizeOf,
  sameKey,
  sequenceOf,
} from "../segments/record";
import { isSampled, noteRequest } from "../segments/samples";
import { isTagInvalidated } from "../tags";
import { xxh64 } from "../xxh64";

/** evictUnlocked looks for records too that a fill has put in a slot and not yet confirmed. */
let seesUnconfirmed = false;

/** Hash of bytes with the cache's seed; the result is in resultHashLow and resultHashHigh. */
export function hashKey(key: u32, length: u32): void {
  store<u64>(block, xxh64(key, length, seed), at.resultHashLow);
}

/** The hash of a key: as the caller has it from an earlier call, or made now where it has none (0). It is in the results
 *  then. */
// @ts-ignore: decorator
@inline
export function hashOf(key: usize, length: u32, low: u32, high: u32): u64 {
  let hash = (<u64>high << 32) | <u64>low;
  if (hash == 0) hash = xxh64(key, length, seed);
  store<u64>(block, hash, at.resultHashLow);
  return hash;
}

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

/** As find, without touching: finds a record too that a fill has put in a slot and not yet confirmed. */
export function findUnconfirmed(key: u32, length: u32): i32 {
  seesUnconfirmed = true;
  const found = find(key, length, 0, 0, 0);
  seesUnconfirmed = false;
  return found;
}
