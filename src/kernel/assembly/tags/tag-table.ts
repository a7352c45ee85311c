// The tag table: which tags were invalidated, and the newest sequence at which each was.
// Invariants: a tag has one slot at most. Its slot changes under the lock of the tag's home bucket.
// Readers take no lock: they compare the hash, load the sequence, and compare the hash again. While
// a slot shows a hash, its sequence is 0 or one at which that very tag was invalidated: a free slot
// has sequence 0, a taker writes the hash first, and who frees it clears the sequence first.
// The filter says of a home which tags it may have; it may say too many, never too few.
import * as at from "../../layout";
import * as tagAt from "../../tag-layout";
import { assertLocked } from "../assert";
import { tagBase, tagBuckets, tagFilterBase } from "../geometry";
import { lock, unlock } from "../index/bucket";

// ../../layout.ts: a slot's sequence is behind its hash.
const toSequence: usize = tagAt.tagSequences - tagAt.tagHashes;
const hashesEnd: usize = tagAt.tagHashes + 8 * tagAt.tagBucketSlots;

// @ts-ignore: decorator
@inline
export function tagBucketAt(bucket: u32): usize {
  return tagBase + <usize>bucket * tagAt.tagBucketSize;
}

// @ts-ignore: decorator
@inline
function tagHomeOf(hash: u64): u32 {
  return <u32>(((hash >> 32) * <u64>tagBuckets) >> 32);
}

/** The home bucket of a tag, whose lock covers the tag. */
export function homeBucketOf(hash: u64): usize {
  return tagBucketAt(tagHomeOf(hash));
}

// @ts-ignore: decorator
@inline
function filterAt(home: usize): usize {
  return tagFilterBase + (home - tagBase) / tagAt.tagBucketSize;
}

// @ts-ignore: decorator
@inline
function filterBit(hash: u64): u8 {
  return (<u8>1) << (<u8>hash & 7);
}

/** Notes a tag in the filter, before it takes a slot. Call with the home's lock held. */
function noteInFilter(home: usize, hash: u64): void {
  const filter = filterAt(home);
  atomic.store<u8>(filter, atomic.load<u8>(filter) | filterBit(hash));
}

/** Sets the filter to what the home bucket holds, after a tag left, unless a displaced tag is
 *  anywhere. Call with the home's lock held. */
function renewFilter(home: usize): void {
  if (atomic.load<u32>(home, tagAt.tagBucketDisplaced) != 0) return;
  let bits: u8 = 0;
  for (let slot = home + tagAt.tagHashes; slot < home + hashesEnd; slot += 8) {
    const hash = atomic.load<u64>(slot);
    if (hash != 0 && homeBucketOf(hash) == home) bits |= filterBit(hash);
  }
  atomic.store<u8>(filterAt(home), bits);
}

/** One of the buckets that a tag may be in, by its number from 1 to tagProbes - 1. Two may be
 *  equal. */
function otherBucketOf(hash: u64, probe: u32): usize {
  const step = 1 + (<u32>hash % (tagBuckets - 1));
  return tagBucketAt(<u32>((<u64>tagHomeOf(hash) + <u64>probe * step) % tagBuckets));
}

/** The tag's slot in a bucket, 0 if it is not there. A slot is named by the address of its hash.
 *  The loads are not atomic: a reader has loaded controlTagNewest before, which was raised after
 *  the slot was written. */
// @ts-ignore: decorator
@inline
function slotIn(bucket: usize, hash: u64): usize {
  const wanted = i64x2.splat(hash);
  const a = i64x2.bitmask(i64x2.eq(v128.load(bucket), wanted));
  const b = i64x2.bitmask(i64x2.eq(v128.load(bucket, 16), wanted));
  const c = i64x2.bitmask(i64x2.eq(v128.load(bucket, 32), wanted));
  const d = i64x2.bitmask(i64x2.eq(v128.load(bucket, 48), wanted));
  // Bit 0 is the word of the lock.
  const found = (a & 2) | (b << 2) | (c << 4) | (d << 6);
  return found == 0 ? 0 : bucket + (<usize>ctz<i32>(found) << 3);
}

/** The tag's slot, 0 if it has none. Without the home's lock a hint: the slot may change. */
function slotOf(hash: u64): usize {
  const home = homeBucketOf(hash);
  let slot = slotIn(home, hash);
  if (slot != 0 || atomic.load<u32>(home, tagAt.tagBucketDisplaced) == 0) return slot;
  for (let probe: u32 = 1; slot == 0 && probe < <u32>tagAt.tagProbes; probe++) {
    slot = slotIn(otherBucketOf(hash, probe), hash);
  }
  return slot;
}

// @ts-ignore: decorator
@inline
function sequenceIn(slot: usize): u64 {
  return atomic.load<u64>(slot + toSequence);
}

/** The newest sequence at which a tag was invalidated, 0 if the table knows none. The caller looks
 *  at the floor afterwards: a tag that lost its slot for want of room is covered by it. */
export function newestInvalidationOf(hash: u64): u64 {
  if ((atomic.load<u8>(filterAt(homeBucketOf(hash))) & filterBit(hash)) == 0) return 0;
  const slot = slotOf(hash);
  if (slot == 0) return 0;
  const sequence = sequenceIn(slot);
  // Another tag's by now: this one was forgotten, or the floor covers it.
  return atomic.load<u64>(slot) == hash ? sequence : 0;
}

