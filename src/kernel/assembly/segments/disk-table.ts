// The disk segment table: what every thread must know about the segment files. The janitor and
// recovery call these verbs. takeTombstoneIndex is called by every thread that overwrites or
// deletes a disk record.
import * as at from "../../layout";
import { diskTableBase } from "../geometry";

// @ts-ignore: decorator
@inline
function entryOf(segment: u32): usize {
  return diskTableBase + <usize>segment * at.diskEntrySize;
}

/** Begins a new generation of a disk segment. Readers with the old generation or nonce fail from
 *  here on. */
export function openDisk(
  segment: u32,
  nonceLow: u32,
  nonceHigh: u32,
  serial: f64,
  created: f64,
): void {
  const entry = entryOf(segment);
  atomic.add<u32>(entry, 1, at.diskGeneration);
  atomic.store<u64>(entry, ((<u64>nonceHigh) << 32) | <u64>nonceLow, at.diskNonce);
  store<f64>(entry, serial, at.diskSerial);
  store<u32>(entry, 0, at.diskTombstoneCount);
  store<u32>(entry, 0, at.diskRecordCount);
  store<u32>(entry, 0, at.diskEndOffset);
  store<f64>(entry, created, at.diskCreated);
  store<f64>(entry, 0, at.diskMaxExpires);
  store<f64>(entry, 0, at.diskMaxSequence);
  atomic.store<u32>(entry, at.diskOpen);
}

/** Adds `records` records, which end at `endOffset`. */
export function extendDisk(
  segment: u32,
  endOffset: u32,
  records: u32,
  maxExpires: f64,
  maxSequence: f64,
): void {
  const entry = entryOf(segment);
  store<u32>(entry, load<u32>(entry, at.diskRecordCount) + records, at.diskRecordCount);
  store<f64>(entry, max<f64>(load<f64>(entry, at.diskMaxExpires), maxExpires), at.diskMaxExpires);
  store<f64>(
    entry,
    max<f64>(load<f64>(entry, at.diskMaxSequence), maxSequence),
    at.diskMaxSequence,
  );
  atomic.store<u32>(entry, endOffset, at.diskEndOffset);
}

/** Recovery calls this: the segment's tombstone list has this many tombstones. */
export function setTombstoneCount(segment: u32, tombstoneCount: u32): void {
  atomic.store<u32>(entryOf(segment), tombstoneCount, at.diskTombstoneCount);
}

/** Takes the next position in a segment's tombstone list. The list has room for every record,
 *  since a record dies once. */
export function takeTombstoneIndex(segment: u32): u32 {
  return atomic.add<u32>(entryOf(segment), 1, at.diskTombstoneCount);
}

/** Seals the segment, unless it has left the open state meanwhile. */
export function sealDisk(segment: u32): void {
  atomic.cmpxchg<u32>(entryOf(segment), at.diskOpen, at.diskSealed);
}

export function setDiskState(segment: u32, state: u32): void {
  atomic.store<u32>(entryOf(segment), state);
}
