// A bucket's lock and the search for a key's slot under it. Called by the verbs in entries.ts and moves.ts.
// Invariant: whoever changes a slot holds the lock of the home bucket of the slot's entry, and changes it by one CAS.
// Two changes are made without the lock: a hit's frequency mark, by a CAS that gives up when it loses, and the last resort
// evictUnlocked, which empties a slot. So every change under the lock compares with the word that was looked at.
import * as at from "../../layout";
import { assertLocked, assertSlot } from "../assert";
import { counterLockTimeouts, counterLockWaits } from "../../../stats/counters";
import { isLockOwnerDead } from "../lock-owner";
import { block, bucketBase, count, diskSegmentUnits, diskTableBase, lockWord } from "../geometry";
import { keyLengthOf, keyOf, sameKey } from "../segments/record";
import {
  classBits,
  displacedBit,
  diskBit,
  frequencyBits,
  homeOfSlot,
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

/** The bucket that a slot is in. */
// @ts-ignore: decorator
@inline
export function bucketOf(slot: usize): u32 {
  return <u32>((slot - bucketBase) / at.bucketSize);
}

// @ts-ignore: decorator
@inline
function take(bucket: usize): bool {
  return atomic.cmpxchg<u32>(bucket, 0, lockWord) == 0;
}

/** Takes a second lock beside the one that `lock` gave, or not, at once. */
export function tryLock(bucket: usize): bool {
  store<u32>(block, <u32>bucket, at.threadLock1);
  return take(bucket);
}

/** Takes a bucket's lock; false if it could not be had within lockSpinsMax spins and lockWaitsMax milliseconds. It is
 *  noted first which lock that is, so that it is found at once if this thread dies with it. */
export function lock(bucket: usize): bool {
  store<u32>(block, <u32>bucket, at.threadLock0);
  if (take(bucket)) return true;
  for (let spin = 0; spin < at.lockSpinsMax; spin++) {
    if (atomic.load<u32>(bucket) == 0 && take(bucket)) return true;
  }
  count(counterLockWaits, 1);
  for (let wait = 0; wait < at.lockWaitsMax; wait++) {
    const holder = atomic.load<u32>(bucket);
    if (holder == 0) {
      if (take(bucket)) return true;
    } else if ((wait & 7) != 0 || !isLockOwnerDead(holder)) {
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
  assertLocked(bucket);
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

/** After a search: the slot found, 0 = none, and its word when it was looked at. */
export let located: usize = 0;
export let locatedWord: u64 = 0;

/** True if the key's memory slot is here; a disk slot of the key's class is kept as second best. */
function locateIn(bucket: usize, pattern: u64, key: usize, length: u32): bool {
  for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
    const word = atomic.load<u64>(slot);
    if ((word & classBits) != pattern) continue;
    if (!isDisk(word)) {
      const record = <usize>recordOf(word);
      if (keyLengthOf(record) != length || !sameKey(keyOf(record), key, length)) continue;
    }
    located = slot;
    locatedWord = word;
    if (!isDisk(word)) return true;
  }
  return false;
}

/** Finds the key's memory slot, or else a slot of its class that names a disk location, which may be the key's. Call with
 *  the home lock held. Sets `located` and `locatedWord`. */
export function locate(home: u32, fingerprint: u64, key: usize, length: u32): void {
  located = 0;
  const bucket = bucketAt(home);
  assertLocked(bucket);
  const pattern = fingerprint << at.slotFingerprintShift;
  if (locateIn(bucket, pattern, key, length)) return;
  if (atomic.load<u32>(bucket, at.bucketDisplaced) == 0) return;
  locateIn(bucketAt(otherOf(home, fingerprint)), pattern | displacedBit, key, length);
}

/** The first slot of a home's entries whose word under the mask is as wanted; the displaced bit is added here. */
function search(home: u32, fingerprint: u64, mask: u64, wanted: u64): usize {
  let bucket = bucketAt(home);
  let pattern = wanted;
  while (true) {
    for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
      const word = atomic.load<u64>(slot);
      if ((word & mask) != pattern) continue;
      locatedWord = word;
      return slot;
    }
    if (pattern & displacedBit || atomic.load<u32>(bucket, at.bucketDisplaced) == 0) return 0;
    bucket = bucketAt(otherOf(home, fingerprint));
    pattern |= displacedBit;
  }
}

/** The slot of the key's class that names exactly this location in this tier; 0 = none. Sets `locatedWord`. */
export function locateLocation(home: u32, fingerprint: u64, tier: u64, location: u64): usize {
  const wanted = (fingerprint << at.slotFingerprintShift) | tier | location;
  return search(home, fingerprint, classBits | diskBit | locationBits, wanted);
}

/** Any disk slot of the key's class; 0 = none. Sets `locatedWord`. */
export function locateDiskClass(home: u32, fingerprint: u64): usize {
  assertLocked(bucketAt(home));
  return search(home, fingerprint, classBits | diskBit, (fingerprint << at.slotFingerprintShift) | diskBit);
}

/** Puts `word` in place of what the slot named when `old` was its word; false if that was taken away (evictUnlocked).
 *  Otherwise only a reader's frequency mark can come between, so the loop ends. */
export function replace(slot: usize, old: u64, word: u64): bool {
  assertSlot(slot);
  assertLocked(bucketAt(homeOfSlot(bucketOf(slot), old)));
  return swap(slot, old, word);
}

/** As replace, for who repairs what a dead thread had locked. */
export function swap(slot: usize, old: u64, word: u64): bool {
  while (true) {
    const seen = atomic.load<u64>(slot);
    if (!sameButFrequency(seen, old)) return false;
    if (atomic.cmpxchg<u64>(slot, seen, word) == seen) return true;
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
  assertLocked(bucketAt(home));
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
export function announceTombstone(place: u32, location: u64): void {
  atomic.store<u32>(block + (place << 2), diskSegmentOf(location) + 1, at.threadTombstoneSegment0);
  store<f64>(block + (place << 3), <f64>location, at.resultTombstone0);
}

/** Takes an announcement back: the slot was not changed, so nothing was killed. */
export function retractTombstone(place: u32): void {
  store<f64>(block + (place << 3), 0, at.resultTombstone0);
  atomic.store<u32>(block + (place << 2), 0, at.threadTombstoneSegment0);
}
