// A bucket's lock and the search for a key's slot under it. Called by the verbs in entries.ts and moves.ts.
// Invariant: whoever changes a slot holds the lock of the home bucket of the slot's entry, and changes it by one CAS.
// Only a hit's frequency mark is set without the lock, by a CAS that gives up when it loses.
import * as at from "../layout";
import { counterLockTimeouts, counterLockWaits } from "../../stats/counters";
import { block, bucketBase, count, diskSegmentUnits, diskTableBase, ownerWord } from "./geometry";
import { keyLengthOf, keyOf, sameKey } from "./record";
import {
  classBits,
  displacedBit,
  diskBit,
  frequencyBits,
  isDisk,
  locationBits,
  otherOf,
  recordOf,
} from "./slot";

// @ts-ignore: decorator
@inline
export function bucketAt(bucket: u32): usize {
  return bucketBase + <usize>bucket * at.bucketSize;
}

// @ts-ignore: decorator
@inline
export function tryLock(bucket: usize): bool {
  return atomic.cmpxchg<u32>(bucket, 0, ownerWord) == 0;
}

/** Takes a bucket's lock; false if it could not be had within lockSpinsMax spins and lockWaitsMax milliseconds. */
export function lock(bucket: usize): bool {
  if (tryLock(bucket)) return true;
  for (let spin = 0; spin < at.lockSpinsMax; spin++) {
    if (atomic.load<u32>(bucket) == 0 && tryLock(bucket)) return true;
  }
  count(counterLockWaits, 1);
  for (let wait = 0; wait < at.lockWaitsMax; wait++) {
    const holder = atomic.load<u32>(bucket);
    if (holder == 0) {
      if (tryLock(bucket)) return true;
    } else {
      // Nobody notifies: the wait is a sleep of one millisecond in which the holder may run.
      atomic.wait<i32>(bucket, <i32>holder, 1000000);
    }
  }
  count(counterLockTimeouts, 1);
  return false;
}

// @ts-ignore: decorator
@inline
export function unlock(bucket: usize): void {
  atomic.store<u32>(bucket, 0);
}

/** The disk segment a disk location lies in. */
// @ts-ignore: decorator
@inline
export function diskSegmentOf(location: u64): u32 {
  return <u32>((location & (((<u64>1) << at.locationUnitBits) - 1)) / diskSegmentUnits);
}

export function diskEntryOf(location: u64): usize {
  return diskTableBase + <usize>diskSegmentOf(location) * at.diskEntrySize;
}

/** After locate: a slot of the key's class that names a disk location, which may be the key's; 0 = none. */
export let locatedDisk: usize = 0;
export let located: usize = 0;

function locateIn(bucket: usize, pattern: u64, key: usize, length: u32): bool {
  for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
    const word = atomic.load<u64>(slot);
    if ((word & classBits) != pattern) continue;
    if (isDisk(word)) {
      locatedDisk = slot;
      continue;
    }
    const record = <usize>recordOf(word);
    if (keyLengthOf(record) == length && sameKey(keyOf(record), key, length)) {
      located = slot;
      return true;
    }
  }
  return false;
}

/** Finds the key's slot. Call with the home lock held. Sets `located` (memory) and `locatedDisk`. */
export function locate(home: u32, fingerprint: u64, key: usize, length: u32): void {
  located = 0;
  locatedDisk = 0;
  const bucket = bucketAt(home);
  const pattern = fingerprint << at.slotFingerprintShift;
  if (locateIn(bucket, pattern, key, length)) return;
  if (atomic.load<u32>(bucket, at.bucketDisplaced) == 0) return;
  locateIn(bucketAt(otherOf(home, fingerprint)), pattern | displacedBit, key, length);
}

/** The slot of the key's class that names exactly this location in this tier; 0 = none. */
export function locateLocation(home: u32, fingerprint: u64, tier: u64, location: u64): usize {
  const wanted = (fingerprint << at.slotFingerprintShift) | tier | location;
  const mask = classBits | diskBit | locationBits;
  let bucket = bucketAt(home);
  for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
    if ((atomic.load<u64>(slot) & mask) == wanted) return slot;
  }
  if (atomic.load<u32>(bucket, at.bucketDisplaced) == 0) return 0;
  bucket = bucketAt(otherOf(home, fingerprint));
  for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
    if ((atomic.load<u64>(slot) & mask) == (wanted | displacedBit)) return slot;
  }
  return 0;
}

/** Any disk slot of the key's class; 0 = none. */
export function locateDiskClass(home: u32, fingerprint: u64): usize {
  const pattern = (fingerprint << at.slotFingerprintShift) | diskBit;
  const mask = classBits | diskBit;
  let bucket = bucketAt(home);
  for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
    if ((atomic.load<u64>(slot) & mask) == pattern) return slot;
  }
  if (atomic.load<u32>(bucket, at.bucketDisplaced) == 0) return 0;
  bucket = bucketAt(otherOf(home, fingerprint));
  for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
    if ((atomic.load<u64>(slot) & mask) == (pattern | displacedBit)) return slot;
  }
  return 0;
}

/** Puts a new word (whose class, tier and location count) in place of what the slot names now; returns what it was.
 *  Only a reader's frequency mark can come between, so the loop ends. */
export function exchange(slot: usize, word: u64): u64 {
  while (true) {
    const seen = atomic.load<u64>(slot);
    if (atomic.cmpxchg<u64>(slot, seen, word) == seen) return seen;
  }
}

/** Takes an empty slot of a bucket for `word`; 0 when it has none. */
export function claim(bucket: usize, word: u64): usize {
  for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
    if (atomic.load<u64>(slot) == 0 && atomic.cmpxchg<u64>(slot, 0, word) == 0) return slot;
  }
  return 0;
}

/** Adds to a home's count of displaced entries. Call with its lock held. */
export function addDisplaced(home: u32, amount: i32): void {
  atomic.add<u32>(bucketAt(home), <u32>amount, at.bucketDisplaced);
}

/** The number by which callers name a slot. */
// @ts-ignore: decorator
@inline
export function slotNumber(slot: usize): u32 {
  return <u32>((slot - bucketBase) >> 3);
}

// @ts-ignore: decorator
@inline
export function slotAt(number: u32): usize {
  return bucketBase + (<usize>number << 3);
}

/** Does the slot still name what it named, whatever its frequency is by now? */
// @ts-ignore: decorator
@inline
export function sameButFrequency(left: u64, right: u64): bool {
  return ((left ^ right) & ~frequencyBits) == 0;
}

/** Says which disk record the caller has to mark dead, and keeps its segment from being reused until it has. */
export function announceKill(place: u32, location: u64): void {
  atomic.store<u32>(block + (place << 2), diskSegmentOf(location) + 1, at.threadKilling0);
  store<f64>(block + (place << 3), <f64>location, at.resultKill0);
}
