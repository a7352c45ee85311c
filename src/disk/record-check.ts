// The checksum of one record on disk. The batch builder sets it; every reader verifies it. Its seed
// binds the bytes to one use of the segment file (the nonce) and to their offset, so old, moved and
// misdirected bytes fail like damaged ones.
// Invariant: a record that verifies lies inside the bytes that were read, key and value included.

import { assert } from "../base/mod.js";
import type { Hasher } from "../hash/mod.js";
import {
  flagDiskLocation,
  recordChecksum,
  recordExtensionUnits,
  recordFlags,
  recordHeaderSize,
  recordKeyLength,
  recordSize,
} from "../record/mod.js";
import { seedAt } from "./file-layout.js";

/** A header and a key of one byte. */
export const diskRecordBytesMin = recordHeaderSize + 1;

/**
 * Gives the record at `start` of a private buffer its form on disk: disk location zero, checksum
 * set.
 */
export function sealRecord(
  buffer: Buffer,
  start: number,
  size: number,
  seed: bigint,
  hasher: Hasher,
): void {
  assert(buffer.readUIntLE(start + recordSize, 3) === size, "a record knows its size");
  assert(size >= diskRecordBytesMin, "a record has a header and a key");
  if ((buffer.readUInt8(start + recordFlags) & flagDiskLocation) !== 0) {
    buffer.fill(0, start + recordHeaderSize, start + recordHeaderSize + 8);
  }
  buffer.writeUInt32LE(0, start + recordChecksum);
  const checksum = hasher.low32(buffer.subarray(start, start + size), seed);
  buffer.writeUInt32LE(checksum, start + recordChecksum);
}

/**
 * Verifies the record at `start` of a private buffer; `available` bytes were read at
 * `offsetInSegment`. Returns its size, or 0 if the checksum fails: the record is damaged, or was
 * written at another offset or under another nonce. Zeroes the checksum field, as it is in memory.
 */
export function verifyRecord(
  buffer: Buffer,
  start: number,
  available: number,
  nonce: bigint,
  offsetInSegment: number,
  hasher: Hasher,
): number {
  if (available < diskRecordBytesMin) return 0;
  const size = buffer.readUIntLE(start + recordSize, 3);
  if (size < diskRecordBytesMin || size > available) return 0;
  const extension = buffer.readUInt8(start + recordExtensionUnits) * 8;
  const key = buffer.readUInt16LE(start + recordKeyLength) + 1;
  if (recordHeaderSize + extension + key > size) return 0;
  const expected = buffer.readUInt32LE(start + recordChecksum);
  buffer.writeUInt32LE(0, start + recordChecksum);
  const seed = seedAt(nonce, offsetInSegment);
  return hasher.low32(buffer.subarray(start, start + size), seed) === expected ? size : 0;
}
