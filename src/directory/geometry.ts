// How a disk capacity is cut into files. Called by openDirectory only.
// Invariant: manifest + epochs + schemas + the largest snapshot allowed + all segment files are never more than the capacity.

import { GiB, KiB, assert } from "../base/mod.js";
import { epochsFileBytes } from "./epochs.js";
import { diskRecordBytesMax, segmentCountMax } from "../disk/mod.js";
import { lockFileBytes } from "./lock.js";
import { manifestFileBytes } from "./manifest.js";
import { schemasFileBytes } from "./schema-file.js";

/** The cut: `segmentCount` files of `segmentBytes` (a power of two) each. */
export interface Geometry {
  readonly segmentBytes: number;
  readonly segmentCount: number;
}

const segmentBytesMin = 128 * KiB;
const segmentBytesMax = GiB;
const segmentCountMin = 4;
/** The share of the capacity kept for the index snapshot: 1 / 16. */
const snapshotShare = 16;
/** Manifest, epochs, schemas, and the lock file of systems that need one. */
const fixedBytes = manifestFileBytes + epochsFileBytes + schemasFileBytes + lockFileBytes;

/** The largest index snapshot that a directory of this capacity may hold, in bytes. */
export function snapshotBytesMax(capacityBytes: number): number {
  return Math.floor(capacityBytes / snapshotShare);
}

/** Cuts a capacity into up to 128 segments of at least two of the largest records each.
 * Throws RangeError if the capacity is too small for 4 segments or too large for 128. */
export function planGeometry(capacityBytes: number, maxRecordBytes: number): Geometry {
  assert(maxRecordBytes <= diskRecordBytesMax, "a disk location can describe the largest record");
  let segmentBytes = smallestSegment(maxRecordBytes);
  const least = capacityFor(segmentBytes, segmentCountMin);
  if (!(capacityBytes >= least)) {
    throw new RangeError(
      `Cannot open the disk tier: disk.capacity is ${capacityBytes} bytes; with records up to ${maxRecordBytes} bytes at least ${least} bytes are needed`,
    );
  }
  while (segmentsIn(capacityBytes, segmentBytes) > segmentCountMax) segmentBytes *= 2;
  if (segmentBytes > segmentBytesMax) {
    const most = capacityFor(segmentBytesMax, segmentCountMax + 1) - 1;
    throw new RangeError(
      `Cannot open the disk tier: disk.capacity is ${capacityBytes} bytes; at most ${most} bytes can be used`,
    );
  }
  return { segmentBytes, segmentCount: segmentsIn(capacityBytes, segmentBytes) };
}

/** The cut of a capacity with the segment size a directory already has, or null if that size no longer suits. */
export function refitGeometry(
  capacityBytes: number,
  maxRecordBytes: number,
  segmentBytes: number,
): Geometry | null {
  const segmentCount = segmentsIn(capacityBytes, segmentBytes);
  if (segmentCount < segmentCountMin || segmentCount > segmentCountMax) return null;
  if (segmentBytes < smallestSegment(maxRecordBytes)) return null;
  return { segmentBytes, segmentCount };
}

/** True if a manifest may name this geometry at all. */
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

function segmentsIn(capacityBytes: number, segmentBytes: number): number {
  const fixed = fixedBytes + snapshotBytesMax(capacityBytes);
  return Math.max(0, Math.floor((capacityBytes - fixed) / segmentBytes));
}

/** The smallest capacity with `count` segments. */
function capacityFor(segmentBytes: number, count: number): number {
  const files = segmentBytes * count + fixedBytes;
  let capacity = Math.floor((files * snapshotShare) / (snapshotShare - 1)) - 1;
  while (segmentsIn(capacity, segmentBytes) < count) capacity += 1;
  return capacity;
}
