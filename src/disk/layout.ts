// The layout of a segment file, and of the number that says where a record is on disk. Writer (batch-builder.ts,
// segment-file.ts), scan (segment-scan.ts) and readers of single records share only this file.
// Every number is little-endian; every checksum is XXH64.
//
//   segment file, segmentBytes long             batch, starts on 16 bytes
//   0  ┬ header                 64 bytes        0  ┬ header                64 bytes
//   64 ├ batch                                  64 ├ records, each on 16 bytes (record/layout.ts)
//      ├ batch                                     ├ index: one entry of 32 bytes per record, the LAST record first,
//      ├ zeros                                     │ so that the builder can collect it from the end of its buffer
//      │                                           ┴
//      ├ dead mark n-1           8 bytes
//      ├ ...
//      ┴ dead mark 0             8 bytes, ends at segmentBytes
//
//   segment header                               batch header
//   0  ┬ magic "UCSEGMNT"       8 bytes          0  ┬ magic "UCBT"         4 bytes
//   8  ├ version                u32              4  ├ version              u32
//   12 ├ log2 of segmentBytes   u32              8  ├ count                u32  records, at least 1
//   16 ├ nonce                  u64  random      12 ├ recordsBytes         u32  multiple of 16
//   24 ├ serial                 u64              16 ├ schemas               u64  ids of schemas given out so far
//   32 ├ created                f64  wall ms     24 ├ indexChecksum        u64  of the index, seed = nonce
//   40 ├ zero                   16 bytes         32 ├ minSequence          u64
//   56 ┴ checksum of 0..56      u64  seed = key  40 ├ maxSequence          u64
//                                                48 ├ maxExpires           f64  Infinity if one never expires
//   index entry                                  56 ┴ checksum of 0..56    u64  seed = nonce XOR offset of the batch
//   0  ┬ hash of the key        u64
//   8  ├ sequence               u48              dead mark
//   14 ├ zero                   u16              0  ┬ unit                 u32  offset of the dead record / 16; 0 = none
//   16 ├ unit                   u32  offset/16   4  ┴ check                u32  of unit, index of the mark and nonce
//   20 ├ size                   u32
//   24 ┴ expires                f64  wall ms, Infinity = never
//
//   location, 44 bits: size class (6) | unit over all segments (38) = segment * segmentBytes / 16 + offset / 16

import { assert } from "../base/mod.js";

export const segmentMagic = 0x544e4d4745534355n;
export const segmentVersion = 1;
export const segmentHeaderSize = 64;
export const segmentHeaderVersion = 8;
export const segmentHeaderShift = 12;
export const segmentHeaderNonce = 16;
export const segmentHeaderSerial = 24;
export const segmentHeaderCreated = 32;
export const segmentHeaderChecksum = 56;

export const batchMagic = 0x54424355;
export const batchVersion = 1;
export const batchHeaderSize = 64;
export const batchHeaderVersion = 4;
export const batchHeaderCount = 8;
export const batchHeaderRecordsBytes = 12;
export const batchHeaderSchemas = 16;
export const batchHeaderIndexChecksum = 24;
export const batchHeaderMinSequence = 32;
export const batchHeaderMaxSequence = 40;
export const batchHeaderMaxExpires = 48;
export const batchHeaderChecksum = 56;

export const entrySize = 32;
export const entryHash = 0;
export const entrySequence = 8;
export const entryUnit = 16;
export const entryRecordSize = 20;
export const entryExpires = 24;

export const tombstoneSize = 8;

/** Records and batches start on this many bytes of a segment file. */
export const unitBytes = 16;
/** A sequence is 48 bits; 0 is no sequence. */
export const sequenceMax = 2 ** 48 - 1;
/** Segment files of one directory, and with it descriptors held. */
export const segmentCountMax = 128;

export const sizeClassCount = 64;
const unitLimit = 2 ** 38;

/** The largest record a location can describe: the bytes one read of the largest size class brings. */
export const diskRecordBytesMax = sizeOfClass(sizeClassCount - 1);

/** Bytes to read for a record of this class, an upper bound: 32, 40, 48, 56, 64, 80 and so on, four steps to a doubling,
 * so that a read brings at most a quarter more than the record. */
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

/** Packs where a record is into one exact integer below 2^44; never 0, which readers take as "not on disk". */
export function packLocation(
  segment: number,
  offset: number,
  size: number,
  segmentBytes: number,
): number {
  assert(offset >= segmentHeaderSize && offset < segmentBytes, "a record is in its segment");
  assert(offset % unitBytes === 0, "a record on disk starts on 16 bytes");
  const unit = segment * (segmentBytes / unitBytes) + offset / unitBytes;
  assert(unit < unitLimit, "a unit is 38 bits");
  return sizeClassOf(size) * unitLimit + unit;
}

/** The size class of a location. */
export function sizeClassOfLocation(location: number): number {
  return Math.floor(location / unitLimit);
}

/** The segment of a location. */
export function segmentOfLocation(location: number, segmentBytes: number): number {
  return Math.floor(unitOfLocation(location) / (segmentBytes / unitBytes));
}

/** The offset in its segment of a location, in bytes. */
export function offsetOfLocation(location: number, segmentBytes: number): number {
  const perSegment = segmentBytes / unitBytes;
  const unit = unitOfLocation(location);
  return (unit - Math.floor(unit / perSegment) * perSegment) * unitBytes;
}

/** How many bytes to read for the record at a location: its class, cut at the end of the segment. */
export function readBytesOfLocation(location: number, segmentBytes: number): number {
  const size = sizeOfClass(sizeClassOfLocation(location));
  return Math.min(size, segmentBytes - offsetOfLocation(location, segmentBytes));
}

function unitOfLocation(location: number): number {
  return location - Math.floor(location / unitLimit) * unitLimit;
}

/** The seed of a segment header's checksum. It binds the file to its directory (whose hash seed is random and new after
 * every cold start) and to its number, so that a file of an earlier life, or a copy of a neighbour, is refused. */
export function segmentKeyOf(seed: bigint, segment: number): bigint {
  assert(segment >= 0 && segment < segmentCountMax, "a segment number is below 128");
  return BigInt.asUintN(64, seed ^ (BigInt(segment + 1) * 0x9e3779b97f4a7c15n));
}

/** The seed of the checksum of a record or batch header that stands at `offset` of the segment with this nonce. */
export function seedAt(nonce: bigint, offset: number): bigint {
  return nonce ^ BigInt(offset);
}
