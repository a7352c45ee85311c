// Reads the headers and the indexes of the batches in a segment file: what records a batch holds,
// and their tags, without a value. Called by the scan of a segment, and by the walk that looks for
// invalidated records.
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
  batchHeaderTagsBytes,
  batchHeaderVersion,
  batchMagic,
  batchVersion,
  entryExpires,
  entryFlagChunk,
  entryFlags,
  entryHash,
  entryRecordSize,
  entrySequence,
  entrySize,
  entrySpace,
  entryTags,
  entryUnit,
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
  readonly tagsBytes: number;
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

/** Bytes of a batch's index and tags. */
export function indexBytesOf({ count, tagsBytes }: Batch): number {
  return count * entrySize + tagsBytes;
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
    const tagsBytes = header.readUInt32LE(batchHeaderTagsBytes);
    if (count === 0 || recordsBytes % unitBytes !== 0 || tagsBytes % unitBytes !== 0) return null;
    const bytes = batchHeaderSize + recordsBytes + count * entrySize + tagsBytes;
    if (offset + bytes + count * tombstoneSize > end) return null;
    return {
      offset,
      end: offset + bytes,
      count,
      recordsBytes,
      tagsBytes,
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
    const tagsAt = batch.count * entrySize;
    let free = batch.offset + batchHeaderSize;
    let tag = tagsAt;
    for (let i = 0; i < batch.count; i++) {
      // The last record's entry comes first.
      const entry = tagsAt - (i + 1) * entrySize;
      const sequence = index.readUIntLE(entry + entrySequence, 6);
      const unit = index.readUInt32LE(entry + entryUnit);
      const size = index.readUIntLE(entry + entryRecordSize, 3);
      const tags = index.readUInt8(entry + entryTags) * tagHashSize;
      if (unit * unitBytes < free || size < diskRecordBytesMin) return false;
      free = unit * unitBytes + size;
      if (free > start || tag + tags > bytes) return false;
      if (sequence < batch.minSequence || sequence > batch.maxSequence) return false;
      visit({
        hashLow: index.readUInt32LE(entry + entryHash),
        hashHigh: index.readUInt32LE(entry + entryHash + 4),
        sequence,
        unit,
        size,
        space: index.readUInt8(entry + entrySpace),
        expires: index.readDoubleLE(entry + entryExpires),
        isChunk: (index.readUInt8(entry + entryFlags) & entryFlagChunk) !== 0,
        tags: index.subarray(tag, tag + tags),
      });
      tag += tags;
    }
    return alignUp(tag, unitBytes) === bytes && batch.maxSequence <= sequenceMax;
  }
}
