// The layout of a segment file, and of a disk location. The writers (batch-builder.ts,
// segment-file.ts, tombstone-list.ts), the scan and the readers of single records share only this
// file. Numbers are little-endian; checksums are XXH64.

//   segment file, segmentBytes long
//   0  ┬ header                 64 bytes
//   64 ├ batch                  each batch starts on 16 bytes
//      ├ batch
//      ├ zeros
//      ├ tombstone n-1           8 bytes
//      ├ ...
//      ┴ tombstone 0             8 bytes, ends at segmentBytes
//
//   segment header
//   0  ┬ magic "UCSEGMNT"       8 bytes
//   8  ├ version                u32
//   12 ├ log2 of segmentBytes   u32
//   16 ├ nonce                  u64  random, new for each use of the file
//   24 ├ serial                 u64  order of allocation
//   32 ├ created                f64  wall-clock ms
//   40 ├ zero                   16 bytes
//   56 ┴ checksum of 0..56      u64  seed = segmentKeyOf
//
//   batch
//   0  ┬ header                 64 bytes
//   64 ├ records                each starts on 16 bytes (record/record-layout.ts)
//      ├ index                  16 bytes a record, the LAST record first: the builder collects
//      │                        entries from the end of its buffer
//      ┴ details                of the records, the first record's first, padded with zeros to 16
//                               bytes
//
//   batch header
//   0  ┬ magic "UCBT"           4 bytes
//   4  ├ version                u32
//   8  ├ count                  u32  records, at least 1
//   12 ├ recordsBytes           u32  multiple of 16
//   16 ├ schemas                u32  schema ids given out so far
//   20 ├ detailsBytes           u32  multiple of 16
//   24 ├ indexChecksum          u64  of index and details, seed = nonce
//   32 ├ minSequence            u64  less than 2^24 below maxSequence
//   40 ├ maxSequence            u64
//   48 ├ maxExpires             f64  Infinity if a record never expires
//   56 ┴ checksum of 0..56      u64  seed = nonce XOR offset of the batch
//
//   index entry
//   0  ┬ hash of the key        u64
//   8  ├ size                   u24
//   11 ├ space                  u8   the namespace of the key
//   12 ├ sequence               u24  its low bits
//   15 ┴ about                  u8   5 bits: how many tags the record has; 32 = a chunk of a value;
//                                    64 = it expires; 128 = there is a gap before it
//
//   details of a record, as far as its entry says so
//      ┬ unit                   u64  after a gap: offset of the record / 16; without one it begins
//      │                             where the record before it ends, on 16 bytes
//      ├ expires                f64  wall-clock ms
//      ┴ tags                   u64 hashes
//
//   tombstone
//   0  ┬ unit                   u32  offset of the dead record / 16; 0 = none
//   4  ┴ check                  u32  of unit, index of the tombstone and nonce
//
//   disk location, 44 bits
//   size class (6 bits) | 1 = a chunk of a value | unit over all segments (37 bits)
//   unit = segment * segmentBytes / 16 + offset / 16

import { assert } from "../base/mod.js";

export const segmentMagic = 0x544e4d4745534355n;
export const segmentVersion = 3;
export const segmentHeaderSize = 64;
export const segmentHeaderVersion = 8;
export const segmentHeaderShift = 12;
export const segmentHeaderNonce = 16;
export const segmentHeaderSerial = 24;
export const segmentHeaderCreated = 32;
export const segmentHeaderChecksum = 56;

export const batchMagic = 0x54424355;
export const batchVersion = 4;
export const batchHeaderSize = 64;
export const batchHeaderVersion = 4;
export const batchHeaderCount = 8;
export const batchHeaderRecordsBytes = 12;
export const batchHeaderSchemas = 16;
export const batchHeaderDetailsBytes = 20;
export const batchHeaderIndexChecksum = 24;
export const batchHeaderMinSequence = 32;
export const batchHeaderMaxSequence = 40;
export const batchHeaderMaxExpires = 48;
export const batchHeaderChecksum = 56;

export const entrySize = 16;
export const entryHash = 0;
/** Size and space, as one word. */
export const entryRecordSize = 8;
/** Sequence and what the record is, as one word. */
export const entrySequence = 12;
/** In the upper byte of that word. */
export const entryTagsMask = 31;
export const entryFlagChunk = 32;
export const entryFlagExpires = 64;
export const entryFlagGap = 128;
/** The sequences of a batch differ by less. */
export const batchSequences = 2 ** 24;

