// Sweeps the index: empties the slots of expired, cleared and invalidated entries. The janitor
// calls it in parts of the index at a time, a map and a close over the whole index. Invariant: it
// judges an entry under the lock of its home, so a move, a promotion or a demotion under way is
// over, and the slot shows what came of it.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import { block, bucketCount } from "../geometry";
import {
  announceTombstone,
  bucketAt,
  lock,
  retractTombstone,
  slotAt,
  unlock,
} from "../index/bucket";
import { countExpiration, isClearedOnDisk } from "../index/counts";
import { displacedBit, frequencyBits, homeOfSlot, isDisk, recordOf } from "../index/slot";
import { emptySlot } from "./key-lock";
import {
  deadlineOf,
  diskLocationOf,
  flagsOf,
  isClearedRecord,
  recordSizeOf,
  spaceOf,
} from "../segments/record";
import { noteDeadline, unblockSegments } from "../segments/segments";
import { isTagInvalidated } from "../tags/tagged-records";
import { dropNoted, noteHead } from "./chunked-values";

/** Removes cleared, invalidated and expired memory entries, and cleared disk entries, from the
 *  buckets [from, end); answers the bucket to go on from, `end` when all were visited. It stops
 *  earlier after an invalidated record with a copy on disk: tombstone 0 is its location. Expired
 *  means past the last moment at which the entry could be served, stale or not. resultUnvisited is
 *  how many slots were not judged, because a lock could not be had. A sweep from bucket 0 also
 *  unblocks segments whose eviction met a lock that is free now. */
export function sweep(from: u32, end: u32, now: f64): u32 {
  if (from == 0) unblockSegments();
  store<f64>(block, 0, at.resultTombstone0);
  store<u32>(block, 0, at.resultUnvisited);
  end = min<u32>(end, bucketCount);
  for (let bucket = from; bucket < end; bucket++) {
    while (!sweepHome(bucket, now) || !sweepDisplaced(bucket, now)) {
      dropNoted();
      if (load<f64>(block, at.resultTombstone0) != 0) return bucket;
    }
  }
  return end;
}

function missSlot(): void {
  store<u32>(block, load<u32>(block, at.resultUnvisited) + 1, at.resultUnvisited);
}

/** Judges the entries of a bucket that are at home there, under its lock. False if a tombstone was
 *  announced or a head was noted. */
function sweepHome(bucket: u32, now: f64): bool {
  const base = bucketAt(bucket);
  let isLocked = false;
  let goesOn = true;
  for (let slot = base + 8; goesOn && slot < base + at.bucketSize; slot += 8) {
    let word = atomic.load<u64>(slot);
    if (word == 0 || (word & displacedBit) != 0) continue;
    if (!isLocked) {
      if (!lock(base)) {
        missSlot();
        return true;
      }
      isLocked = true;
      word = atomic.load<u64>(slot);
    }
    if (word != 0 && (word & displacedBit) == 0) goesOn = judge(bucket, slot, word, now);
  }
  if (isLocked) unlock(base);
  return goesOn;
}

/** Judges the displaced entries in a bucket, each under the lock of its home. */
function sweepDisplaced(bucket: u32, now: f64): bool {
  const base = bucketAt(bucket);
  for (let slot = base + 8; slot < base + at.bucketSize; slot += 8) {
    let word = atomic.load<u64>(slot);
    // Looks again while the slot is another entry's by the time the lock is held.
    while (word & displacedBit) {
      const home = homeOfSlot(bucket, word);
      if (!lock(bucketAt(home))) {
        missSlot();
        break;
      }
      word = atomic.load<u64>(slot);
      const isOurs = (word & displacedBit) != 0 && homeOfSlot(bucket, word) == home;
      const goesOn = !isOurs || judge(home, slot, word, now);
      unlock(bucketAt(home));
      if (!goesOn) return false;
      if (isOurs) break;
    }
  }
  return true;
}

/** Empties a slot if its entry has ended. False if a tombstone was announced or a head was noted,
 *  whose chunks are dropped without this lock. */
function judge(home: u32, slot: usize, word: u64, now: f64): bool {
  if (isDisk(word)) {
    if (isClearedOnDisk(word)) emptySlot(home, slot, word);
    return true;
  }
  const record = <usize>recordOf(word);
  if (isClearedRecord(record)) {
    emptySlot(home, slot, word);
    return true;
  }
  if (isTagInvalidated(record)) {
    const copy = diskLocationOf(record);
    if (copy != 0) announceTombstone(0, copy);
    if (emptySlot(home, slot, word)) return !noteHead(record) && copy == 0;
    if (copy != 0) retractTombstone(0);
    return true;
  }
  const deadline = deadlineOf(record);
  if (deadline == 0 || deadline > now) {
    noteDeadline(deadline);
    return true;
  }
  const isEntry = (flagsOf(record) & rec.flagChunk) == 0;
  const space = spaceOf(record);
  if (emptySlot(home, slot, word) && isEntry) countExpiration(space);
  return true;
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
    if (deadline == 0 || deadline > now || isClearedRecord(record)) continue;
    store<u64>(block, word & ~frequencyBits, at.resultSlotLow);
    store<u32>(block, record, at.resultRecord);
    store<u32>(block, recordSizeOf(record), at.resultRecordSize);
    return number;
  }
  return at.answerMiss;
}
