// Tombstones: a record that was overwritten or deleted stays dead, whatever happens to the file
// around its tombstone.

import { readFileSync, readSync, writeSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fileDevice } from "../../dist/src/device/mod.js";
import { faultyDevice } from "../device/faulty-device.js";
import { readTombstones, reconcileSegment, appendTombstone } from "../../dist/src/disk/mod.js";
import { identity, scan, segmentBytes, writeSegment, type WrittenSegment } from "./scratch.js";

const keepAll = { clearEpoch: 0, namespaceEpochs: [], keepThrough: Infinity, dropExpiring: false };

function bury(segment: WrittenSegment, index: number, record: number): void {
  const unit = (segment.records[record]?.offset ?? 0) / 16;
  appendTombstone(segment.fd, segmentBytes, identity.nonce, index, unit);
}

/** Numbers of the records that are live after a scan. */
function living(segment: WrittenSegment): number[] {
  const { entries } = scan(segment.fd);
  return [...entries.dead.keys()].filter((i) => entries.dead[i] === 0);
}

describe("appendTombstone()", () => {
  test("makes exactly its record dead, in any order", () => {
    const segment = writeSegment(2, 4);
    for (const [index, record] of [7, 0, 3].entries()) bury(segment, index, record);
    expect(living(segment)).toEqual([1, 2, 4, 5, 6]);
    expect(scan(segment.fd).tombstonesDamaged).toBe(false);
  });

  test("fills the list to its last index", () => {
    const segment = writeSegment(2, 4);
    for (let record = 0; record < 8; record++) bury(segment, record, 7 - record);
    expect(living(segment)).toEqual([]);
    expect(scan(segment.fd)).toMatchObject({ recordCount: 8, damagedBatches: 0 });
  });

  test("throws for a location that has no record", () => {
    const { fd } = writeSegment(1, 1);
    expect(() => appendTombstone(fd, segmentBytes, 1n, 0, 0)).toThrow("in its segment");
    expect(() => appendTombstone(fd, segmentBytes, 1n, 0, segmentBytes / 16)).toThrow("segment");
    expect(() => appendTombstone(fd, segmentBytes, 1n, -1, 5)).toThrow("an index");
  });

  test("throws if the disk refuses it", () => {
    const { fd } = writeSegment(1, 1);
    const device = faultyDevice(fileDevice, () => ({ kind: "error", code: "EIO" }));
    expect(() => appendTombstone(fd, segmentBytes, 1n, 0, 8, device)).toThrow(
      expect.objectContaining({ code: "ERR_DISK_IO" }),
    );
  });
});

describe("a damaged tombstone list", () => {
  test("makes the whole segment dead at any flipped bit of a tombstone", () => {
    const segment = writeSegment(1, 6);
    for (const [index, record] of [4, 1, 2].entries()) bury(segment, index, record);
    const before = readFileSync(segment.file);
    for (let bit = 0; bit < 3 * 8 * 8; bit++) {
      const position = segmentBytes - 24 + (bit >>> 3);
      writeSync(segment.fd, Buffer.of((before[position] ?? 0) ^ (1 << (bit & 7))), 0, 1, position);
      expect(scan(segment.fd).tombstonesDamaged).toBe(true);
      expect(living(segment)).toEqual([]);
      writeSync(segment.fd, before, position, 1, position);
    }
    expect(living(segment)).toEqual([0, 3, 5]);
  });

  test("of another nonce or another index is refused", () => {
    const segment = writeSegment(1, 6);
    const unit = (segment.records[3]?.offset ?? 0) / 16;
    appendTombstone(segment.fd, segmentBytes, identity.nonce + 1n, 0, unit);
    expect(scan(segment.fd).tombstonesDamaged).toBe(true);
    const moved = writeSegment(1, 6);
    bury(moved, 0, 3);
    const tombstone = Buffer.alloc(8);
    readSync(moved.fd, tombstone, 0, 8, segmentBytes - 8);
    writeSync(moved.fd, tombstone, 0, 8, segmentBytes - 16);
    expect(living(moved)).toEqual([]);
  });

  test("with more holes than there are threads has lost a sector", () => {
    const segment = writeSegment(4, 50);
    for (let index = 0; index < 150; index++) bury(segment, index, index);
    writeSync(segment.fd, Buffer.alloc(512), 0, 512, segmentBytes - 1024);
    expect(scan(segment.fd).tombstonesDamaged).toBe(false);
    writeSync(segment.fd, Buffer.alloc(8), 0, 8, segmentBytes - 512);
    expect(living(segment)).toEqual([]);
  });

  test("still lists the dead of the first batch when the second is lost", () => {
    const segment = writeSegment(2, 4);
    // Five die in the second batch and before it; the tombstone of record 0 has a higher index than
    // records are left.
    for (const [index, record] of [4, 5, 6, 7, 0].entries()) bury(segment, index, record);
    const second = segment.offsets[1] ?? 0;
    writeSync(segment.fd, Buffer.alloc(4, 0xff), 0, 4, second);
    expect(scan(segment.fd)).toMatchObject({ recordCount: 4, damagedBatches: 1 });
    expect(living(segment)).toEqual([1, 2, 3]);
  });
});

