// Segments written by the builder and read by the scan: whole, torn at every kind of position, and
// with flipped bytes.

import { ftruncateSync, readFileSync, readSync, writeSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { KiB } from "../../dist/src/base/mod.js";
import {
  BatchBuilder,
  resetSegment,
  scanSegment,
  segmentKeyOf,
  sequenceMax,
  verifyRecord,
  voidSegment,
  writeBatch,
} from "../../dist/src/disk/mod.js";
import { fileDevice } from "../../dist/src/device/mod.js";
import { faultyDevice } from "../device/faulty-device.js";
import { flagDiskLocation } from "../../dist/src/record/mod.js";
import {
  hasher,
  key,
  identity,
  makeRecord,
  scan,
  scratchFile,
  seed,
  segmentBytes,
  writeSegment,
} from "./scratch.js";

function flipByte(fd: number, position: number, mask = 0xff): void {
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ mask;
  writeSync(fd, byte, 0, 1, position);
}

describe("scanSegment()", () => {
  test("finds every record of every batch in the order of writing", () => {
    const { fd, records, offsets } = writeSegment(3, 10);
    const found = scan(fd);
    expect(found).toMatchObject({
      ...identity,
      recordCount: 30,
      damagedBatches: 0,
      maxSequence: 30,
    });
    expect(found.endOffset).toBe(offsets[3]);
    expect(found.maxExpires).toBe(Infinity);
    for (const [i, record] of records.entries()) {
      expect(found.entries.unit[i]).toBe(record.offset / 16);
      expect(found.entries.size[i]).toBe(record.size);
      expect(found.entries.sequence[i]).toBe(i + 1);
      expect(found.entries.hashLow[i]).toBe(i + 1);
      expect(found.entries.hashHigh[i]).toBe(~(i + 1) >>> 0);
      expect(found.entries.expires[i]).toBe((i + 1) % 3 === 0 ? 1001 + i : Infinity);
      expect(found.entries.dead[i]).toBe(0);
    }
  });

  test("is null for a file never written, of another segment or of another directory", () => {
    const blank = scratchFile();
    expect(scanSegment(blank.fd, segmentBytes, key, hasher)).toBeNull();
    const { fd } = writeSegment(1, 1);
    expect(scanSegment(fd, segmentBytes, segmentKeyOf(seed, 1), hasher)).toBeNull();
    expect(scanSegment(fd, segmentBytes, segmentKeyOf(seed + 1n, 0), hasher)).toBeNull();
    expect(scanSegment(fd, segmentBytes * 2, key, hasher)).toBeNull();
  });

  test("finds nothing in a segment that was opened and not written", () => {
    const { fd } = scratchFile();
    resetSegment(fd, segmentBytes, identity, key, hasher, true);
    const found = scan(fd);
    expect(found).toMatchObject({ recordCount: 0, endOffset: 64, damagedBatches: 0 });
    expect(found.maxExpires).toBe(0);
  });

  test("finds nothing of the earlier generation", () => {
    const { fd } = writeSegment(4, 10);
    resetSegment(fd, segmentBytes, { ...identity, nonce: 5n, serial: 8 }, key, hasher, false);
    expect(scan(fd)).toMatchObject({ nonce: 5n, serial: 8, recordCount: 0, damagedBatches: 0 });
  });

  test("finds nothing in a segment that was voided, whose records can still be read", () => {
    const { fd, records } = writeSegment(2, 3);
    const [first] = records;
    voidSegment(fd);
    expect(scanSegment(fd, segmentBytes, key, hasher)).toBeNull();
    const read = Buffer.alloc(64);
    readSync(fd, read, 0, 64, first?.offset ?? 0);
    expect(verifyRecord(read, 0, 64, identity.nonce, first?.offset ?? 0, hasher)).toBe(first?.size);
  });

  test("keeps numbers at their limits", () => {
    const { fd } = scratchFile();
    const edge = { nonce: 2n ** 64n - 1n, serial: Number.MAX_SAFE_INTEGER, createdMs: 0 };
    resetSegment(fd, segmentBytes, edge, key, hasher, false);
    const builder = new BatchBuilder(KiB, hasher);
    builder.begin({ nonce: edge.nonce, offset: 64, segmentBytes, recordCount: 0 });
    const record = makeRecord("k", "", sequenceMax);
    builder.append(record, 0, record.length, 0xffff_ffff, 0, sequenceMax, 0);
    writeBatch(fd, builder.finish(0), 64);
    const found = scan(fd);
    expect(found).toMatchObject({ ...edge, maxSequence: sequenceMax, maxExpires: 0 });
    expect(found.entries.hashLow[0]).toBe(0xffff_ffff);
    expect(found.entries.sequence[0]).toBe(sequenceMax);
    expect(found.entries.expires[0]).toBe(0);
  });
});

describe("a torn batch", () => {
  const image = (): { fd: number; bytes: Buffer; offsets: number[] } => {
    const { fd, file, offsets } = writeSegment(3, 4);
    return { fd, bytes: readFileSync(file), offsets };
  };

  test("never yields a part of itself, wherever the write was cut", () => {
    const { fd, bytes, offsets } = image();
    const [, second = 0, third = 0, end = 0] = offsets;
    for (let cut = second; cut < end; cut += cut - second < 200 ? 1 : 7) {
      ftruncateSync(fd, 0);
      ftruncateSync(fd, segmentBytes);
      writeSync(fd, bytes, 0, cut, 0);
      const found = scan(fd);
      // What pads the last details is zeros in any case.
      const isWhole = bytes.subarray(cut, third).every((byte) => byte === 0);
      expect(found.recordCount).toBe(isWhole ? 8 : 4);
      expect(found.endOffset).toBe(isWhole ? third : second);
    }
  });

  test("never yields a part of itself, whichever page is missing", () => {
    const { fd } = scratchFile();
    resetSegment(fd, segmentBytes, identity, key, hasher, false);
    const builder = new BatchBuilder(64 * KiB, hasher);
    builder.begin({ nonce: identity.nonce, offset: 64, segmentBytes, recordCount: 0 });
    for (let sequence = 1; sequence <= 30; sequence++) {
      const record = makeRecord(`key-${sequence}`, "x".repeat(1000), sequence);
      expect(builder.append(record, 0, record.length, 0, 0, sequence, Infinity)).toBeGreaterThan(0);
    }
    const batch = builder.finish(0);
    const headerPages = new Set<number>([0]);
    const indexStart = 64 + batch.length - 30 * 16;
    for (let page = 0; page * 4096 < 64 + batch.length; page++) {
      writeBatch(fd, batch, 64);
      const from = Math.max(page * 4096, 64);
      const to = Math.min((page + 1) * 4096, 64 + batch.length);
      writeSync(fd, Buffer.alloc(to - from), 0, to - from, from);
      const isIndexed = !headerPages.has(page) && to <= indexStart;
      // A hole among the values leaves the index whole; each value has its own checksum.
      expect(scan(fd).recordCount).toBe(isIndexed ? 30 : 0);
    }
  });

  test("is counted, and zeros after the last batch are not damage", () => {
    const { fd, offsets } = image();
    expect(scan(fd).damagedBatches).toBe(0);
    flipByte(fd, (offsets[2] ?? 0) + 8);
    expect(scan(fd)).toMatchObject({ damagedBatches: 1, recordCount: 8, endOffset: offsets[2] });
  });
});

test("a flipped byte of header or index loses the batches from there on, nothing else", () => {
  const { fd, offsets, file, records } = writeSegment(2, 3);
  const before = readFileSync(file);
  const [first = 0, second = 0, end = 0] = offsets;
  for (let position = 0; position < end; position++) {
    flipByte(fd, position, 1 << (position % 8));
    const found = scanSegment(fd, segmentBytes, key, hasher);
    const count = found?.recordCount ?? 0;
    const isValue = (at: number, next: number): boolean =>
      position >= at + 64 && position < next - 3 * 16 - 16;
    const isHarmless = isValue(first, second) || isValue(second, end);
    expect(found === null).toBe(position < 64);
    expect(count).toBe(isHarmless ? 6 : position < second ? 0 : 3);
    for (let i = 0; i < count; i++) {
      expect(found?.entries.unit[i]).toBe((records[i]?.offset ?? 0) / 16);
      expect(found?.entries.sequence[i]).toBe(i + 1);
    }
    writeSync(fd, before, position, 1, position);
  }
  expect(scan(fd).recordCount).toBe(6);
});

test("a whole header with wrong sizes is refused before memory is allocated", () => {
  const { fd, offsets } = writeSegment(1, 2);
  const header = Buffer.alloc(64);
  for (const [count, recordsBytes] of [
    [0xffff_ffff, 64],
    [2, 0xffff_fff0],
    [0, 64],
    [2, 63],
    [3, 64],
  ] as const) {
    readSync(fd, header, 0, 64, 64);
    header.writeUInt32LE(count, 8);
    header.writeUInt32LE(recordsBytes, 12);
    header.writeBigUInt64LE(hasher.h64(header.subarray(0, 56), identity.nonce ^ 64n), 56);
    writeSync(fd, header, 0, 64, 64);
    expect(scan(fd)).toMatchObject({ recordCount: 0, damagedBatches: 1, endOffset: offsets[0] });
  }
});

describe("verifyRecord()", () => {
  const written = (): { bytes: Buffer; at: number; size: number; next: number } => {
    const { file, records } = writeSegment(1, 2);
    const [first, second] = records;
    return {
      bytes: readFileSync(file),
      at: first?.offset ?? 0,
      size: first?.size ?? 0,
      next: second?.offset ?? 0,
    };
  };
  const verify = (
    bytes: Buffer,
    at: number,
    claimed = at,
    nonce = identity.nonce,
    available = 64,
  ) => verifyRecord(Buffer.from(bytes), at, available, nonce, claimed, hasher);

  test("returns the size of a whole record, to the last byte available", () => {
    const { bytes, at, size } = written();
    expect(verify(bytes, at)).toBe(size);
    expect(verify(bytes, at, at, identity.nonce, size)).toBe(size);
    expect(verify(bytes, at, at, identity.nonce, size - 1)).toBe(0);
    expect(verify(bytes, at, at, identity.nonce, 0)).toBe(0);
  });

  test("refuses every flipped bit", () => {
    const { bytes, at, size } = written();
    for (let bit = 0; bit < size * 8; bit++) {
      const copy = Buffer.from(bytes);
      copy[at + (bit >>> 3)] = (copy[at + (bit >>> 3)] ?? 0) ^ (1 << (bit & 7));
      expect(verify(copy, at)).toBe(0);
    }
  });

  test("refuses a record of another nonce, moved, and read from another offset", () => {
    const { bytes, at, next } = written();
    expect(verify(bytes, at, at, identity.nonce + 1n)).toBe(0);
    expect(verify(bytes, at, next)).toBe(0);
    const moved = Buffer.from(bytes);
    bytes.copy(moved, at, next, next + 64);
    expect(verify(moved, at)).toBe(0);
  });

  test("refuses inconsistent lengths, even with a right checksum", () => {
    const { bytes, at, size } = written();
    for (const [position, value] of [
      [at + 14, 255],
      [at + 4, 255],
      [at + 2, 255],
      [at, 24],
    ] as const) {
      const copy = Buffer.from(bytes);
      copy[position] = value;
      copy.writeUInt32LE(0, at + 20);
      const sum = hasher.low32(copy.subarray(at, at + size), identity.nonce ^ BigInt(at));
      copy.writeUInt32LE(sum, at + 20);
      expect(verify(copy, at)).toBe(0);
    }
  });

  test("a disk location noted in memory is 0 on disk", () => {
    const builder = new BatchBuilder(KiB, hasher);
    builder.begin({ nonce: 9n, offset: 64, segmentBytes, recordCount: 0 });
    const record = makeRecord("key", "value", 1, flagDiskLocation);
    const at = builder.append(record, 0, record.length, 0, 0, 1, Infinity);
    const batch = builder.finish(0);
    expect(batch.readBigUInt64LE(64 + 24)).toBe(0n);
    expect(verifyRecord(batch, 64, batch.length - 64, 9n, at, hasher)).toBe(record.length);
  });
});

describe("a failing disk", () => {
  test("fails a write that is short, and the scan finds the batches before", () => {
    const { fd, offsets } = writeSegment(2, 4);
    const end = offsets[2] ?? 0;
    const device = faultyDevice(fileDevice, ({ kind }) =>
      kind === "write" ? { kind: "short", bytes: 100 } : undefined,
    );
    const builder = new BatchBuilder(KiB, hasher);
    builder.begin({ nonce: identity.nonce, offset: end, segmentBytes, recordCount: 8 });
    const record = makeRecord("key", "v".repeat(100), 9);
    builder.append(record, 0, record.length, 0, 0, 9, Infinity);
    expect(() => writeBatch(fd, builder.finish(0), end, device)).toThrow(
      expect.objectContaining({ code: "ERR_DISK_IO" }),
    );
    expect(scan(fd)).toMatchObject({ recordCount: 8, endOffset: end, damagedBatches: 1 });
  });

  test("fails a scan that cannot read, and a reset that cannot write or sync", () => {
    const { fd } = writeSegment(1, 1);
    const coded = expect.objectContaining({ code: "ERR_DISK_IO" });
    for (const broken of ["read", "write", "truncate", "fsync"] as const) {
      const device = faultyDevice(fileDevice, ({ kind }) =>
        kind === broken ? { kind: "error", code: "EIO" } : undefined,
      );
      const run = (): unknown =>
        broken === "read"
          ? scanSegment(fd, segmentBytes, key, hasher, device)
          : resetSegment(fd, segmentBytes, identity, key, hasher, true, device);
      expect(run).toThrow(coded);
    }
  });
});
