// How a disk capacity is divided into files. Called by openDirectory and recovery.ts.
// Invariant: the fixed files, the largest allowed snapshot and all segment files together never
// exceed the capacity.

import { GiB, KiB, assert } from "../base/mod.js";
import { epochsFileBytes } from "./epochs.js";
import { diskRecordBytesMax, segmentCountMax } from "../disk/mod.js";
import { lockFileBytes } from "./lock.js";
import { manifestFileBytes } from "./manifest.js";
import { schemasFileBytes } from "./schema-file.js";
import { tagFileBytesMax } from "./tag-file.js";

/** `segmentCount` segment files of `segmentBytes` each, a power of two. */
export interface Geometry {
  readonly segmentBytes: number;
  readonly segmentCount: number;
}

const segmentBytesMin = 128 * KiB;
const segmentBytesMax = GiB;
const segmentCountMin = 4;
/** 1/16 of the capacity is kept for the index snapshot. */
const snapshotShare = 16;
/** Manifest, epochs, schemas, and the lock file, which only some systems need. */
const fixedBytes = manifestFileBytes + epochsFileBytes + schemasFileBytes + lockFileBytes;

/** What the files must have room for, besides the capacity. */
export interface GeometryNeeds {
  /** The largest record; a segment holds at least two. */
  readonly maxRecordBytes: number;
  /** Slots of the tag table, which the tags file mirrors. */
  readonly tagSlots: number;
}

/** The largest index snapshot that a directory of this capacity may hold, in bytes. */
export function snapshotBytesMax(capacityBytes: number): number {
  return Math.floor(capacityBytes / snapshotShare);
}

/**
 * Divides a capacity into 4 to 128 segments, each with room for two of the largest records.
 * Throws RangeError if the capacity is too small for 4 segments or too large for 128.
 */
export function planGeometry(capacityBytes: number, needs: GeometryNeeds): Geometry {
  const { maxRecordBytes, tagSlots } = needs;
  assert(maxRecordBytes <= diskRecordBytesMax, "a disk location can describe the largest record");
  let segmentBytes = smallestSegment(maxRecordBytes);
  const least = capacityFor(segmentBytes, segmentCountMin, tagSlots);
  if (!(capacityBytes >= least)) {
    throw new RangeError(
      `Cannot use option disk.capacity: current value is ${capacityBytes}; it must be ` +
        `at least ${least} bytes for records of up to ${maxRecordBytes} bytes; ` +
        "raise it, or lower option memory, which bounds the largest record",
    );
  }
  while (segmentsIn(capacityBytes, segmentBytes, tagSlots) > segmentCountMax) segmentBytes *= 2;
  if (segmentBytes > segmentBytesMax) {
    const most = capacityFor(segmentBytesMax, segmentCountMax + 1, tagSlots) - 1;
    throw new RangeError(
      `Cannot use option disk.capacity: current value is ${capacityBytes}; it must be ` +
        `at most ${most} bytes`,
    );
  }
  return { segmentBytes, segmentCount: segmentsIn(capacityBytes, segmentBytes, tagSlots) };
}

/**
 * Divides a capacity with the segment size that the directory already has. Returns null if that
 * size no longer suits.
 */
export function refitGeometry(
  capacityBytes: number,
  { maxRecordBytes, tagSlots }: GeometryNeeds,
  segmentBytes: number,
): Geometry | null {
  const segmentCount = segmentsIn(capacityBytes, segmentBytes, tagSlots);
  if (segmentCount < segmentCountMin || segmentCount > segmentCountMax) return null;
  if (segmentBytes < smallestSegment(maxRecordBytes)) return null;
  return { segmentBytes, segmentCount };
}

/** True if a manifest may name this geometry. */
export function isGeometry(segmentBytes: number, segmentCount: number): boolean {
  return (
    segmentBytes >= segmentBytesMin &&
    segmentBytes <= segmentBytesMax &&
    Number.isInteger(Math.log2(segmentBytes)) &&
    segmentCount >= segmentCountMin &&
    segmentCount <= segmentCountMax
  );
}

function smallestSegment(maxRecordBytes: number): number {
  let segmentBytes = segmentBytesMin;
  while (segmentBytes < maxRecordBytes * 2) segmentBytes *= 2;
  return segmentBytes;
}

function segmentsIn(capacityBytes: number, segmentBytes: number, tagSlots: number): number {
  const fixed = fixedBytes + tagFileBytesMax(tagSlots) + snapshotBytesMax(capacityBytes);
  return Math.max(0, Math.floor((capacityBytes - fixed) / segmentBytes));
}

/** The smallest capacity with `count` segments. */
function capacityFor(segmentBytes: number, count: number, tagSlots: number): number {
  const files = segmentBytes * count + fixedBytes + tagFileBytesMax(tagSlots);
  let capacity = Math.floor((files * snapshotShare) / (snapshotShare - 1)) - 1;
  while (segmentsIn(capacity, segmentBytes, tagSlots) < count) capacity += 1;
  return capacity;
}