describe("reconcileSegment()", () => {
  test("leaves a list without damage as it is", () => {
    const segment = writeSegment(1, 5);
    bury(segment, 0, 2);
    const before = readFileSync(segment.file);
    const found = scan(segment.fd);
    expect(reconcileSegment(segment.fd, segmentBytes, found, keepAll)).toEqual({
      tombstoneCount: 1,
      appendable: true,
    });
    expect(readFileSync(segment.file).equals(before)).toBe(true);
  });

  test("closes holes, so that there is a free index for every living record", () => {
    const segment = writeSegment(1, 5);
    for (const [index, record] of [
      [1, 3],
      [4, 0],
    ] as const) {
      bury(segment, index, record);
    }
    expect(
      reconcileSegment(segment.fd, segmentBytes, scan(segment.fd), keepAll).tombstoneCount,
    ).toBe(2);
    expect(readTombstones(segment.fd, segmentBytes, identity.nonce, 5)).toMatchObject({
      length: 2,
    });
    expect(living(segment)).toEqual([1, 2, 4]);
    for (const [i, record] of [1, 2, 4].entries()) bury(segment, 2 + i, record);
    expect(living(segment)).toEqual([]);
  });

  test("drops tombstones of lost records and takes no more batches after damage", () => {
    const segment = writeSegment(2, 4);
    for (const [index, record] of [4, 5, 6, 7, 0].entries()) bury(segment, index, record);
    writeSync(segment.fd, Buffer.alloc(4, 0xff), 0, 4, segment.offsets[1] ?? 0);
    const reconciled = reconcileSegment(segment.fd, segmentBytes, scan(segment.fd), keepAll);
    expect(reconciled).toEqual({ tombstoneCount: 1, appendable: false });
    expect(readTombstones(segment.fd, segmentBytes, identity.nonce, 4).length).toBe(1);
    expect(living(segment)).toEqual([1, 2, 3]);
  });

  test("makes records dead for good that the filter leaves out", () => {
    const filters = [
      { filter: { ...keepAll, clearEpoch: 3 }, left: [3, 4, 5] },
      { filter: { ...keepAll, keepThrough: 4 }, left: [0, 1, 2, 3] },
      { filter: { ...keepAll, dropExpiring: true }, left: [0, 1, 3, 4] },
      {
        filter: { ...keepAll, clearEpoch: 1, keepThrough: 5, dropExpiring: true },
        left: [1, 3, 4],
      },
    ];
    for (const { filter, left } of filters) {
      const segment = writeSegment(2, 3);
      const found = scan(segment.fd);
      const reconciled = reconcileSegment(segment.fd, segmentBytes, found, filter);
      expect(reconciled.tombstoneCount).toBe(6 - left.length);
      expect(reconciled.appendable).toBe(filter.keepThrough === Infinity);
      expect([...found.entries.dead.keys()].filter((i) => found.entries.dead[i] === 0)).toEqual(
        left,
      );
      expect(living(segment)).toEqual(left);
    }
  });

  test("does nothing if the list is damaged", () => {
    const segment = writeSegment(1, 3);
    writeSync(segment.fd, Buffer.of(1), 0, 1, segmentBytes - 1);
    const before = readFileSync(segment.file);
    const reconciled = reconcileSegment(segment.fd, segmentBytes, scan(segment.fd), keepAll);
    expect(reconciled).toEqual({ tombstoneCount: 3, appendable: false });
    expect(readFileSync(segment.file).equals(before)).toBe(true);
  });

  test("never brings a dead record back, at whatever write it stops", () => {
    const deaths = fc.uniqueArray(fc.tuple(fc.nat(19), fc.nat(19)), {
      maxLength: 12,
      selector: ([index]) => index,
    });
    fc.assert(
      fc.property(deaths, fc.nat(2), (tombstones, writesAllowed) => {
        const segment = writeSegment(2, 10);
        for (const [index, record] of tombstones) bury(segment, index, record);
        const left = living(segment);
        const device = faultyDevice(fileDevice, ({ kind, nth }) =>
          kind === "write" && nth > writesAllowed ? { kind: "drop" } : undefined,
        );
        reconcileSegment(segment.fd, segmentBytes, scan(segment.fd), keepAll, device);
        expect(living(segment)).toEqual(left);
        const { tombstoneCount } = reconcileSegment(
          segment.fd,
          segmentBytes,
          scan(segment.fd),
          keepAll,
        );
        expect(living(segment)).toEqual(left);
        expect(tombstoneCount + left.length).toBe(20);
      }),
      { numRuns: 40 },
    );
  });
});
