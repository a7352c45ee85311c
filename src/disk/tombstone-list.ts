// The tombstones at the end of a segment file: which of its records are dead. Any thread appends
// one, with a synchronous write of 8 bytes, before the set or delete that ended the record returns.
// The scan reads them all.
// Invariant: one unreadable tombstone makes the whole list untrusted. A lost tombstone would bring
// back an older value; one too many only costs a hit.

import { assert } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import { tombstoneSize } from "./file-layout.js";

const chunkTombstones = 8192;
const chunkBytes = chunkTombstones * tombstoneSize;
/**
 * Tombstones that may be missing below the last one: a thread that dies between taking an index and
 * writing leaves a hole. More holes than threads (64) mean that tombstones were lost.
 */
const holesMax = 64;

/**
 * Writes the tombstone of the record at `unit` (its offset / 16). It survives a process crash when
 * this returns. `index` is the caller's own: taken atomically from the segment's tombstone count,
 * and below its record count. `nonce` is the segment's.
 */
export function appendTombstone(
  fd: number,
  segmentBytes: number,
  nonce: bigint,
  index: number,
  unit: number,
  device: Device = fileDevice,
): void {
  assert(unit > 0 && unit < segmentBytes / 16, "a dead record is in its segment");
  const tombstone = Buffer.allocUnsafe(tombstoneSize);
  encodeTombstone(tombstone, 0, unit, index, Number(nonce & 0xffff_ffffn));
  device.writeAtSync(fd, tombstone, 0, tombstoneSize, tombstoneOffset(segmentBytes, index));
}

/** The tombstones as read: the unit of each by its index, 0 where there is none. */
export interface TombstoneList {
  readonly units: Uint32Array;
  /** One above the index of the last tombstone. */
  readonly length: number;
  readonly damaged: boolean;
  /** The index of the first one whose check fails, Infinity if none does. Beyond the records that
   *  were found it may be no tombstone at all. */
  readonly firstInvalid: number;
}

/**
 * Reads the tombstones of a segment with `recordCount` records. If a batch was damaged there can be
 * more tombstones than records found, in any order, so it reads on until a chunk that ends past
 * `recordCount` holds none.
 */
export function readTombstones(
  fd: number,
  segmentBytes: number,
  nonce: bigint,
  recordCount: number,
  device: Device = fileDevice,
): TombstoneList {
  const nonceLow = Number(nonce & 0xffff_ffffn);
  const chunk = Buffer.alloc(chunkBytes);
  const tombstonesMax = Math.floor(segmentBytes / tombstoneSize);
  let units = new Uint32Array(Math.min(tombstonesMax, Math.max(recordCount, chunkTombstones)));
  let length = 0;
  let firstInvalid = Infinity;
  for (let from = 0; from < tombstonesMax; from += chunkTombstones) {
    const count = Math.min(chunkTombstones, tombstonesMax - from);
    const bytes = count * tombstoneSize;
    const position = tombstoneOffset(segmentBytes, from + count - 1);
    const read = device.readAtSync(fd, chunk, 0, bytes, position);
    if (read !== bytes) return { units, length, damaged: true, firstInvalid: from };
    if (units.length < from + count)
      units = grown(units, Math.min(tombstonesMax, (from + count) * 2));
    const before = length;
    for (let index = from; index < from + count; index++) {
      const at = bytes - (index - from + 1) * tombstoneSize;
      const unit = decodeTombstone(chunk, at, index, nonceLow);
      if (unit > 0) {
        units[index] = unit;
        length = index + 1;
      } else if (unit < 0 && firstInvalid === Infinity) firstInvalid = index;
    }
    if (length === before && from + count > recordCount) break;
  }
  let holes = 0;
  for (let index = 0; index < length; index++) holes += units[index] === 0 ? 1 : 0;
  const damaged = firstInvalid < Math.max(length, recordCount) || holes > holesMax;
  return { units: units.subarray(0, length), length, damaged, firstInvalid };
}

/** Rewrites the tombstones 0 to `units.length` - 1, in chunks. A unit of 0 frees its index. */
export function rewriteTombstones(
  fd: number,
  segmentBytes: number,
  nonce: bigint,
  units: Uint32Array,
  device: Device = fileDevice,
): void {
  const nonceLow = Number(nonce & 0xffff_ffffn);
  const chunk = Buffer.alloc(Math.min(units.length, chunkTombstones) * tombstoneSize);
  for (let from = 0; from < units.length; from += chunkTombstones) {
    const count = Math.min(chunkTombstones, units.length - from);
    for (let index = from; index < from + count; index++) {
      const at = (count - 1 - (index - from)) * tombstoneSize;
      encodeTombstone(chunk, at, units[index] ?? 0, index, nonceLow);
    }
    const position = tombstoneOffset(segmentBytes, from + count - 1);
    device.writeAtSync(fd, chunk, 0, count * tombstoneSize, position);
  }
}

function tombstoneOffset(segmentBytes: number, index: number): number {
  assert(index >= 0, "a tombstone has an index");
  return segmentBytes - (index + 1) * tombstoneSize;
}

function encodeTombstone(
  bytes: Buffer,
  at: number,
  unit: number,
  index: number,
  nonceLow: number,
): void {
  bytes.writeUInt32LE(unit, at);
  bytes.writeUInt32LE(unit === 0 ? 0 : checkOf(unit, index, nonceLow), at + 4);
}

/** The unit of a tombstone, 0 if there is none, -1 if its check fails for this index and nonce. */
function decodeTombstone(bytes: Buffer, at: number, index: number, nonceLow: number): number {
  const unit = bytes.readUInt32LE(at);
  const check = bytes.readUInt32LE(at + 4);
  if (unit === 0 && check === 0) return 0;
  return unit !== 0 && check === checkOf(unit, index, nonceLow) ? unit : -1;
}

/** Mixes all three numbers over 32 bits. It must be cheap: set and delete compute it. */
function checkOf(unit: number, index: number, nonceLow: number): number {
  let mixed = Math.imul(unit ^ nonceLow, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

function grown(units: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(units);
  return larger;
}
