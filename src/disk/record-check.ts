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
import type { DiskCipher } from "./disk-cipher.js";
import { seedAt } from "./file-layout.js";

/** A header and a key of one byte. */
export const diskRecordBytesMin = recordHeaderSize + 1;

/**
 * Gives the record at `start` of a private buffer its form on disk: disk location zero, encrypted
 * if there is a cipher, checksum set. Returns its size on disk. `known` is its checksum where
 * nothing is encrypted, or -1.
 */
export function sealRecord(
  buffer: Buffer,
  start: number,
  size: number,
  { nonce, offset, hasher, cipher }: RecordPlace,
  known = -1,
): number {
  assert(buffer.readUIntLE(start + recordSize, 3) === size, "a record knows its size");
  assert(size >= diskRecordBytesMin, "a record has a header and a key");
  if ((buffer.readUInt8(start + recordFlags) & flagDiskLocation) !== 0) {
    buffer.fill(0, start + recordHeaderSize, start + recordHeaderSize + 8);
  }
  buffer.writeUInt32LE(0, start + recordChecksum);
  const sealed = cipher === null ? size : cipher.sealRecord(buffer, start, size, nonce, offset);
  const checksum =
    known >= 0 && cipher === null
      ? known
      : hasher.low32(buffer.subarray(start, start + sealed), seedAt(nonce, offset));
  buffer.writeUInt32LE(checksum, start + recordChecksum);
  return sealed;
}

/** Where a record is on disk, and how it is read and written there. */
export interface RecordPlace {
  /** The segment's nonce. */
  readonly nonce: bigint;
  /** The offset in the segment. */
  readonly offset: number;
  readonly hasher: Hasher;
  /** Null in a directory that is not encrypted. */
  readonly cipher: DiskCipher | null;
}

/**
 * As verifyRecord, and gives the record its form in memory: decrypts it. Returns its size there, 0
 * if it is damaged, or was not encrypted with the key of the directory.
 */
export function openRecord(
  buffer: Buffer,
  start: number,
  available: number,
  { nonce, offset, hasher, cipher }: RecordPlace,
): number {
  const size = verifyRecord(buffer, start, available, nonce, offset, hasher);
  if (size === 0 || cipher === null) return size;
  return cipher.openRecord(buffer, start, size, nonce, offset);
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
