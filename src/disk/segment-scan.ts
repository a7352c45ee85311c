// Reads what a segment file holds: its header, the index of each batch and the tombstones, never a
// value. The janitor scans every segment at open when there is no usable snapshot, and one segment
// before it reclaims it.
// Invariant: nothing in the file is trusted before its checksum verifies. Every length is checked
// against the segment before memory is allocated for it. The first damaged batch ends the scan.

import { assert } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import type { Hasher } from "../hash/mod.js";
import { readTombstones } from "./tombstone-list.js";
import {
  batchHeaderChecksum,
  batchHeaderCount,
  batchHeaderIndexChecksum,
  batchHeaderMaxExpires,
  batchHeaderMaxSequence,
  batchHeaderMinSequence,
  batchHeaderRecordsBytes,
  batchHeaderSchemas,
  batchHeaderSize,
  batchHeaderVersion,
  batchMagic,
  batchVersion,
  tombstoneSize,
  entryExpires,
  entryHash,
  entryRecordSize,
  entrySequence,
  entrySize,
  entryUnit,
  seedAt,
  segmentHeaderSize,
  sequenceMax,
  unitBytes,
} from "./file-layout.js";
import { diskRecordBytesMin } from "./record-check.js";
import { readSegmentIdentity, type SegmentIdentity } from "./segment-file.js";

/** The entries of a segment in the order they were written, as parallel arrays. Units ascend. */
export interface SegmentEntries {
  readonly hashLow: Uint32Array;
  readonly hashHigh: Uint32Array;
  readonly sequence: Float64Array;
  /** Offset in the segment / 16. */
  readonly unit: Uint32Array;
  readonly size: Uint32Array;
  /** Wall-clock milliseconds, Infinity = never. */
  readonly expires: Float64Array;
  /**
   * 1 = dead: it has a tombstone, or no tombstone can be trusted. `reconcileSegment` adds the
   * entries that its filter voids.
   */
  readonly dead: Uint8Array;
}

/** What a segment file holds. */
export interface SegmentScan extends SegmentIdentity {
  /** Offset of the next batch. */
  readonly endOffset: number;
  /** Records found, dead ones included; the length of the arrays in `entries`. */
  readonly recordCount: number;
  readonly entries: SegmentEntries;
  readonly maxSequence: number;
  /** Its records may name the schema ids 0 to `schemas` - 1. */
  readonly schemas: number;
  /** The latest expiry; Infinity if an entry never expires, 0 if there is no entry. */
  readonly maxExpires: number;
  /** 1 if a damaged batch ended the scan, 0 if zeros or the end of the room did. */
  readonly damagedBatches: number;
  /**
   * The tombstones cannot be trusted, so every entry counts as dead. The segment must be reset
   * before it is used again.
   */
  readonly tombstonesDamaged: boolean;
  /** The unit of each tombstone by its index, 0 = none; for `reconcileSegment`. */
  readonly tombstones: Uint32Array;
}

interface Batch {
  readonly offset: number;
  readonly count: number;
  readonly recordsBytes: number;
  readonly indexChecksum: bigint;
  readonly minSequence: number;
  readonly maxSequence: number;
  readonly maxExpires: number;
  readonly schemas: number;
}

/** How to read one segment file and verify what it holds. */
interface Source {
  readonly fd: number;
  readonly segmentBytes: number;
  readonly nonce: bigint;
  readonly hasher: Hasher;
  readonly device: Device;
}

/**
 * Scans one segment. Returns null if its header is missing, damaged or another directory's.
 * `key` is `segmentKeyOf(seed, segment)`. Throws ERR_DISK_IO if the file cannot be read.
 */
export function scanSegment(
  fd: number,
  segmentBytes: number,
  key: bigint,
  hasher: Hasher,
  device: Device = fileDevice,
): SegmentScan | null {
  const identity = readSegmentIdentity(fd, segmentBytes, key, hasher, device);
  if (identity === null) return null;
  const source = { fd, segmentBytes, nonce: identity.nonce, hasher, device };
  const headers = readBatchHeaders(source);
  const entries = emptyEntries(headers.batches.reduce((sum, batch) => sum + batch.count, 0));
  const largest = headers.batches.reduce((most, batch) => Math.max(most, batch.count), 0);
  const index = Buffer.alloc(largest * entrySize);
  let { endOffset, damaged } = headers;
  let recordCount = 0;
  let maxSequence = 0;
  let maxExpires = 0;
  let schemas = 0;
  for (const batch of headers.batches) {
    if (!readIndex(source, batch, index, entries, recordCount)) {
      endOffset = batch.offset;
      damaged = true;
      break;
    }
    recordCount += batch.count;
    maxSequence = Math.max(maxSequence, batch.maxSequence);
    maxExpires = Math.max(maxExpires, batch.maxExpires);
    schemas = Math.max(schemas, batch.schemas);
  }
  const found = cutEntries(entries, recordCount);
  const list = readTombstones(fd, segmentBytes, identity.nonce, recordCount, device);
  if (list.damaged) found.dead.fill(1);
  else for (const unit of list.units) markDead(found, unit);
  return {
    ...identity,
    endOffset,
    recordCount,
    entries: found,
    maxSequence,
    schemas,
    maxExpires,
    damagedBatches: damaged ? 1 : 0,
    tombstonesDamaged: list.damaged,
    tombstones: list.units,
  };
}