/** Raises a word of the control block. It never goes down. */
export function raise(word: usize, sequence: u64): void {
  let seen = atomic.load<u64>(word);
  while (seen < sequence) {
    const was = atomic.cmpxchg<u64>(word, seen, sequence);
    if (was == seen) return;
    seen = was;
  }
}

/** Invalidates every tagged record up to a sequence. */
export function raiseFloor(sequence: u64): void {
  raise(at.controlTagFloor, sequence);
  raise(at.controlTagNewest, sequence);
}

/** Invalidates what has the tag of a slot, up to a sequence. Call with the home's lock held. */
export function raiseSlot(slot: usize, sequence: u64): void {
  if (sequenceIn(slot) < sequence) atomic.store<u64>(slot + toSequence, sequence);
  raise(at.controlTagNewest, sequence);
}

/** Takes a free slot of a bucket; 0 if there is none. */
function takeIn(bucket: usize, hash: u64): usize {
  for (let slot = bucket + tagAt.tagHashes; slot < bucket + hashesEnd; slot += 8) {
    if (atomic.load<u64>(slot) == 0 && atomic.cmpxchg<u64>(slot, 0, hash) == 0) return slot;
  }
  return 0;
}

/** The tag's slot, taken now if it had none, with sequence 0 then; 0 if all that it may have are
 *  taken. Call with the home's lock held. Both counts are raised before a slot is taken: if the
 *  thread dies in between, they are too high, which costs a look and hides nothing. */
export function takeSlot(hash: u64): usize {
  const home = homeBucketOf(hash);
  assertLocked(home);
  let slot = slotOf(hash);
  if (slot != 0) return slot;
  noteInFilter(home, hash);
  atomic.add<u32>(at.controlTagsTracked, 1);
  slot = takeIn(home, hash);
  if (slot != 0) return slot;
  atomic.add<u32>(home, 1, tagAt.tagBucketDisplaced);
  for (let probe: u32 = 1; probe < <u32>tagAt.tagProbes; probe++) {
    const bucket = otherBucketOf(hash, probe);
    if (bucket == home) continue;
    slot = takeIn(bucket, hash);
    if (slot != 0) return slot;
  }
  atomic.sub<u32>(home, 1, tagAt.tagBucketDisplaced);
  atomic.sub<u32>(at.controlTagsTracked, 1);
  return 0;
}

/** Gives a new tag the slot of the tag at home here that was invalidated longest ago, which the
 *  floor covers from then on; 0 if no tag at home here is in this bucket. Call with the lock held,
 *  which is the home lock of both tags. */
export function replaceOldest(hash: u64): usize {
  const home = homeBucketOf(hash);
  assertLocked(home);
  let oldest: usize = 0;
  for (let slot = home + tagAt.tagHashes; slot < home + hashesEnd; slot += 8) {
    const there = atomic.load<u64>(slot);
    if (there == 0 || homeBucketOf(there) != home) continue;
    if (oldest == 0 || sequenceIn(slot) < sequenceIn(oldest)) oldest = slot;
  }
  if (oldest == 0) return 0;
  raiseFloor(sequenceIn(oldest));
  noteInFilter(home, hash);
  atomic.store<u64>(oldest + toSequence, 0);
  atomic.store<u64>(oldest, hash);
  return oldest;
}

/** The number by which callers name a slot. */
export function tagSlotNumber(slot: usize): u32 {
  const bucket = <u32>((slot - tagBase) / tagAt.tagBucketSize);
  const index = <u32>(slot - tagBucketAt(bucket) - tagAt.tagHashes) >> 3;
  return bucket * tagAt.tagBucketSlots + index;
}

/** The janitor begins a sweep: answers a sequence S such that every tag with an invalidation up to
 *  S is in the table. A thread that invalidates a tag takes the sequence and writes it under one
 *  lock, so it has written it, or the lock is held. -1 if a lock cannot be had. */
export function beginTagSweep(): f64 {
  const sequence = atomic.load<u64>(at.controlSequence);
  for (let bucket: u32 = 0; bucket < tagBuckets; bucket++) {
    const address = tagBucketAt(bucket);
    if (atomic.load<u32>(address) == 0) continue;
    if (!lock(address)) return -1;
    unlock(address);
  }
  return <f64>sequence;
}

/** The janitor frees the slots of tags in `buckets` buckets from `from` on whose newest
 *  invalidation is not above `through`. Every record that they void must be gone, or covered by the
 *  floor or by the clear epoch. Answers how many it freed. */
export function forgetTags(from: u32, buckets: u32, through: f64): u32 {
  const end = min<u32>(from + buckets, tagBuckets);
  let forgotten: u32 = 0;
  for (let bucket = from; bucket < end; bucket++) {
    const first = tagBucketAt(bucket) + tagAt.tagHashes;
    for (let slot = first; slot < first + 8 * tagAt.tagBucketSlots; slot += 8) {
      const hash = atomic.load<u64>(slot);
      if (hash == 0 || sequenceIn(slot) > <u64>through) continue;
      const home = homeBucketOf(hash);
      // A slot whose lock cannot be had stays for the next sweep.
      if (!lock(home)) continue;
      if (atomic.load<u64>(slot) == hash && sequenceIn(slot) <= <u64>through) {
        atomic.store<u64>(slot + toSequence, 0);
        atomic.store<u64>(slot, 0);
        if (home != tagBucketAt(bucket)) atomic.sub<u32>(home, 1, tagAt.tagBucketDisplaced);
        atomic.sub<u32>(at.controlTagsTracked, 1);
        renewFilter(home);
        forgotten += 1;
      }
      unlock(home);
    }
  }
  return forgotten;
}
