// Counts the entries and their bytes, for stats(). Called after a slot was filled or emptied. A
// clear starts the counts anew, so a cleared entry is not counted when it leaves its slot later.
import * as at from "../../layout";
import * as ns from "../../namespace-layout";
import * as rec from "../../../record/record-layout";
import * as counter from "../../../stats/counters";
import { bucketAt, diskEntryOf } from "./bucket";
import { bucketCount, count, epochOf, namespaceAt, neverEvicts } from "../geometry";
import { flagsOf, isClearedRecord, recordSizeOf, sequenceOf, spaceOf } from "../segments/record";
import { noteDead } from "../segments/segments";
import { chunkBit, isDisk, locationBits, recordOf } from "./slot";

/** True if the disk record was written before the last clear of the cache or, if the caller knows
 *  its space, of that. Exact except in a segment that was
 *  half full at the clear. */
export function isClearedOnDisk(word: u64, space: u32 = 0): bool {
  return load<f64>(diskEntryOf(word & locationBits), at.diskMaxSequence) <= <f64>epochOf(space);
}

/** Whether what a slot names was cleared. A disk location does not say whose it is: without the
 *  space of its key this is false after a clear of its namespace alone. */
export function isCleared(word: u64, space: u32 = 0): bool {
  return isDisk(word) ? isClearedOnDisk(word, space) : isClearedRecord(recordOf(word));
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
  else countRecord(recordOf(word), -1);
}

/** As `discount`, for a slot that was emptied without its lock: the header of the record that it
 *  named was read before. */
export function discountTaken(
  word: u64,
  size: u32,
  flags: u32,
  space: u32,
  isCounted: bool,
): void {
  if (!isDisk(word)) noteDead(recordOf(word), (size + 7) & ~7);
  if (!isCounted) return;
  if (isDisk(word)) countDisk(word, -1);
  else countMemory(space, size, flags, -1);
}

/** The same for a record that its own thread has just taken out. */
export function discountRecord(record: u32): void {
  noteDead(record, (recordSizeOf(record) + 7) & ~7);
  countRecord(record, -1);
}

/** Counts a record in memory. */
export function countRecord(record: usize, sign: f64): void {
  countMemory(spaceOf(record), recordSizeOf(record), flagsOf(record), sign);
}

/** Counts an entry at a disk location, or a slot's word that has one. A chunk is no entry. */
export function countDisk(location: u64, sign: f64): void {
  if ((location & chunkBit) == 0) count(counter.counterDiskEntries, sign);
}

/** A chunk of a large value counts as bytes and not as an entry; negative answers count apart. */
export function countMemory(space: u32, size: u32, flags: u32, sign: f64): void {
  if (space != 0) countInSpace(namespaceAt(space), size, flags, sign > 0);
  if ((flags & rec.flagChunk) == 0) count(counter.counterMemoryEntries, sign);
  else if ((flags & rec.flagDeletion) == rec.flagNegative) {
    count(counter.counterNegativeAnswers, sign);
  }
  count(counter.counterMemoryBytes, sign * <f64>((size + 7) & ~7));
}

/** Adds to what came into a namespace, or to what left it. */
function countInSpace(entry: usize, size: u32, flags: u32, isIn: bool): void {
  const bytes = (size + 7) & ~7;
  const isEntry = (flags & rec.flagChunk) == 0;
  const isNegative = (flags & rec.flagDeletion) == rec.flagNegative;
  if (isIn) {
    atomic.add<u32>(entry, bytes, ns.namespaceBytesIn);
    if (isEntry) atomic.add<u32>(entry, 1, ns.namespaceEntriesIn);
    if (isNegative) atomic.add<u32>(entry, 1, ns.namespaceNegativesIn);
  } else {
    atomic.add<u32>(entry, bytes, ns.namespaceBytesOut);
    if (isEntry) atomic.add<u32>(entry, 1, ns.namespaceEntriesOut);
    if (isNegative) atomic.add<u32>(entry, 1, ns.namespaceNegativesOut);
  }
}

/** Counts an expired entry that was removed. */
export function countExpiration(space: u32): void {
  if (space == 0) count(counter.counterExpirations, 1);
  else atomic.add<u64>(namespaceAt(space), 1, ns.namespaceExpirations);
}

// @ts-ignore: decorator
@inline
function takeAll(entry: usize, inOffset: usize, outOffset: usize): u32 {
  const live = atomic.load<u32>(entry + inOffset) - atomic.load<u32>(entry + outOffset);
  atomic.add<u32>(entry + outOffset, live);
  return live;
}

/** After a clear: what a namespace has is counted from zero, since a cleared entry is not counted
 *  when it leaves its slot. `isAlone`: only the namespace was cleared, so the cache has so much
 *  less. */
export function clearCounts(space: u32, isAlone: bool): void {
  const entry = namespaceAt(space);
  const bytes = takeAll(entry, ns.namespaceBytesIn, ns.namespaceBytesOut);
  const entries = takeAll(entry, ns.namespaceEntriesIn, ns.namespaceEntriesOut);
  const negatives = takeAll(entry, ns.namespaceNegativesIn, ns.namespaceNegativesOut);
  if (!isAlone) return;
  count(counter.counterMemoryBytes, -(<f64>(<i32>bytes)));
  count(counter.counterMemoryEntries, -(<f64>(<i32>entries)));
  count(counter.counterNegativeAnswers, -(<f64>(<i32>negatives)));
}

/** Adds what the memory slots of the buckets [from, end) hold of each namespace to what the
 *  janitor's count has seen; answers the bucket to go on from. Takes no lock: what changes
 *  meanwhile may be seen twice or not at all. */
export function recount(from: u32, end: u32): u32 {
  end = min<u32>(end, bucketCount);
  for (let bucket = from; bucket < end; bucket++) {
    const base = bucketAt(bucket);
    for (let slot = base + 8; slot < base + at.bucketSize; slot += 8) {
      const word = atomic.load<u64>(slot);
      if (word == 0 || isDisk(word)) continue;
      const record = <usize>recordOf(word);
      const space = spaceOf(record);
      if (space == 0 || sequenceOf(record) <= epochOf(space)) continue;
      const entry = namespaceAt(space);
      const bytes = (recordSizeOf(record) + 7) & ~7;
      store<u32>(entry, load<u32>(entry, ns.namespaceBytesSeen) + bytes, ns.namespaceBytesSeen);
      if (flagsOf(record) & rec.flagChunk) continue;
      store<u32>(entry, load<u32>(entry, ns.namespaceEntriesSeen) + 1, ns.namespaceEntriesSeen);
    }
  }
  return end;
}
