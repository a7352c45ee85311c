// Reads the headers and the indexes of the batches in a segment file: what records a batch holds,
// when they expire and their tags, without a value. Called by the scan of a segment, and by the
// walk that looks for invalidated records.
// Invariant: nothing in the file is trusted before its checksum verifies. Every length is checked
// against the segment before memory is used for it.

import { alignUp, assert } from "../base/mod.js";
import type { Device } from "../device/mod.js";
import type { Hasher } from "../hash/mod.js";
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
  batchHeaderDetailsBytes,
  batchHeaderVersion,
  batchMagic,
  batchVersion,
  batchSequences,
  entryFlagChunk,
  entryFlagExpires,
  entryFlagGap,
  entryHash,
  entryRecordSize,
  entrySequence,
  entrySize,
  entryTagsMask,
  seedAt,
  sequenceMax,
  tagHashSize,
  tombstoneSize,
  unitBytes,
} from "./file-layout.js";
import { type DiskCipher, indexSealBytes } from "./disk-cipher.js";
import { diskRecordBytesMin } from "./record-check.js";

/** How to read one segment file and verify what it holds. */
export interface BatchSource {
  readonly fd: number;
  readonly segmentBytes: number;
  readonly nonce: bigint;
  readonly hasher: Hasher;
  readonly device: Device;
  /** Null, or absent, in a directory that is not encrypted. */
  readonly cipher?: DiskCipher | null;
}

/** What the header of a batch says. */
export interface Batch {
  readonly offset: number;
  /** Where the next batch begins. */
  readonly end: number;
  readonly count: number;
  readonly recordsBytes: number;
  readonly detailsBytes: number;
  readonly indexChecksum: bigint;
  readonly minSequence: number;
  readonly maxSequence: number;
  readonly maxExpires: number;
  readonly schemas: number;
}

/** What the index says of a record. */
export interface IndexEntry {
  readonly hashLow: number;
  readonly hashHigh: number;
  readonly sequence: number;
  /** Offset in the segment / 16. */
  readonly unit: number;
  readonly size: number;
  /** The id of the namespace of its key. */
  readonly space: number;
  /** Wall-clock milliseconds, Infinity = never. */
  readonly expires: number;
  /** Whether it is a chunk of a value. */
  readonly isChunk: boolean;
  /** The hashes of its tags, 8 bytes each; valid during the call. */
  readonly tags: Buffer;
}

const noTags = Buffer.alloc(0);

/** Bytes of a batch's index and details. */
export function indexBytesOf({ count, detailsBytes }: Batch): number {
  return count * entrySize + detailsBytes;
}

export class BatchReader {
  readonly #source: BatchSource;
  readonly #header = Buffer.alloc(batchHeaderSize);

  constructor(source: BatchSource) {
    this.#source = source;
  }

  /**
   * The batch at `offset`, behind `recordCount` records; "end" if zeros or tombstones are there,
   * "damaged" if anything else is. Throws ERR_DISK_IO.
   */
  header(offset: number, recordCount: number): Batch | "end" | "damaged" {
    const { segmentBytes, device, fd } = this.#source;
    const end = segmentBytes - recordCount * tombstoneSize;
    // No room for another header: what follows are tombstones.
    if (offset + batchHeaderSize > end) return "end";
    const header = this.#header.fill(0);
    const read = device.readAtSync(fd, header, 0, batchHeaderSize, offset);
    const batch = read === batchHeaderSize ? this.#parse(header, offset, end) : null;
    if (batch !== null) return batch;
    return header.every((byte) => byte === 0) ? "end" : "damaged";
  }