/** The position of `unit` among ascending units, or -1. */
export function indexOfUnit(units: Uint32Array, unit: number): number {
  let low = 0;
  let high = units.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = units[middle] ?? 0;
    if (found === unit) return middle;
    if (found < unit) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

function markDead(entries: SegmentEntries, unit: number): void {
  if (unit === 0) return;
  const index = indexOfUnit(entries.unit, unit);
  if (index >= 0) entries.dead[index] = 1;
}

/** Follows the batch headers up to the first offset that holds none. */
function readBatchHeaders(source: Source): {
  batches: Batch[];
  endOffset: number;
  damaged: boolean;
} {
  const batches: Batch[] = [];
  const header = Buffer.alloc(batchHeaderSize);
  let offset = segmentHeaderSize;
  let recordCount = 0;
  for (;;) {
    const end = source.segmentBytes - recordCount * tombstoneSize;
    // No room for another header: what follows are tombstones.
    if (offset + batchHeaderSize > end) return { batches, endOffset: offset, damaged: false };
    const read = source.device.readAtSync(source.fd, header, 0, batchHeaderSize, offset);
    const batch = read === batchHeaderSize ? parseHeader(source, header, offset, end) : null;
    if (batch === null) return { batches, endOffset: offset, damaged: !isZero(header) };
    batches.push(batch);
    recordCount += batch.count;
    offset += batchHeaderSize + batch.recordsBytes + batch.count * entrySize;
  }
}

function parseHeader(source: Source, header: Buffer, offset: number, end: number): Batch | null {
  if (header.readUInt32LE(0) !== batchMagic) return null;
  const seed = seedAt(source.nonce, offset);
  const checksum = source.hasher.h64(header.subarray(0, batchHeaderChecksum), seed);
  if (header.readBigUInt64LE(batchHeaderChecksum) !== checksum) return null;
  if (header.readUInt32LE(batchHeaderVersion) !== batchVersion) return null;
  const count = header.readUInt32LE(batchHeaderCount);
  const recordsBytes = header.readUInt32LE(batchHeaderRecordsBytes);
  if (count === 0 || recordsBytes % unitBytes !== 0) return null;
  const bytes = batchHeaderSize + recordsBytes + count * (entrySize + tombstoneSize);
  if (offset + bytes > end) return null;
  return {
    offset,
    count,
    recordsBytes,
    indexChecksum: header.readBigUInt64LE(batchHeaderIndexChecksum),
    minSequence: Number(header.readBigUInt64LE(batchHeaderMinSequence)),
    maxSequence: Number(header.readBigUInt64LE(batchHeaderMaxSequence)),
    maxExpires: header.readDoubleLE(batchHeaderMaxExpires),
    schemas: Number(header.readBigUInt64LE(batchHeaderSchemas)),
  };
}

/**
 * Reads the index of a batch into the arrays from `at` on. Returns false if it is damaged or
 * contradicts its header.
 */
function readIndex(
  source: Source,
  batch: Batch,
  index: Buffer,
  entries: SegmentEntries,
  at: number,
): boolean {
  const bytes = batch.count * entrySize;
  const start = batch.offset + batchHeaderSize + batch.recordsBytes;
  assert(bytes <= index.length, "the index buffer holds the largest batch");
  if (source.device.readAtSync(source.fd, index, 0, bytes, start) !== bytes) return false;
  const checksum = source.hasher.h64(index.subarray(0, bytes), source.nonce);
  if (checksum !== batch.indexChecksum) return false;
  let free = batch.offset + batchHeaderSize;
  for (let i = 0; i < batch.count; i++) {
    // The last record's entry comes first.
    const entry = bytes - (i + 1) * entrySize;
    const sequence = index.readUIntLE(entry + entrySequence, 6);
    const unit = index.readUInt32LE(entry + entryUnit);
    const size = index.readUInt32LE(entry + entryRecordSize);
    if (unit * unitBytes < free || size < diskRecordBytesMin) return false;
    free = unit * unitBytes + size;
    if (free > start) return false;
    if (sequence < batch.minSequence || sequence > batch.maxSequence) return false;
    entries.hashLow[at + i] = index.readUInt32LE(entry + entryHash);
    entries.hashHigh[at + i] = index.readUInt32LE(entry + entryHash + 4);
    entries.sequence[at + i] = sequence;
    entries.unit[at + i] = unit;
    entries.size[at + i] = size;
    entries.expires[at + i] = index.readDoubleLE(entry + entryExpires);
  }
  return batch.maxSequence <= sequenceMax;
}

function emptyEntries(count: number): SegmentEntries {
  return {
    hashLow: new Uint32Array(count),
    hashHigh: new Uint32Array(count),
    sequence: new Float64Array(count),
    unit: new Uint32Array(count),
    size: new Uint32Array(count),
    expires: new Float64Array(count),
    dead: new Uint8Array(count),
  };
}

function cutEntries(entries: SegmentEntries, count: number): SegmentEntries {
  return {
    hashLow: entries.hashLow.subarray(0, count),
    hashHigh: entries.hashHigh.subarray(0, count),
    sequence: entries.sequence.subarray(0, count),
    unit: entries.unit.subarray(0, count),
    size: entries.size.subarray(0, count),
    expires: entries.expires.subarray(0, count),
    dead: entries.dead.subarray(0, count),
  };
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
