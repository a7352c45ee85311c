// How many entries there are, and how many bytes they take, as stats() says it. Called by who puts an entry in a slot or takes
// one out, behind the change. A cleared entry leaves its slot later and uncounted: the counts began anew at the clear.
import * as at from "../../layout";
import * as rec from "../../../record/layout";
import * as counter from "../../../stats/counters";
import { diskEntryOf } from "./bucket";
import { clearEpoch, count, neverEvicts } from "../geometry";
import { flagsOf, recordSizeOf, sequenceOf } from "../segments/record";
import { noteDead } from "../segments/segments";
import { isDisk, locationBits, recordOf } from "./slot";

/** Was the disk location written before the last clear? Exact but for a segment that a clear found half filled. */
export function isClearedOnDisk(word: u64): bool {
  return load<f64>(diskEntryOf(word & locationBits), at.diskMaxSequence) <= <f64>clearEpoch();
}

export function isCleared(word: u64): bool {
  return isDisk(word) ? isClearedOnDisk(word) : sequenceOf(recordOf(word)) <= clearEpoch();
}

/** Takes what a slot named out of the counts of its tier, and gives its bytes to who makes room. */
export function discount(word: u64): void {
  const isCounted = neverEvicts || !isCleared(word);
  if (isDisk(word)) {
    if (isCounted) countDisk(-1);
  } else {
    discountMemory(recordOf(word), recordSizeOf(recordOf(word)), flagsOf(recordOf(word)), isCounted);
  }
}

/** As `discount`, for a record whose header was read before its slot let go of it. */
export function discountMemory(record: u32, size: u32, flags: u32, isCounted: bool): void {
  noteDead(record, (size + 7) & ~7);
  if (isCounted) countMemory(size, flags, -1);
}

export function countDisk(sign: f64): void {
  count(counter.counterDiskEntries, sign);
}

/** A chunk of a large value is part of an entry, and takes bytes. */
export function countMemory(size: u32, flags: u32, sign: f64): void {
  if ((flags & rec.flagChunk) == 0) count(counter.counterMemoryEntries, sign);
  count(counter.counterMemoryBytes, sign * <f64>((size + 7) & ~7));
}