/** Bytes of a tag's hash, and of each other detail. */
export const tagHashSize = 8;
export const tombstoneSize = 8;

/** Records and batches start on this many bytes of a segment file. */
export const unitBytes = 16;
/** A sequence has 48 bits; 0 means none. */
export const sequenceMax = 2 ** 48 - 1;
/** Segment files of one directory. A cache holds a descriptor for each. */
export const segmentCountMax = 512;

export const sizeClassCount = 64;
const unitLimit = 2 ** 37;
const classUnit = 2 * unitLimit;

/** The largest record that a disk location can describe: the largest size class. */
export const diskRecordBytesMax = sizeOfClass(sizeClassCount - 1);

/**
 * The bytes to read for a record of this class: 32, 40, 48, 56, 64, 80 and so on, four classes to
 * a doubling. From 33 bytes up, a read brings less than a quarter more than the record.
 */
export function sizeOfClass(sizeClass: number): number {
  assert(sizeClass >= 0 && sizeClass < 64, "a size class is 6 bits");
  return (4 + (sizeClass & 3)) << ((sizeClass >>> 2) + 3);
}

/** The smallest class whose size is at least `bytes`. */
export function sizeClassOf(bytes: number): number {
  assert(bytes >= 1 && bytes <= diskRecordBytesMax, "a record on disk fits the largest class");
  if (bytes <= 32) return 0;
  const octave = 31 - Math.clz32(bytes - 1);
  // The step within the octave of bytes - 1, one up: 33..40 is class 1, 57..64 is class 4.
  return (octave - 5) * 4 + (((bytes - 1) >>> (octave - 2)) & 3) + 1;
}

/**
 * Packs a disk location into one exact integer below 2^44. It is never 0, which means "not on
 * disk": the segment header keeps unit 0 free.
 */
export function packLocation(
  segment: number,
  offset: number,
  size: number,
  segmentBytes: number,
  isChunk: boolean,
): number {
  assert(offset >= segmentHeaderSize && offset < segmentBytes, "a record is in its segment");
  assert(offset % unitBytes === 0, "a record on disk starts on 16 bytes");
  const unit = segment * (segmentBytes / unitBytes) + offset / unitBytes;
  assert(unit < unitLimit, "a unit is 37 bits");
  return sizeClassOf(size) * classUnit + (isChunk ? unitLimit : 0) + unit;
}

/** The size class of a location. */
export function sizeClassOfLocation(location: number): number {
  return Math.floor(location / classUnit);
}

/** Whether the record at a location is a chunk of a value. */
export function isChunkLocation(location: number): boolean {
  return location - sizeClassOfLocation(location) * classUnit >= unitLimit;
}

/** Orders locations by file and offset. */
export function unitOfLocation(location: number): number {
  return location - Math.floor(location / unitLimit) * unitLimit;
}

/** The segment of a location. */
export function segmentOfLocation(location: number, segmentBytes: number): number {
  return Math.floor(unitOfLocation(location) / (segmentBytes / unitBytes));
}

/** The offset of a location in its segment, in bytes. */
export function offsetOfLocation(location: number, segmentBytes: number): number {
  const perSegment = segmentBytes / unitBytes;
  const unit = unitOfLocation(location);
  return (unit - Math.floor(unit / perSegment) * perSegment) * unitBytes;
}

/** The bytes to read for the record at a location: its size class, cut at the segment's end. */
export function readBytesOfLocation(location: number, segmentBytes: number): number {
  const size = sizeOfClass(sizeClassOfLocation(location));
  return Math.min(size, segmentBytes - offsetOfLocation(location, segmentBytes));
}

/**
 * The seed of a segment header's checksum. It binds the file to its directory, whose seed is random
 * and new after every cold start, and to its segment number. A file from before a cold start, or a
 * copy of another segment's file, fails the checksum.
 */
export function segmentKeyOf(seed: bigint, segment: number): bigint {
  assert(segment >= 0 && segment < segmentCountMax, "a segment number is below 512");
  return BigInt.asUintN(64, seed ^ (BigInt(segment + 1) * 0x9e3779b97f4a7c15n));
}

/** The checksum seed of a record or batch header at `offset` in the segment with this nonce. */
export function seedAt(nonce: bigint, offset: number): bigint {
  return nonce ^ BigInt(offset);
}
