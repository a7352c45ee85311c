// The numbers of disk/layout.ts: the limits of every class, and locations there and back.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GiB, KiB, MiB } from "../../dist/src/base/mod.js";
import * as at from "../../dist/src/kernel/layout.js";
import {
  diskRecordBytesMax,
  offsetOfLocation,
  packLocation,
  readBytesOfLocation,
  segmentKeyOf,
  segmentOfLocation,
  sizeClassCount,
  sizeClassOf,
  sizeClassOfLocation,
  sizeOfClass,
} from "../../dist/src/disk/mod.js";

const classes = Array.from({ length: sizeClassCount }, (_, sizeClass) => sizeClass);

describe("size classes", () => {
  test.each(classes)("class %i holds its size and one byte above the class below", (sizeClass) => {
    const size = sizeOfClass(sizeClass);
    const below = sizeClass === 0 ? 0 : sizeOfClass(sizeClass - 1);
    expect(sizeClassOf(size)).toBe(sizeClass);
    expect(sizeClassOf(below + 1)).toBe(sizeClass);
    expect(size).toBeGreaterThan(below);
    expect(size % 8).toBe(0);
  });

  test("they begin at 32 bytes and reach past 1 MiB + 64 KiB", () => {
    expect(sizeClassOf(1)).toBe(0);
    expect(sizeOfClass(0)).toBe(32);
    expect(diskRecordBytesMax).toBeGreaterThanOrEqual(MiB + 64 * KiB);
    expect(sizeOfClass(sizeClassCount - 1)).toBe(diskRecordBytesMax);
  });

  test("no read is more than a quarter too large", () => {
    for (const sizeClass of classes.slice(1)) {
      const least = sizeOfClass(sizeClass - 1) + 1;
      expect(sizeOfClass(sizeClass) / least).toBeLessThanOrEqual(1.25);
    }
  });

  test("a record of no class throws", () => {
    expect(() => sizeClassOf(diskRecordBytesMax + 1)).toThrow("fits the largest class");
    expect(() => sizeClassOf(0)).toThrow("fits the largest class");
    expect(() => sizeOfClass(64)).toThrow("6 bits");
  });
});

describe("locations", () => {
  test("come back as they were packed, for every class, first and last offset", () => {
    const segmentBytes = GiB;
    for (const sizeClass of classes) {
      for (const segment of [0, 1, 127]) {
        for (const offset of [64, 128 * KiB, segmentBytes - 16]) {
          const size = sizeOfClass(sizeClass);
          const location = packLocation(segment, offset, size, segmentBytes, false);
          expect(Number.isSafeInteger(location)).toBe(true);
          expect(location).toBeLessThan(2 ** 44);
          expect(location).toBeGreaterThan(0);
          expect(sizeClassOfLocation(location)).toBe(sizeClass);
          expect(segmentOfLocation(location, segmentBytes)).toBe(segment);
          expect(offsetOfLocation(location, segmentBytes)).toBe(offset);
          // A chunk's differs by its bit alone, which the kernel looks at.
          const chunk = packLocation(segment, offset, size, segmentBytes, true);
          expect(chunk - location).toBe(2 ** at.locationChunkShift);
          expect(sizeClassOfLocation(chunk)).toBe(sizeClass);
          expect(segmentOfLocation(chunk, segmentBytes)).toBe(segment);
          expect(offsetOfLocation(chunk, segmentBytes)).toBe(offset);
        }
      }
    }
  });

  test("come back for any segment size, offset and record", () => {
    const locations = fc.record({
      shift: fc.integer({ min: 17, max: 30 }),
      segment: fc.integer({ min: 0, max: 127 }),
      part: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      size: fc.integer({ min: 25, max: diskRecordBytesMax }),
      isChunk: fc.boolean(),
    });
    fc.assert(
      fc.property(locations, ({ shift, segment, part, size, isChunk }) => {
        const segmentBytes = 2 ** shift;
        const offset = 64 + Math.floor((part * (segmentBytes - 64)) / 16) * 16;
        const location = packLocation(segment, offset, size, segmentBytes, isChunk);
        expect(segmentOfLocation(location, segmentBytes)).toBe(segment);
        expect(offsetOfLocation(location, segmentBytes)).toBe(offset);
        const bytes = readBytesOfLocation(location, segmentBytes);
        expect(bytes).toBeGreaterThanOrEqual(Math.min(size, segmentBytes - offset));
        expect(offset + bytes).toBeLessThanOrEqual(segmentBytes);
      }),
    );
  });

  test("of no record throw", () => {
    expect(() => packLocation(0, 0, 32, GiB, false)).toThrow("in its segment");
    expect(() => packLocation(0, GiB, 32, GiB, false)).toThrow("in its segment");
    expect(() => packLocation(0, 65, 32, GiB, false)).toThrow("16 bytes");
  });
});

test("segmentKeyOf() differs by segment and by directory", () => {
  const keys = new Set<bigint>();
  for (let segment = 0; segment < 128; segment++) {
    keys.add(segmentKeyOf(1n, segment));
    keys.add(segmentKeyOf(2n, segment));
  }
  expect(keys.size).toBe(256);
});
