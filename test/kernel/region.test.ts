import fc from "fast-check";
import { describe, expect, test } from "vitest";

import * as fl from "../../dist/src/kernel/flight-layout.js";
import * as at from "../../dist/src/kernel/layout.js";
import {
  createRegion,
  designLoad,
  divide,
  geometryOf,
  type Geometry,
  type GeometryRequest,
} from "../../dist/src/kernel/mod.js";
import * as counter from "../../dist/src/stats/mod.js";
import { MiB, openThread } from "./opened-kernel.js";

const GiB = 1024 * MiB;
/** The most that a cache may be given (config/config.ts). */
const memoryBytesMax = 4 * GiB - 64 * 1024;

function requestOf(memoryBytes: number, diskSegmentCount: number): GeometryRequest {
  const diskSegmentBytes = diskSegmentCount > 0 ? 32 * MiB : 0;
  const diskCapacityBytes = diskSegmentCount * diskSegmentBytes;
  return {
    memoryBytes,
    diskCapacityBytes,
    diskSegmentCount,
    diskSegmentBytes,
    remembersSets: false,
    policyBytes: 0,
    samples: false,
    loads: true,
  };
}

function assertGeometry(request: GeometryRequest, geometry: Geometry): void {
  const { memoryBytes } = request;
  expect(geometry.totalBytes).toBeLessThanOrEqual(memoryBytes);
  expect(Math.log2(geometry.segmentBytes) % 1).toBe(0);
  expect(geometry.segmentBytes).toBeGreaterThanOrEqual(at.segmentBytesMin);
  expect(geometry.segmentBytes).toBeLessThanOrEqual(at.segmentBytesMax);
  expect(geometry.segmentCount).toBeGreaterThanOrEqual(8);
  expect(geometry.segmentCount).toBeLessThanOrEqual(at.segmentCountMax);
  const tableEnd = at.segmentTable + geometry.segmentCount * at.segmentEntrySize;
  expect(tableEnd).toBeLessThanOrEqual(geometry.diskTable);
  const diskEnd = geometry.diskTable + geometry.diskSegmentCount * at.diskEntrySize;
  expect(diskEnd).toBeLessThanOrEqual(geometry.bucketBase);
  const indexEnd = geometry.bucketBase + geometry.bucketCount * at.bucketSize;
  expect(indexEnd).toBe(geometry.flightBase);
  const { flightCount } = geometry;
  expect(Math.log2(flightCount) % 1).toBe(0);
  expect(flightCount).toBeGreaterThanOrEqual(fl.flightCountMin);
  expect(flightCount).toBeLessThanOrEqual(fl.flightCountMax);
  const flightBytes = flightCount * fl.flightSize;
  expect(flightBytes).toBeLessThanOrEqual(Math.max(memoryBytes / 64, 65_536));
  const flightsEnd = geometry.flightBase + flightBytes + flightCount * fl.flightHashSize;
  expect(flightsEnd).toBeLessThanOrEqual(geometry.keyHistoryBase);
  expect(geometry.keyHistoryBase).toBeLessThanOrEqual(geometry.segmentBase);
  expect(geometry.bucketBase % at.cacheLineSize).toBe(0);
  expect(geometry.segmentBase % 4096).toBe(0);
  // The index takes a quarter at most; nothing else is lost except part of a segment.
  expect(geometry.bucketCount * at.bucketSize).toBeLessThanOrEqual(memoryBytes / 4);
  const slack = at.slackPages * at.pageSize;
  const room = Math.min(memoryBytes, 4 * GiB - slack);
  expect(room - geometry.totalBytes).toBeLessThan(geometry.segmentBytes);
  const pages = Math.ceil(geometry.totalBytes / at.pageSize) + at.slackPages;
  expect(pages).toBeLessThanOrEqual(65_536);
}

describe("divide()", () => {
  test.each([1, 2, 3, 16, 64, 100, 256, 1024, 2048, 4095])(
    "keeps %i MiB, with and without disk",
    (mebibytes) => {
      for (const diskSegments of [0, 4, 128]) {
        const request = requestOf(mebibytes * MiB, diskSegments);
        assertGeometry(request, divide(request));
      }
    },
  );

  test("keeps any budget up to the largest", () => {
    const budget = fc.integer({ min: MiB, max: memoryBytesMax });
    const disk = fc.integer({ min: 0, max: 128 });
    fc.assert(
      fc.property(budget, disk, (memoryBytes, diskSegments) => {
        const request = requestOf(memoryBytes, diskSegments);
        assertGeometry(request, divide(request));
      }),
    );
    for (let less = 0; less < 4096; less += 7) {
      const request = requestOf(memoryBytesMax - less * 4096, less % 129);
      assertGeometry(request, divide(request));
    }
  });

  test("asserts that a budget holds at least eight segments", () => {
    expect(() => divide(requestOf(MiB / 2, 0))).toThrow("eight segments");
  });
});

test("createRegion() writes what geometryOf() reads", () => {
  const geometry = divide(requestOf(3 * MiB, 5));
  const memory = createRegion(geometry, 42n, 1234);
  expect(geometryOf(memory)).toEqual(geometry);
  expect(new BigUint64Array(memory.buffer)[at.controlSeed / 8]).toBe(42n);
  expect(new Float64Array(memory.buffer)[at.controlCreatedBase / 8]).toBe(1234);
  const bytes = memory.buffer.byteLength - geometry.totalBytes;
  expect(bytes).toBeGreaterThanOrEqual(at.slackPages * at.pageSize);
  expect(bytes).toBeLessThan((at.slackPages + 1) * at.pageSize);
});

test("the largest memory can be made", () => {
  const geometry = divide(requestOf(memoryBytesMax, 128));
  expect(createRegion(geometry, 1n, 0).buffer.byteLength).toBeGreaterThan(memoryBytesMax - 2 * MiB);
});

test("an entry costs at most 16 bytes of index at the design load", () => {
  // A small index under a large log, so that only slots can run out.
  const thread = openThread({ memoryBytes: 64 * MiB, bucketCount: 4096 });
  const wanted = Math.floor(4096 * at.bucketSlots * designLoad);
  for (let entry = 0; entry < wanted; entry++) {
    expect(thread.put(`key:${entry}`, "")).toBe(at.answerDone);
  }
  let found = 0;
  for (let entry = 0; entry < wanted; entry++) {
    if (thread.find(`key:${entry}`).answer >= 0) found += 1;
  }
  const evicted = thread.kernel.total(counter.counterEvictionsIndex);
  expect(found + evicted).toBe(wanted);
  // Seven slots at home and seven in one other bucket: about 3 % find both full.
  expect(evicted).toBeLessThan(wanted / 20);
  expect((4096 * at.bucketSize) / found).toBeLessThanOrEqual(16);
});
