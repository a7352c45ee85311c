// Builds one batch of records in a private buffer, so that one positional write puts it on disk.
// The disk log calls it, in the janitor.
// Invariant: a record is copied once, to the offset that `nextOffset` gave before. Index entries
// grow down from the end of the buffer, last record first; `finish` moves them behind the records.

import { alignUp, assert } from "../base/mod.js";
import type { Hasher } from "../hash/mod.js";
import { isChunk, recordFlags, recordSpace, recordTagsMax, tagHashesOf } from "../record/mod.js";
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
  tagHashSize,
  tombstoneSize,
  batchSequences,
  entryFlagChunk,
  entryFlagExpires,
  entryFlagGap,
  entryHash,
  entryRecordSize,
  entrySequence,
  entrySize,
  seedAt,
  unitBytes,
} from "./file-layout.js";
import { type DiskCipher, indexSealBytes, recordSealBytes } from "./disk-cipher.js";
import { sealRecord } from "./record-check.js";

const detailsBytesFirst = 4096;
/** What a record may have of details: a unit, an expiry and tags. */
const detailsBytesMost = (2 + recordTagsMax) * tagHashSize;

/** Where a batch will be written. */
export interface BatchPlace {
  /** The segment's nonce. */
  readonly nonce: bigint;
  /** Offset of the batch in the segment: 64, or the end of the batch before. */
  readonly offset: number;
  readonly segmentBytes: number;
  /** Records in the segment so far, skipped ones included. Each has room for a tombstone. */
  readonly recordCount: number;
}

/** One batch under construction. The builder is reused for the next. */
export class BatchBuilder {
  readonly #buffer: Buffer;
  readonly #hasher: Hasher;
  readonly #cipher: DiskCipher | null;
  /** What a record takes more on disk than in memory. */
  readonly #sealBytes: number;
  /** What the index of a batch takes more. */
  readonly #indexSealBytes: number;
  #target: BatchPlace = { nonce: 0n, offset: 0, segmentBytes: 0, recordCount: 0 };
  #recordsEnd = batchHeaderSize;
  #count = 0;
  #skipped = 0;
  #minSequence = Infinity;
  #maxSequence = 0;
  #maxExpires = 0;
  /** Whether the next record does not begin where the last one ends. */
  #isGap = false;
  /** The details of the records so far. */
  #details = Buffer.alloc(detailsBytesFirst);
  #detailsEnd = 0;

  /** `bufferBytes`, a multiple of 16, bounds a batch with its header and index. */
  constructor(bufferBytes: number, hasher: Hasher, cipher: DiskCipher | null = null) {
    assert(bufferBytes % unitBytes === 0, "a batch buffer is a multiple of 16 bytes");
    assert(bufferBytes >= 1024, "a batch buffer holds a header and a record");
    this.#buffer = Buffer.alloc(bufferBytes);
    this.#hasher = hasher;
    this.#cipher = cipher;
    this.#sealBytes = cipher === null ? 0 : recordSealBytes;
    this.#indexSealBytes = cipher === null ? 0 : indexSealBytes;
  }

  /** Starts an empty batch. */
  begin(target: BatchPlace): void {
    assert(target.offset % unitBytes === 0, "a batch starts on 16 bytes");
    this.#target = target;
    this.#recordsEnd = batchHeaderSize;
    this.#count = 0;
    this.#skipped = 0;
    this.#minSequence = Infinity;
    this.#maxSequence = 0;
    this.#maxExpires = 0;
    this.#detailsEnd = 0;
    this.#isGap = false;
  }

  /** Records appended since `begin`. */
  get count(): number {
    return this.#count;
  }

