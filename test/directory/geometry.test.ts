// How a capacity is divided: powers of two, at most 128 new segments, never more bytes than given.

import fc from "fast-check";
import { expect, test } from "vitest";
import { GiB, KiB, MiB } from "../../dist/src/base/mod.js";
import { epochsFileBytes } from "../../dist/src/directory/epochs.js";
import {
  isGeometry,
  planGeometry,
  refitGeometry,
  snapshotBytesMax,
  unusedBytes,
} from "../../dist/src/directory/geometry.js";
import { schemasFileBytes } from "../../dist/src/directory/schema-file.js";
import { manifestFileBytes } from "../../dist/src/directory/manifest.js";
import { tagFileBytesMax } from "../../dist/src/directory/tag-file.js";

const tagSlots = 4096;
const fixed = manifestFileBytes + epochsFileBytes + schemasFileBytes + tagFileBytesMax(tagSlots);

function needs(maxRecordBytes: number): { maxRecordBytes: number; tagSlots: number } {
  return { maxRecordBytes, tagSlots };
}

function leastCapacity(maxRecordBytes: number): number {
  const text = messageOf(() => planGeometry(1, needs(maxRecordBytes)));
  return Number(/at least (\d+) bytes/.exec(text)?.[1]);
}

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof RangeError) return error.message;
  }
  throw new Error("no RangeError was thrown");
}

test("no capacity is exceeded, and little of it is unused", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 20, max: 36.9, noNaN: true }),
      fc.integer({ min: 25, max: MiB + 64 * KiB }),
      (log, maxRecordBytes) => {
        const capacity = Math.floor(2 ** log);
        fc.pre(capacity >= leastCapacity(maxRecordBytes));
        const { segmentBytes, segmentCount } = planGeometry(capacity, needs(maxRecordBytes));
        expect(isGeometry(segmentBytes, segmentCount)).toBe(true);
        expect(segmentBytes).toBeGreaterThanOrEqual(2 * maxRecordBytes);
        const sum = fixed + snapshotBytesMax(capacity) + segmentBytes * segmentCount;
        expect(sum).toBeLessThanOrEqual(capacity);
        expect(sum + segmentBytes).toBeGreaterThan(capacity);
        const same = refitGeometry(capacity, needs(maxRecordBytes), segmentBytes);
        expect(same).toEqual({ segmentBytes, segmentCount });
      },
    ),
  );
});

test("the least capacity works, and one byte less is refused with its name", () => {
  for (const maxRecordBytes of [25, 64 * KiB, 64 * KiB + 1, MiB, MiB + 64 * KiB]) {
    const least = leastCapacity(maxRecordBytes);
    expect(planGeometry(least, needs(maxRecordBytes)).segmentCount).toBe(4);
    expect(messageOf(() => planGeometry(least - 1, needs(maxRecordBytes)))).toContain(
      "disk.capacity",
    );
    expect(() => planGeometry(Number.NaN, needs(maxRecordBytes))).toThrow(RangeError);
  }
});

test("segments grow with the capacity, to 1 GiB and 128 of them", () => {
  expect(planGeometry(GiB, needs(KiB)).segmentBytes).toBe(8 * MiB);
  expect(planGeometry(4 * GiB, needs(KiB)).segmentBytes).toBe(32 * MiB);
  const most = Number(
    /at most (\d+) bytes/.exec(messageOf(() => planGeometry(1e15, needs(KiB))))?.[1],
  );
  expect(planGeometry(most, needs(KiB))).toEqual({ segmentBytes: GiB, segmentCount: 128 });
  expect(() => planGeometry(most + 1, needs(KiB))).toThrow(RangeError);
});

test("a segment size is kept while 4 segments fit, and two records fit in one", () => {
  expect(refitGeometry(GiB, needs(KiB), 8 * MiB)?.segmentCount).toBe(119);
  expect(refitGeometry(GiB / 2, needs(KiB), 8 * MiB)?.segmentCount).toBe(59);
  expect(refitGeometry(2 * GiB, needs(KiB), 8 * MiB)?.segmentCount).toBe(239);
  const most = { segmentBytes: 8 * MiB, segmentCount: 512 };
  expect(refitGeometry(64 * GiB, needs(KiB), 8 * MiB)).toEqual(most);
  expect(unusedBytes(64 * GiB, needs(KiB), most)).toBeGreaterThan(55 * GiB);
  expect(unusedBytes(GiB, needs(KiB), { segmentBytes: 8 * MiB, segmentCount: 119 })).toBe(0);
  expect(refitGeometry(GiB / 32, needs(KiB), 8 * MiB)).toBeNull();
  expect(refitGeometry(64 * MiB, needs(MiB), MiB)).toBeNull();
  const kept = { segmentBytes: MiB, segmentCount: 59 };
  expect(refitGeometry(64 * MiB, { ...needs(MiB), leastRecordBytes: MiB / 2 }, MiB)).toEqual(kept);
});

test("a manifest cannot name an impossible geometry", () => {
  expect(isGeometry(128 * KiB, 4)).toBe(true);
  expect(isGeometry(GiB, 512)).toBe(true);
  expect(isGeometry(64 * KiB, 4)).toBe(false);
  expect(isGeometry(2 * GiB, 4)).toBe(false);
  expect(isGeometry(128 * KiB + 1, 4)).toBe(false);
  expect(isGeometry(128 * KiB, 3)).toBe(false);
  expect(isGeometry(128 * KiB, 513)).toBe(false);
  expect(isGeometry(0, 0)).toBe(false);
});
