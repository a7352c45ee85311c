// Sweeping the index: expired, cleared and invalidated entries leave their slots.
import * as at from "../../layout";
import * as counter from "../../../stats/counters";
import { block, bucketCount, clearEpoch, count } from "../geometry";
import { bucketAt, lock, slotAt, unlock } from "../index/bucket";
import { isClearedOnDisk } from "../index/counts";
import { frequencyBits, homeOfSlot, isDisk, recordOf } from "../index/slot";
import { emptySlot } from "./key-lock";
import { deadlineOf, diskLocationOf, recordSizeOf, sequenceOf } from "../segments/record";
import { unblockSegments } from "../segments/segments";
import { isTagInvalidated } from "../tags";

/** Removes cleared, invalidated and expired memory entries, and cleared disk entries, of `buckets` buckets from `from` on; answers
 *  how many expired entries went. Expired means past the last moment it could serve anybody. Each turn of the index also
 *  gives back segments whose eviction met a lock that is free by now. */
export function sweep(from: u32, buckets: u32, now: f64): u32 {
  if (from == 0) unblockSegments();
  let expired: u32 = 0;
  const end = min<u32>(from + buckets, bucketCount);
  for (let bucket = from; bucket < end; bucket++) {
    const base = bucketAt(bucket);
    for (let slot = base + 8; slot < base + at.bucketSize; slot += 8) {
      const word = atomic.load<u64>(slot);
      if (word == 0) continue;
      const home = homeOfSlot(bucket, word);
      if (!lock(bucketAt(home))) continue;
      const held = atomic.load<u64>(slot);
      if (held != 0 && ((held ^ word) & ~((<u64>3) << at.slotFrequencyShift)) == 0) {
        if (isDisk(held)) {
          if (isClearedOnDisk(held)) emptySlot(home, slot, held);
        } else {
          const record = <usize>recordOf(held);
          const deadline = deadlineOf(record);
          // What a tag took away and is on disk leaves with its segment: there its copy is marked dead.
          if (sequenceOf(record) <= clearEpoch() || (diskLocationOf(record) == 0 && isTagInvalidated(record))) {
            emptySlot(home, slot, held);
          } else if (deadline != 0 && deadline <= now) {
            if (emptySlot(home, slot, held)) expired += 1;
          }
        }
      }
      unlock(bucketAt(home));
    }
  }
  if (expired != 0) count(counter.counterExpirations, <f64>expired);
  return expired;
}

/** For who tells of expired entries: the next slot from `from` on, before `end`, that names an expired memory entry, or
 *  answerMiss. Results: its word, record and size. Takes no lock and changes nothing: copy the key, then `validate`, then
 *  `dropSlot`, as a reader does. */
export function nextExpired(from: u32, end: u32, now: f64): i32 {
  for (let number = from; number < end; number++) {
    // The first word of a bucket is its lock.
    if ((number & 7) == 0) continue;
    const word = atomic.load<u64>(slotAt(number));
    if (word == 0 || isDisk(word)) continue;
    const record = recordOf(word);
    const deadline = deadlineOf(record);
    if (deadline == 0 || deadline > now || sequenceOf(record) <= clearEpoch()) continue;
    store<u64>(block, word & ~frequencyBits, at.resultSlotLow);
    store<u32>(block, record, at.resultRecord);
    store<u32>(block, recordSizeOf(record), at.resultRecordSize);
    return number;
  }
  return at.answerMiss;
}
