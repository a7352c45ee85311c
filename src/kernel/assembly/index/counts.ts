// Counts the entries and their bytes, for stats(). Called after a slot was filled or emptied. A
// clear starts the counts anew, so a cleared entry is not counted when it leaves its slot later.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import * as counter from "../../../stats/counters";
import { diskEntryOf } from "./bucket";
import { count, epochOf, neverEvicts } from "../geometry";
import { flagsOf, isClearedRecord, recordSizeOf } from "../segments/record";
import { noteDead } from "../segments/segments";
import { chunkBit, isDisk, locationBits, recordOf } from "./slot";

/** True if the disk record was written before the last clear of the cache or, if the caller knows
 *  its space, of that. Exact except in a segment that was
 *  half full at the clear. */
export function isClearedOnDisk(word: u64, space: u32 = 0): bool {
  return load<f64>(diskEntryOf(word & locationBits), at.diskMaxSequence) <= <f64>epochOf(space);
}

export function isCleared(word: u64): bool {
  return isDisk(word) ? isClearedOnDisk(word) : isClearedRecord(recordOf(word));
}

/** Removes what a slot named from the counts of its tier, and adds its bytes to the dead bytes
 *  of its segment. */
export function discount(word: u64): void {
  uncount(word);
  if (!isDisk(word)) noteDead(recordOf(word), (recordSizeOf(recordOf(word)) + 7) & ~7);
}

/** Removes what a slot named from the counts of its tier. */
export function uncount(word: u64): void {
  if (!neverEvicts && isCleared(word)) return;
  if (isDisk(word)) countDisk(word, -1);
  else countMemory(recordSizeOf(recordOf(word)), flagsOf(recordOf(word)), -1);
}

/** As `discount`, for a record whose header was read before its slot was emptied. */
export function discountMemory(record: u32, size: u32, flags: u32, isCounted: bool): void {
  noteDead(record, (size + 7) & ~7);
  if (isCounted) countMemory(size, flags, -1);
}

/** Counts an entry at a disk location, or a slot's word that has one. A chunk is no entry. */
export function countDisk(location: u64, sign: f64): void {
  if ((location & chunkBit) == 0) count(counter.counterDiskEntries, sign);
}

/** A chunk of a large value counts as bytes and not as an entry; negative answers count apart. */
export function countMemory(size: u32, flags: u32, sign: f64): void {
  if ((flags & rec.flagChunk) == 0) count(counter.counterMemoryEntries, sign);
  else if ((flags & rec.flagDeletion) == rec.flagNegative) {
    count(counter.counterNegativeAnswers, sign);
  }
  count(counter.counterMemoryBytes, sign * <f64>((size + 7) & ~7));
}
