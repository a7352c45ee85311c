// How a disk capacity is divided into files. Called by openDirectory and recovery.ts.
// Invariant: the fixed files, the largest allowed snapshot and all segment files together never
// exceed the capacity.

import { GiB, KiB, assert } from "../base/mod.js";
import { epochsFileBytes } from "./epochs.js";
import { diskRecordBytesMax, segmentCountMax } from "../disk/mod.js";
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
/** A new directory is cut into no more: each segment file is a descriptor. One whose capacity has
 *  grown has up to segmentCountMax of its old size, and keeps what it holds. */
const newSegmentCountMax = 128;
/** 1/16 of the capacity is kept for the index snapshot. */
const snapshotShare = 16;
/** Manifest, epochs and schemas. */
const fixedBytes = manifestFileBytes + epochsFileBytes + schemasFileBytes;

/** What the files must have room for, besides the capacity. */
export interface GeometryNeeds {
  /** The largest record; a segment of a new directory holds at least two. */
  readonly maxRecordBytes: number;
  /** The least that the largest record may be, for a directory with smaller segments than a new one
   *  would have. Default: `maxRecordBytes`. */
  readonly leastRecordBytes?: number;
  /** Slots of the tag table, which the tags file mirrors. */
  readonly tagSlots: number;
  /** What the capacity may become while the cache is open. Default: the capacity. */
  readonly capacityMostBytes?: number;
}

/** The largest index snapshot that a directory of this capacity may hold, in bytes. */
export function snapshotBytesMax(capacityBytes: number): number {
  return Math.floor(capacityBytes / snapshotShare);
}

/**
 * Divides a capacity into 4 to 128 segments, each with room for two of the largest records, so that
 * the most that it may become has no more than 512. Throws RangeError if the capacity is too small
 * for 4 segments or too large for 128.
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
  while (segmentsIn(capacityBytes, segmentBytes, tagSlots) > newSegmentCountMax) segmentBytes *= 2;
  if (segmentBytes > segmentBytesMax) {
    const most = capacityFor(segmentBytesMax, newSegmentCountMax + 1, tagSlots) - 1;
    throw new RangeError(
      `Cannot use option disk.capacity: current value is ${capacityBytes}; it must be ` +
        `at most ${most} bytes`,
    );
  }
  const { capacityMostBytes = capacityBytes } = needs;
  const isFitting = (): boolean =>
    segmentsIn(capacityMostBytes, segmentBytes, tagSlots) <= segmentCountMax;
  while (!isFitting()) segmentBytes *= 2;
  const leastNow = capacityFor(segmentBytes, segmentCountMin, tagSlots);
  if (segmentBytes > segmentBytesMax || capacityBytes < leastNow) {
    throw new RangeError(
      `Cannot use option disk.capacity.now: current value is ${capacityBytes}; it must be at ` +
        `least ${leastNow} bytes where disk.capacity.most is ${capacityMostBytes}, which ` +
        `${segmentCountMax} segment files take; raise it, or lower most`,
    );
  }
  return { segmentBytes, segmentCount: segmentsIn(capacityBytes, segmentBytes, tagSlots) };
}

/** A capacity as an open directory can have it. */
export interface CapacityInForce {
  /** What was asked for, or less if more segments than there may be would not take it. */
  readonly capacityBytes: number;
  /** 0: it is too small. */
  readonly segmentCount: number;
}

/** Divides a capacity that an open directory is to have into its segments, at most `most`. */
export function divideAnew(
  capacityBytes: number,
  segmentBytes: number,
  tagSlots: number,
  most: number,
): CapacityInForce {
  const segmentCount = Math.min(most, segmentsIn(capacityBytes, segmentBytes, tagSlots));
  if (segmentCount < segmentCountMin) return { capacityBytes, segmentCount: 0 };
  // One more segment would need the next capacity.
  const usable = capacityFor(segmentBytes, most + 1, tagSlots) - 1;
  return { capacityBytes: Math.min(capacityBytes, usable), segmentCount };
}

/** The segments that an open directory has at most. */
export function segmentsAtMost(
  capacityMostBytes: number,
  segmentBytes: number,
  tagSlots: number,
): number {
  return Math.min(segmentCountMax, segmentsIn(capacityMostBytes, segmentBytes, tagSlots));
}

/** The least capacity of a directory with segments of this size. */
export function leastCapacityOf(segmentBytes: number, tagSlots: number): number {
  return capacityFor(segmentBytes, segmentCountMin, tagSlots);
}

/**
 * Divides a capacity with the segment size that the directory already has: as much of it as
 * `segmentCountMax` segments take. Returns null if that size no longer suits.
 */
export function refitGeometry(
  capacityBytes: number,
  { maxRecordBytes, leastRecordBytes = maxRecordBytes, tagSlots }: GeometryNeeds,
  segmentBytes: number,
): Geometry | null {
  const segmentCount = segmentsIn(capacityBytes, segmentBytes, tagSlots);
  if (segmentCount < segmentCountMin) return null;
  if (segmentBytes < smallestSegment(leastRecordBytes)) return null;
  return { segmentBytes, segmentCount: Math.min(segmentCount, segmentCountMax) };
}

/** The bytes of a capacity that a geometry leaves unused because it has as many segments as it may;
 *  0 if it has fewer. */
export function unusedBytes(
  capacityBytes: number,
  { tagSlots }: GeometryNeeds,
  { segmentBytes, segmentCount }: Geometry,
): number {
  return (segmentsIn(capacityBytes, segmentBytes, tagSlots) - segmentCount) * segmentBytes;
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
export function capacityFor(segmentBytes: number, count: number, tagSlots: number): number {
  const files = segmentBytes * count + fixedBytes + tagFileBytesMax(tagSlots);
  let capacity = Math.floor((files * snapshotShare) / (snapshotShare - 1)) - 1;
  while (segmentsIn(capacity, segmentBytes, tagSlots) < count) capacity += 1;
  return capacity;
}
