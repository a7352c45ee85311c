// The disk segment table: what every thread must know of the segment files. The janitor calls these, and takeDead every
// thread that overwrites or deletes a record that is on disk.
import * as at from "../layout";
import { diskTableBase } from "./geometry";

// @ts-ignore: decorator
@inline
function entryOf(segment: u32): usize {
  return diskTableBase + <usize>segment * at.diskEntrySize;
}

/** Begins a new life of a segment: readers that hold the old generation or nonce fail from here on. */
export function openDisk(segment: u32, nonceLow: u32, nonceHigh: u32, serial: f64, endOffset: u32): void {
  const entry = entryOf(segment);
  atomic.add<u32>(entry, 1, at.diskGeneration);
  atomic.store<u64>(entry, ((<u64>nonceHigh) << 32) | <u64>nonceLow, at.diskNonce);
  store<f64>(entry, serial, at.diskSerial);
  store<u32>(entry, 0, at.diskDeadCount);
  store<u32>(entry, 0, at.diskDeadRoom);
  store<u32>(entry, endOffset, at.diskEndOffset);
  store<f64>(entry, 0, at.diskMaxExpires);
  store<f64>(entry, 0, at.diskMaxSequence);
  atomic.store<u32>(entry, at.diskOpen);
}

/** A batch was written up to `endOffset`. */
export function extendDisk(segment: u32, endOffset: u32, maxExpires: f64, maxSequence: f64): void {
  const entry = entryOf(segment);
  store<f64>(entry, max<f64>(load<f64>(entry, at.diskMaxExpires), maxExpires), at.diskMaxExpires);
  store<f64>(entry, max<f64>(load<f64>(entry, at.diskMaxSequence), maxSequence), at.diskMaxSequence);
  atomic.store<u32>(entry, endOffset, at.diskEndOffset);
}

/** The dead list has `room` zeroed entries, the first `used` of them given out. */
export function setDeadRoom(segment: u32, room: u32, used: u32): void {
  const entry = entryOf(segment);
  if (used != 0) atomic.store<u32>(entry, used, at.diskDeadCount);
  atomic.store<u32>(entry, room, at.diskDeadRoom);
}

/** Gives out the next entry of a segment's dead list; -1 when all are used, which no right use of the list reaches. */
export function takeDead(segment: u32): i32 {
  const entry = entryOf(segment);
  const index = atomic.add<u32>(entry, 1, at.diskDeadCount);
  return index < atomic.load<u32>(entry, at.diskDeadRoom) ? <i32>index : -1;
}

export function setDiskState(segment: u32, state: u32): void {
  atomic.store<u32>(entryOf(segment), state);
}
