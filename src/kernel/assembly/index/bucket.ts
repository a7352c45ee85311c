// A bucket's lock and the search for a key's slot under it. Called by the verbs in this folder and
// in ../moves. Invariant: a thread changes a slot by one CAS, and holds the lock of the home bucket
// of the slot's entry. Two changes need no lock: a hit's frequency mark, whose CAS may fail, and
// evictUnlocked, the last resort, which empties a slot. So every change under the lock compares
// with the word that was looked at.
import * as at from "../../layout";
import { assertLocked, assertSlot } from "../assert";
import { counterLockTimeouts, counterLockWaits } from "../../../stats/counters";
import { isLockOwnerDead } from "../lock-owner";
import { block, bucketBase, count, diskSegmentUnits, diskTableBase, lockWord } from "../geometry";
import { isKeyOf } from "../segments/record";
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

/** Takes a second lock besides the one that `lock` took. Never waits; false if it is taken. */
export function tryLock(bucket: usize): bool {
  store<u32>(block, <u32>bucket, at.threadLock1);
  return take(bucket);
}

/** Takes a bucket's lock; false if it cannot within lockSpinsMax spins and lockWaitsMax
 *  milliseconds. The thread first notes which lock it takes, so that recovery finds the lock if
 *  the thread dies. */
export function lock(bucket: usize): bool {
  store<u32>(block, <u32>bucket, at.threadLock0);
  if (take(bucket)) return true;
  for (let spin = 0; spin < at.lockSpinsMax; spin++) {
    if (atomic.load<u32>(bucket) == 0 && take(bucket)) return true;
  }
  count(counterLockWaits, 1);
  for (let wait = 0; wait < at.lockWaitsMax; wait++) {
    const owner = atomic.load<u32>(bucket);
    if (owner == 0) {
      if (take(bucket)) return true;
    } else if ((wait & 7) != 0 || !isLockOwnerDead(owner)) {
      // Nobody notifies: this is a sleep of one millisecond in which the owner may run.
      atomic.wait<i32>(bucket, <i32>owner, 1000000);
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

/** The disk segment that a disk location is in. */
// @ts-ignore: decorator
@inline
export function diskSegmentOf(location: u64): u32 {
  return <u32>((location & (((<u64>1) << at.locationUnitBits) - 1)) / diskSegmentUnits);
}

export function diskEntryOf(location: u64): usize {
  return diskTableBase + <usize>diskSegmentOf(location) * at.diskEntrySize;
}

/** The result of a search: the slot, 0 if there is none, and its word when it was looked at. */
export let located: usize = 0;
export let locatedWord: u64 = 0;

/** True if the key's memory slot is here. Remembers a disk slot of the key's class as second
 *  best. */
function locateIn(bucket: usize, pattern: u64, key: usize, extent: u32): bool {
  for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
    const word = atomic.load<u64>(slot);
    if ((word & classBits) != pattern) continue;
    if (!isDisk(word)) {
      if (!isKeyOf(recordOf(word), key, extent)) continue;
    }
    located = slot;
    locatedWord = word;
    if (!isDisk(word)) return true;
  }
  return false;
}

/** Finds the key's memory slot, or else a disk slot of its class, which may be the key's. Call
 *  with the home lock held. Sets `located` and `locatedWord`. */
export function locate(home: u32, fingerprint: u64, key: usize, extent: u32): void {
  located = 0;
  const bucket = bucketAt(home);
  assertLocked(bucket);
  const pattern = fingerprint << at.slotFingerprintShift;
  if (locateIn(bucket, pattern, key, extent)) return;
  if (atomic.load<u32>(bucket, at.bucketDisplaced) == 0) return;
  locateIn(bucketAt(otherOf(home, fingerprint)), pattern | displacedBit, key, extent);
}

/** The first slot of a home's entries whose word, masked, equals `wanted`; 0 if there is none.
 *  Adds the displaced bit in the other bucket. Sets `locatedWord`. */
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

/** The slot of the key's class that names exactly this location in this tier; 0 if there is
 *  none. Sets `locatedWord`. */
export function locateLocation(home: u32, fingerprint: u64, tier: u64, location: u64): usize {
  const wanted = (fingerprint << at.slotFingerprintShift) | tier | location;
  return search(home, fingerprint, classBits | diskBit | locationBits, wanted);
}

/** Any disk slot of the key's class; 0 if there is none. Sets `locatedWord`. */
export function locateDiskClass(home: u32, fingerprint: u64): usize {
  assertLocked(bucketAt(home));
  return search(
    home,
    fingerprint,
    classBits | diskBit,
    (fingerprint << at.slotFingerprintShift) | diskBit,
  );
}

/** Changes a slot from `old` to `word`; false if evictUnlocked has emptied it. Otherwise only
 *  readers' frequency marks can interfere, and those are bounded, so the loop ends. */
export function replace(slot: usize, old: u64, word: u64): bool {
  assertSlot(slot);
  assertLocked(bucketAt(homeOfSlot(bucketOf(slot), old)));
  return swap(slot, old, word);
}

/** As `replace`, for a thread that repairs what a dead thread had locked. */
export function swap(slot: usize, old: u64, word: u64): bool {
  while (true) {
    const seen = atomic.load<u64>(slot);
    if (!sameButFrequency(seen, old)) return false;
    if (atomic.cmpxchg<u64>(slot, seen, word) == seen) return true;
  }
}

/** Takes an empty slot of a bucket for `word`; 0 if the bucket is full. */
export function claim(bucket: usize, word: u64): usize {
  for (let slot = bucket + 8; slot < bucket + at.bucketSize; slot += 8) {
    if (atomic.load<u64>(slot) == 0 && atomic.cmpxchg<u64>(slot, 0, word) == 0) return slot;
  }
  return 0;
}

/** Adds to a home bucket's count of displaced entries. Call with its lock held. */
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

/** True if two words of a slot name the same entry, whatever their frequencies. */
// @ts-ignore: decorator
@inline
export function sameButFrequency(left: u64, right: u64): bool {
  return ((left ^ right) & ~frequencyBits) == 0;
}

/** Announces tombstone 0 or 1: the disk location whose tombstone the caller must write. The disk
 *  segment is not reused until the caller has written it. If this thread dies, recovery writes
 *  it. */
export function announceTombstone(index: u32, location: u64): void {
  atomic.store<u32>(block + (index << 2), diskSegmentOf(location) + 1, at.threadTombstoneSegment0);
  store<f64>(block + (index << 3), <f64>location, at.resultTombstone0);
}

/** Retracts an announcement: the slot was not changed, so no record died. */
export function retractTombstone(index: u32): void {
  store<f64>(block + (index << 3), 0, at.resultTombstone0);
  atomic.store<u32>(block + (index << 2), 0, at.threadTombstoneSegment0);
}
