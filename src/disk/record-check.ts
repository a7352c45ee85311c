// The checksum of one record on disk: the builder seals, every reader verifies. It binds the record's bytes to the life
// of its segment (the nonce) and to its place, so that old, moved and misdirected bytes are refused like damaged ones.
// Invariant: a record that verifies is inside the bytes read, and so are its key and its value.

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
import { seedAt } from "./layout.js";

/** A header and a key of one byte. */
export const diskRecordBytesMin = recordHeaderSize + 1;

/** Makes the record at `start` of a private buffer what stands on disk: no durable location, and the checksum set. */
export function sealRecord(
  buffer: Buffer,
  start: number,
  size: number,
  seed: bigint,
  hasher: Hasher,
): void {
  assert(buffer.readUInt32LE(start + recordSize) === size, "a record knows its size");
  assert(size >= diskRecordBytesMin, "a record has a header and a key");
  if ((buffer.readUInt8(start + recordFlags) & flagDiskLocation) !== 0) {
    buffer.fill(0, start + recordHeaderSize, start + recordHeaderSize + 8);
  }
  buffer.writeUInt32LE(0, start + recordChecksum);
  const checksum = hasher.low32(buffer.subarray(start, start + size), seed);
  buffer.writeUInt32LE(checksum, start + recordChecksum);
}

/** The size of the record at `start` of a private buffer, of which `available` bytes were read from `offsetInSegment`,
 * or 0 if it is damaged, of another life or from another place. The checksum field is left as 0, as it is in memory. */
export function verifyRecord(
  buffer: Buffer,
  start: number,
  available: number,
  nonce: bigint,
  offsetInSegment: number,
  hasher: Hasher,
): number {
  if (available < diskRecordBytesMin) return 0;
  const size = buffer.readUInt32LE(start + recordSize);
  if (size < diskRecordBytesMin || size > available) return 0;
  const extension = buffer.readUInt8(start + recordExtensionUnits) * 8;
  const key = buffer.readUInt16LE(start + recordKeyLength) + 1;
  if (recordHeaderSize + extension + key > size) return 0;
  const expected = buffer.readUInt32LE(start + recordChecksum);
  buffer.writeUInt32LE(0, start + recordChecksum);
  const seed = seedAt(nonce, offsetInSegment);
  return hasher.low32(buffer.subarray(start, start + size), seed) === expected ? size : 0;
}