  #parse(header: Buffer, offset: number, end: number): Batch | null {
    const { nonce, hasher } = this.#source;
    if (header.readUInt32LE(0) !== batchMagic) return null;
    const checksum = hasher.h64(header.subarray(0, batchHeaderChecksum), seedAt(nonce, offset));
    if (header.readBigUInt64LE(batchHeaderChecksum) !== checksum) return null;
    if (header.readUInt32LE(batchHeaderVersion) !== batchVersion) return null;
    const count = header.readUInt32LE(batchHeaderCount);
    const recordsBytes = header.readUInt32LE(batchHeaderRecordsBytes);
    const detailsBytes = header.readUInt32LE(batchHeaderDetailsBytes);
    if (count === 0 || (recordsBytes | detailsBytes) % unitBytes !== 0) return null;
    const bytes = batchHeaderSize + recordsBytes + count * entrySize + detailsBytes;
    if (offset + bytes + count * tombstoneSize > end) return null;
    return {
      offset,
      end: offset + bytes,
      count,
      recordsBytes,
      detailsBytes,
      indexChecksum: header.readBigUInt64LE(batchHeaderIndexChecksum),
      minSequence: Number(header.readBigUInt64LE(batchHeaderMinSequence)),
      maxSequence: Number(header.readBigUInt64LE(batchHeaderMaxSequence)),
      maxExpires: header.readDoubleLE(batchHeaderMaxExpires),
      schemas: header.readUInt32LE(batchHeaderSchemas),
    };
  }

  /** Reads the index of a batch into `index`, and verifies its checksum: all that can be said of an
   *  encrypted one without its key. Throws ERR_DISK_IO. */
  isWhole(batch: Batch, index: Buffer): boolean {
    const { device, fd, hasher, nonce } = this.#source;
    const bytes = indexBytesOf(batch);
    assert(bytes <= index.length, "the buffer holds the index of the batch");
    const start = batch.offset + batchHeaderSize + batch.recordsBytes;
    if (device.readAtSync(fd, index, 0, bytes, start) !== bytes) return false;
    return hasher.h64(index.subarray(0, bytes), nonce) === batch.indexChecksum;
  }

  /**
   * Reads the index of a batch into `index`, and visits its entries in the order of the records.
   * Returns false if it is damaged or contradicts its header. Throws ERR_DISK_IO.
   */
  index(batch: Batch, index: Buffer, visit: (entry: IndexEntry) => void): boolean {
    if (!this.isWhole(batch, index)) return false;
    const { nonce, cipher = null } = this.#source;
    const start = batch.offset + batchHeaderSize + batch.recordsBytes;
    let bytes = indexBytesOf(batch);
    if (cipher !== null) {
      if (!cipher.openIndex(index.subarray(0, bytes), nonce, batch.offset)) return false;
      bytes -= indexSealBytes;
    }
    return readEntries(batch, index, start, bytes, visit);
  }
}

/** Visits the entries of an index of so many bytes; the records end at `start`. */
function readEntries(
  { count, offset, minSequence, maxSequence }: Batch,
  index: Buffer,
  start: number,
  bytes: number,
  visit: (entry: IndexEntry) => void,
): boolean {
  const detailsAt = count * entrySize;
  let free = offset + batchHeaderSize;
  let detail = detailsAt;
  for (let record = 0; record < count; record++) {
    // The last record's entry comes first.
    const entry = detailsAt - (record + 1) * entrySize;
    const sized = index.readUInt32LE(entry + entryRecordSize);
    const size = sized & 0xffffff;
    const low = index.readUInt32LE(entry + entrySequence);
    const about = low >>> 24;
    const above = (low - minSequence) % batchSequences;
    const sequence = minSequence + ((above + batchSequences) % batchSequences);
    const isGap = (about & entryFlagGap) !== 0;
    const hasExpiry = (about & entryFlagExpires) !== 0;
    const tagsAt = detail + (isGap ? tagHashSize : 0) + (hasExpiry ? tagHashSize : 0);
    const tagsEnd = tagsAt + (about & entryTagsMask) * tagHashSize;
    if (tagsEnd > bytes || sequence > maxSequence) return false;
    const unit = isGap ? index.readUInt32LE(detail) : free / unitBytes;
    const end = unit * unitBytes + size;
    if (unit * unitBytes < free || size < diskRecordBytesMin || end > start) return false;
    visit({
      hashLow: index.readUInt32LE(entry + entryHash),
      hashHigh: index.readUInt32LE(entry + entryHash + 4),
      sequence,
      unit,
      size,
      space: sized >>> 24,
      expires: hasExpiry ? index.readDoubleLE(tagsAt - tagHashSize) : Infinity,
      isChunk: (about & entryFlagChunk) !== 0,
      tags: tagsEnd === tagsAt ? noTags : index.subarray(tagsAt, tagsEnd),
    });
    free = alignUp(end, unitBytes);
    detail = tagsEnd;
  }
  return alignUp(detail, unitBytes) === bytes && maxSequence <= sequenceMax;
}
