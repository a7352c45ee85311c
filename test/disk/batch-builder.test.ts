// What the builder of batches makes of records, and where it puts them.

import { readSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { KiB } from "../../dist/src/base/mod.js";
import { BatchBuilder, resetSegment, verifyRecord, writeBatch } from "../../dist/src/disk/mod.js";
import { hasher, key, identity, makeRecord, scan, scratchFile, segmentBytes } from "./scratch.js";

describe("BatchBuilder", () => {
  test("returns the offset before the record is added, and -1 when the buffer is full", () => {
    const builder = new BatchBuilder(1024, hasher);
    builder.begin({ nonce: 1n, offset: 64, segmentBytes, recordCount: 0 });
    const record = makeRecord("key", "v".repeat(100), 1);
    let count = 0;
    for (;;) {
      const next = builder.nextOffset(record.length);
      expect(builder.append(record, 0, record.length, 0, 0, 1, 1)).toBe(next);
      if (next < 0) break;
      count += 1;
    }
    // 64 + n × (128 + 16 + 8), and 144 for the details that the next may have, on 16 <= 1024
    expect(count).toBe(5);
    expect(builder.count).toBe(5);
    expect(builder.endOffset).toBe(64 + 64 + 5 * 144 + 48);
    expect(builder.finish(0).length).toBe(64 + 5 * 144 + 48);
  });

  test("keeps apart what expires, what is behind a gap and sequences below 2^24", () => {
    const { fd } = scratchFile();
    resetSegment(fd, segmentBytes, identity, key, hasher, false);
    const builder = new BatchBuilder(4 * KiB, hasher);
    builder.begin({ nonce: identity.nonce, offset: 64, segmentBytes, recordCount: 0 });
    const newest = 3 * 2 ** 24 + 5;
    const wanted = [
      { sequence: newest, expires: Infinity, gap: 0 },
      { sequence: newest - 2 ** 24 + 1, expires: 7, gap: 40 },
      { sequence: newest - 1, expires: Infinity, gap: 0 },
      { sequence: newest - 9, expires: 8, gap: 0 },
      { sequence: newest - 3, expires: Infinity, gap: 100 },
    ];
    const units = wanted.map(({ sequence, expires, gap }) => {
      if (gap > 0) builder.skip(gap);
      const record = makeRecord(`key-${sequence}`, "value", sequence);
      return builder.append(record, 0, record.length, 1, 2, sequence, expires) / 16;
    });
    for (const [sequence, isTaken] of [
      [newest + 1, false],
      [newest - 2 ** 24, false],
      [newest - 2 ** 24 + 1, true],
    ] as const) {
      expect(builder.takes(sequence)).toBe(isTaken);
    }
    writeBatch(fd, builder.finish(0), 64);
    const { entries, recordCount, endOffset } = scan(fd);
    expect([recordCount, endOffset]).toEqual([5, builder.endOffset]);
    expect([...entries.unit]).toEqual(units);
    expect([...entries.sequence]).toEqual(wanted.map(({ sequence }) => sequence));
    expect([...entries.expires]).toEqual(wanted.map(({ expires }) => expires));
  });

  test("leaves room at the tail for one tombstone per record", () => {
    const small = 128 * KiB;
    const builder = new BatchBuilder(2 * small, hasher);
    builder.begin({ nonce: 1n, offset: 64, segmentBytes: small, recordCount: 100 });
    const record = makeRecord("k", "", 1);
    let count = 0;
    while (builder.append(record, 0, record.length, 0, 0, 1, 1) > 0) count += 1;
    const used = builder.endOffset + (100 + count) * 8;
    expect(builder.endOffset).toBe(64 + 64 + count * (32 + 16) + Math.ceil(count / 2) * 16);
    expect(used).toBeLessThanOrEqual(small);
    expect(used + 64 + 144).toBeGreaterThan(small);
  });

  test("a full segment comes back whole, with room for a tombstone of every record", () => {
    const { fd } = scratchFile();
    resetSegment(fd, segmentBytes, identity, key, hasher, false);
    const builder = new BatchBuilder(segmentBytes, hasher);
    builder.begin({ nonce: identity.nonce, offset: 64, segmentBytes, recordCount: 0 });
    let sequence = 0;
    for (;;) {
      const record = makeRecord("k", "", sequence + 1);
      if (builder.append(record, 0, record.length, 0, 0, sequence + 1, Infinity) < 0) break;
      sequence += 1;
    }
    writeBatch(fd, builder.finish(0), 64);
    expect(sequence).toBeGreaterThan(1800);
    expect(scan(fd)).toMatchObject({ recordCount: sequence, damagedBatches: 0 });
  });

  test("takes records from shared memory and is used again for the next batch", () => {
    const { fd } = scratchFile();
    resetSegment(fd, segmentBytes, identity, key, hasher, false);
    const builder = new BatchBuilder(4 * KiB, hasher);
    const shared = new Uint8Array(new SharedArrayBuffer(1024));
    let offset = 64;
    for (let sequence = 1; sequence <= 3; sequence++) {
      const record = makeRecord("key", `value ${sequence}`, sequence);
      shared.set(record, 40);
      builder.begin({ nonce: identity.nonce, offset, segmentBytes, recordCount: sequence - 1 });
      const at = builder.append(shared, 40, record.length, 0, 0, sequence, Infinity);
      writeBatch(fd, builder.finish(0), offset);
      offset = builder.endOffset;
      const read = Buffer.alloc(64);
      readSync(fd, read, 0, 64, at);
      expect(verifyRecord(read, 0, 64, identity.nonce, at, hasher)).toBe(record.length);
      expect(read.subarray(0, record.length)).toEqual(record);
    }
    expect(scan(fd).recordCount).toBe(3);
  });
});