  /** Where the batch ends in the segment, and the next begins. */
  get endOffset(): number {
    const details = alignUp(this.#detailsEnd, unitBytes) + this.#indexSealBytes;
    const index = this.#count * entrySize + details;
    return this.#target.offset + this.#recordsEnd + index;
  }

  /** What a record of `size` bytes takes on disk. */
  sizeOnDisk(size: number): number {
    return size + this.#sealBytes;
  }

  /**
   * The offset in the segment that a record of `size` bytes would get now, or -1 if the buffer or
   * the segment is full. It leaves room for as many details as a record may have.
   */
  nextOffset(size: number): number {
    const detailsBytes = alignUp(this.#detailsEnd + detailsBytesMost, unitBytes);
    const indexBytes = (this.#count + 1) * entrySize + detailsBytes + this.#indexSealBytes;
    const recordBytes = alignUp(this.sizeOnDisk(size), unitBytes);
    const batchEnd = this.#recordsEnd + recordBytes + indexBytes;
    if (batchEnd > this.#buffer.length) return -1;
    const tombstones = (this.#target.recordCount + this.#count + this.#skipped + 1) * tombstoneSize;
    if (this.#target.offset + batchEnd + tombstones > this.#target.segmentBytes) return -1;
    return this.#target.offset + this.#recordsEnd;
  }

  /** Whether a record with this sequence may be in the batch: an entry has only its low bits. */
  takes(sequence: number): boolean {
    const least = Math.min(this.#minSequence, sequence);
    return Math.max(this.#maxSequence, sequence) - least < batchSequences;
  }

  /**
   * Copies a record and returns its offset in the segment, or -1 if the batch is full. `source` may
   * be shared memory. `expires` is wall-clock milliseconds, Infinity = never. `checksum` is what
   * the record gets there, -1 if it is not known.
   */
  append(
    source: Uint8Array,
    sourceOffset: number,
    size: number,
    hashLow: number,
    hashHigh: number,
    sequence: number,
    expires: number,
    checksum = -1,
  ): number {
    const offset = this.nextOffset(size);
    if (offset < 0) return -1;
    assert(this.takes(sequence), "the sequences of a batch are close to each other");
    const buffer = this.#buffer;
    const start = this.#recordsEnd;
    const end = start + alignUp(this.sizeOnDisk(size), unitBytes);
    const isAll = sourceOffset === 0 && source.length === size;
    buffer.set(isAll ? source : source.subarray(sourceOffset, sourceOffset + size), start);
    for (let at = start + size; at < end; at++) buffer[at] = 0;
    const about = this.#addDetails(start, offset, expires);
    const [hasher, cipher] = [this.#hasher, this.#cipher];
    const { nonce } = this.#target;
    const sealed = sealRecord(buffer, start, size, { nonce, offset, hasher, cipher }, checksum);
    this.#recordsEnd = end;
    this.#count += 1;

    const entry = buffer.length - this.#count * entrySize;
    buffer.writeUInt32LE(hashLow, entry + entryHash);
    buffer.writeUInt32LE(hashHigh, entry + entryHash + 4);
    buffer.writeUIntLE(sealed, entry + entryRecordSize, 3);
    buffer.writeUInt8(buffer.readUInt8(start + recordSpace), entry + entryRecordSize + 3);
    buffer.writeUIntLE(sequence % batchSequences, entry + entrySequence, 3);
    buffer.writeUInt8(about, entry + entrySequence + 3);
    this.#minSequence = Math.min(this.#minSequence, sequence);
    this.#maxSequence = Math.max(this.#maxSequence, sequence);
    this.#maxExpires = Math.max(this.#maxExpires, expires);
    return offset;
  }

  /** Collects the details of the record at `start`, which will be at `offset`; answers what its
   *  entry says about it. */
  #addDetails(start: number, offset: number, expires: number): number {
    const hashes = tagHashesOf(this.#buffer, start);
    const most = this.#detailsEnd + detailsBytesMost;
    if (most > this.#details.length) {
      this.#details = Buffer.concat([this.#details], this.#details.length * 2);
    }
    let about = hashes.length / tagHashSize;
    if (isChunk(this.#buffer.readUInt8(start + recordFlags))) about |= entryFlagChunk;
    if (this.#isGap) {
      about |= entryFlagGap;
      this.#details.writeUInt32LE(offset / unitBytes, this.#detailsEnd);
      this.#details.writeUInt32LE(0, this.#detailsEnd + 4);
      this.#detailsEnd += tagHashSize;
      this.#isGap = false;
    }
    if (expires !== Infinity) {
      about |= entryFlagExpires;
      this.#detailsEnd = this.#details.writeDoubleLE(expires, this.#detailsEnd);
    }
    hashes.copy(this.#details, this.#detailsEnd);
    this.#detailsEnd += hashes.length;
    return about;
  }

  /**
   * Leaves the offset that the next record of `size` bytes would get empty, and keeps room for its
   * tombstone: a thread may have announced one for this disk location.
   */
  skip(size: number): void {
    assert(this.nextOffset(size) >= 0, "only room that a record could have had is skipped");
    const end = this.#recordsEnd + alignUp(this.sizeOnDisk(size), unitBytes);
    this.#buffer.fill(0, this.#recordsEnd, end);
    this.#recordsEnd = end;
    this.#isGap = true;
    this.#skipped += 1;
  }

  /**
   * Completes the batch and returns the bytes to write at its offset: a view of the builder's
   * buffer, valid until the next `begin`. `schemas` is the number of schema ids given out, read
   * after the last record was appended.
   */
  finish(schemas: number): Buffer {
    assert(this.#count > 0, "a batch has a record");
    const buffer = this.#buffer;
    const indexBytes = this.#count * entrySize;
    buffer.copyWithin(this.#recordsEnd, buffer.length - indexBytes);
    const detailsAt = this.#recordsEnd + indexBytes;
    const detailsBytes = alignUp(this.#detailsEnd, unitBytes) + this.#indexSealBytes;
    const end = detailsAt + detailsBytes;
    this.#details.copy(buffer, detailsAt, 0, this.#detailsEnd);
    buffer.fill(0, detailsAt + this.#detailsEnd, end);
    const index = buffer.subarray(this.#recordsEnd, end);
    const { nonce, offset } = this.#target;
    this.#cipher?.sealIndex(index, nonce, offset);

    buffer.fill(0, 0, batchHeaderSize);
    buffer.writeUInt32LE(batchMagic, 0);
    buffer.writeUInt32LE(batchVersion, batchHeaderVersion);
    buffer.writeUInt32LE(this.#count, batchHeaderCount);
    buffer.writeUInt32LE(this.#recordsEnd - batchHeaderSize, batchHeaderRecordsBytes);
    buffer.writeUInt32LE(schemas, batchHeaderSchemas);
    buffer.writeUInt32LE(detailsBytes, batchHeaderDetailsBytes);
    buffer.writeBigUInt64LE(this.#hasher.h64(index, nonce), batchHeaderIndexChecksum);
    buffer.writeBigUInt64LE(BigInt(this.#minSequence), batchHeaderMinSequence);
    buffer.writeBigUInt64LE(BigInt(this.#maxSequence), batchHeaderMaxSequence);
    buffer.writeDoubleLE(this.#maxExpires, batchHeaderMaxExpires);
    const header = buffer.subarray(0, batchHeaderChecksum);
    const checksum = this.#hasher.h64(header, seedAt(nonce, offset));
    buffer.writeBigUInt64LE(checksum, batchHeaderChecksum);
    return buffer.subarray(0, end);
  }
}
