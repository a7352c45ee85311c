// What the tests of the disk room share: temporary directories, records made byte by byte, and
// segments written by the room's own writer.

import { mkdtempSync, openSync, rmSync, closeSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { KiB } from "../../dist/src/base/mod.js";
import {
  BatchBuilder,
  resetSegment,
  scanSegment,
  segmentHeaderSize,
  segmentKeyOf,
  type SegmentScan,
  writeBatch,
} from "../../dist/src/disk/mod.js";
import { createHasher } from "../../dist/src/hash/mod.js";
import {
  recordExtensionUnits,
  recordFlags,
  recordHeaderSize,
  recordKeyLength,
  recordSequence,
} from "../../dist/src/record/mod.js";

export const hasher = await createHasher();
export const seed = 0x1234_5678_9abc_def0n;
export const segmentBytes = 128 * KiB;
export const key = segmentKeyOf(seed, 0);
export const identity = { nonce: 0xfeed_beef_0123_4567n, serial: 7, createdMs: 1_750_000_000_000 };

/** An empty directory, removed after the test. */
export function scratchDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "undercroft-test-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** An open file of zeros of one segment's length, removed after the test. */
export function scratchFile(length: number = segmentBytes): { fd: number; file: string } {
  const file = join(scratchDirectory(), "segment");
  writeFileSync(file, "");
  truncateSync(file, length);
  const fd = openSync(file, "r+");
  onTestFinished(() => closeSync(fd));
  return { fd, file };
}

/** A record as it is in memory. */
export function makeRecord(recordKey: string, value: string, sequence: number, flags = 0): Buffer {
  const extension = flags === 0 ? 0 : 8;
  const keyAt = recordHeaderSize + extension;
  const size = keyAt + recordKey.length + value.length;
  const record = Buffer.alloc(size);
  record.writeUInt32LE(size, 0);
  record.writeUInt16LE(recordKey.length - 1, recordKeyLength);
  record.writeUInt8(flags, recordFlags);
  record.writeUIntLE(sequence, recordSequence, 6);
  record.writeUInt8(extension / 8, recordExtensionUnits);
  if (extension > 0) record.fill(0xee, recordHeaderSize, keyAt);
  record.write(recordKey, keyAt, "latin1");
  record.write(value, keyAt + recordKey.length, "latin1");
  return record;
}

export interface WrittenSegment {
  readonly fd: number;
  readonly file: string;
  /** Offsets of the batches, and the end of the last one. */
  readonly offsets: number[];
  /** Offset and size of each record. */
  readonly records: { readonly offset: number; readonly size: number }[];
}

/** Writes a segment of `batches` batches of `perBatch` records each; sequences count from 1. */
export function writeSegment(batches: number, perBatch: number): WrittenSegment {
  const { fd, file } = scratchFile();
  resetSegment(fd, segmentBytes, identity, key, hasher, false);
  const builder = new BatchBuilder(16 * KiB, hasher);
  const offsets: number[] = [segmentHeaderSize];
  const records: { offset: number; size: number }[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const offset = offsets.at(-1) ?? 0;
    builder.begin({ nonce: identity.nonce, offset, segmentBytes, recordCount: records.length });
    for (let i = 0; i < perBatch; i++) {
      const sequence = records.length + 1;
      const record = makeRecord(`key-${sequence}`, "v".repeat(sequence % 50), sequence);
      const expires = sequence % 3 === 0 ? 1000 + sequence : Infinity;
      const at = builder.append(
        record,
        0,
        record.length,
        sequence,
        ~sequence >>> 0,
        sequence,
        expires,
      );
      records.push({ offset: at, size: record.length });
    }
    writeBatch(fd, builder.finish(0), offset);
    offsets.push(builder.endOffset);
  }
  return { fd, file, offsets, records };
}

/** Scans a segment that must have a header. */
export function scan(fd: number): SegmentScan {
  const found = scanSegment(fd, segmentBytes, key, hasher);
  if (found === null) throw new Error("the segment has no header");
  return found;
}
