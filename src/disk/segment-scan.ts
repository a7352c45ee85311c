// Reads what a segment file holds: its header, the index of each batch and the tombstones, never a
// value. The janitor scans every segment at open when there is no usable snapshot, and one segment
// before it reclaims it.
// Invariant: nothing in the file is trusted before its checksum verifies. Every length is checked
// against the segment before memory is allocated for it. The first damaged batch ends the scan.

import { type Device, fileDevice } from "../device/mod.js";
import type { Hasher } from "../hash/mod.js";
import { type Batch, BatchReader, indexBytesOf } from "./batch-index.js";
import type { DiskCipher } from "./disk-cipher.js";
import { readTombstones } from "./tombstone-list.js";
import { segmentHeaderSize } from "./file-layout.js";
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
  /** 1 = a chunk of a value. */
  readonly isChunk: Uint8Array;
  /** The id of the namespace of its key. */
  readonly space: Uint8Array;
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
  cipher: DiskCipher | null = null,
): SegmentScan | null {
  const identity = readSegmentIdentity(fd, segmentBytes, key, hasher, device);
  if (identity === null) return null;
  const { nonce } = identity;
  const reader = new BatchReader({ fd, segmentBytes, nonce, hasher, device, cipher });
  const headers = readBatchHeaders(reader);
  const entries = emptyEntries(headers.batches.reduce((sum, batch) => sum + batch.count, 0));
  const largest = headers.batches.reduce((most, batch) => Math.max(most, indexBytesOf(batch)), 0);
  const index = Buffer.alloc(largest);
  let { endOffset, damaged } = headers;
  let recordCount = 0;
  let maxSequence = 0;
  let maxExpires = 0;
  let schemas = 0;
  for (const batch of headers.batches) {
    if (!readEntries(reader, batch, index, entries, recordCount)) {
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
function readBatchHeaders(reader: BatchReader): {
  batches: Batch[];
  endOffset: number;
  damaged: boolean;
} {
  const batches: Batch[] = [];
  let offset = segmentHeaderSize;
  let recordCount = 0;
  for (;;) {
    const found = reader.header(offset, recordCount);
    if (typeof found === "string") {
      return { batches, endOffset: offset, damaged: found === "damaged" };
    }
    batches.push(found);
    recordCount += found.count;
    offset = found.end;
  }
}

/** Reads the index of a batch into the arrays from `at` on. Returns false if it is damaged. */
function readEntries(
  reader: BatchReader,
  batch: Batch,
  index: Buffer,
  entries: SegmentEntries,
  at: number,
): boolean {
  let next = at;
  return reader.index(batch, index, (entry) => {
    entries.hashLow[next] = entry.hashLow;
    entries.hashHigh[next] = entry.hashHigh;
    entries.sequence[next] = entry.sequence;
    entries.unit[next] = entry.unit;
    entries.size[next] = entry.size;
    entries.expires[next] = entry.expires;
    entries.isChunk[next] = entry.isChunk ? 1 : 0;
    entries.space[next] = entry.space;
    next += 1;
  });
}

function emptyEntries(count: number): SegmentEntries {
  return {
    hashLow: new Uint32Array(count),
    hashHigh: new Uint32Array(count),
    sequence: new Float64Array(count),
    unit: new Uint32Array(count),
    size: new Uint32Array(count),
    expires: new Float64Array(count),
    isChunk: new Uint8Array(count),
    space: new Uint8Array(count),
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
    isChunk: entries.isChunk.subarray(0, count),
    space: entries.space.subarray(0, count),
    dead: entries.dead.subarray(0, count),
  };
}
