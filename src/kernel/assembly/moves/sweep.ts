// Sweeps the index: empties the slots of expired, cleared and invalidated entries. Called by the
// janitor, in parts of the index at a time, and by a map and at close over the whole index.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import * as counter from "../../../stats/counters";
import { block, bucketCount, clearEpoch, count } from "../geometry";
import { bucketAt, lock, slotAt, unlock } from "../index/bucket";
import { isClearedOnDisk } from "../index/counts";
import { frequencyBits, homeOfSlot, isDisk, recordOf } from "../index/slot";
import { emptySlot } from "./key-lock";
import { deadlineOf, diskLocationOf, flagsOf, recordSizeOf, sequenceOf } from "../segments/record";
import { unblockSegments } from "../segments/segments";
import { isTagInvalidated } from "../tags";

/** Removes cleared, invalidated and expired memory entries, and cleared disk entries, from
 *  `buckets` buckets starting at `from`; answers how many expired entries it removed. Expired
 *  means past the last moment at which the entry could be served, stale or not. A sweep from
 *  bucket 0 also unblocks segments whose eviction met a lock that is free now. */
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
          // An invalidated record with a disk copy leaves with its segment, where its tombstone is
          // written.
          if (
            sequenceOf(record) <= clearEpoch() ||
            (diskLocationOf(record) == 0 && isTagInvalidated(record))
          ) {
            emptySlot(home, slot, held);
          } else if (deadline != 0 && deadline <= now) {
            const isEntry = (flagsOf(record) & rec.flagChunk) == 0;
            if (emptySlot(home, slot, held) && isEntry) expired += 1;
          }
        }
      }
      unlock(bucketAt(home));
    }
  }
  if (expired != 0) count(counter.counterExpirations, <f64>expired);
  return expired;
}

/** Finds expired entries for listeners: the next slot in [from, end) that names an expired
 *  memory entry, or answerMiss. Results: its word, record and size. It takes no lock and changes
 *  nothing. Copy the key, then call `validate` and `dropSlot`. */
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
