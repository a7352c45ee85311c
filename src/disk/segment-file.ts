// Resets, extends and voids a segment file, and reads its header. The janitor makes these calls,
// synchronously, except that a thread whose tombstone write failed also voids the segment.
// Invariant: after a reset the file is a header and zeros. The scan relies on it: batches end at
// zeros, a free tombstone is zero, and nothing written before the reset verifies under the new
// nonce.

import { assert } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import type { Hasher } from "../hash/mod.js";
import {
  segmentHeaderChecksum,
  segmentHeaderCreated,
  segmentHeaderNonce,
  segmentHeaderSerial,
  segmentHeaderShift,
  segmentHeaderSize,
  segmentHeaderVersion,
  segmentMagic,
  segmentVersion,
  unitBytes,
} from "./file-layout.js";

/** What a segment header says about the current use of the file. */
export interface SegmentIdentity {
  /** Random, and new at each reset. */
  readonly nonce: bigint;
  /** Order of allocation across all sessions of the directory. */
  readonly serial: number;
  /** Wall-clock milliseconds. */
  readonly createdMs: number;
}

/**
 * Starts a new use of a segment file; everything in it is void when this returns.
 * `key` is `segmentKeyOf(seed, segment)`.
 *
 * Truncating to 0 and growing again zeroes the file without writing data.
 *
 * `sync` makes the reset survive a power loss. It is needed once the manifest has an fsync barrier:
 * without it, a power loss could lose the old tombstones and keep the old header and records.
 *
 * Throws ERR_DISK_IO. The segment then holds nothing that a scan accepts.
 */
export function resetSegment(
  fd: number,
  segmentBytes: number,
  identity: SegmentIdentity,
  key: bigint,
  hasher: Hasher,
  sync: boolean,
  device: Device = fileDevice,
): void {
  device.truncateSync(fd, 0);
  device.truncateSync(fd, segmentBytes);
  const bytes = Buffer.alloc(segmentHeaderSize);
  bytes.writeBigUInt64LE(segmentMagic, 0);
  bytes.writeUInt32LE(segmentVersion, segmentHeaderVersion);
  bytes.writeUInt32LE(Math.log2(segmentBytes), segmentHeaderShift);
  bytes.writeBigUInt64LE(identity.nonce, segmentHeaderNonce);
  bytes.writeBigUInt64LE(BigInt(identity.serial), segmentHeaderSerial);
  bytes.writeDoubleLE(identity.createdMs, segmentHeaderCreated);
  const checksum = hasher.h64(bytes.subarray(0, segmentHeaderChecksum), key);
  bytes.writeBigUInt64LE(checksum, segmentHeaderChecksum);
  device.writeAtSync(fd, bytes, 0, bytes.length, 0);
  if (sync) device.fsyncSync(fd);
}

/** Reads the segment header; null if it is missing, damaged or another directory's. */
export function readSegmentIdentity(
  fd: number,
  segmentBytes: number,
  key: bigint,
  hasher: Hasher,
  device: Device = fileDevice,
): SegmentIdentity | null {
  const header = Buffer.alloc(segmentHeaderSize);
  const read = device.readAtSync(fd, header, 0, segmentHeaderSize, 0);
  if (read !== segmentHeaderSize || header.readBigUInt64LE(0) !== segmentMagic) return null;
  const checksum = hasher.h64(header.subarray(0, segmentHeaderChecksum), key);
  if (header.readBigUInt64LE(segmentHeaderChecksum) !== checksum) return null;
  if (header.readUInt32LE(segmentHeaderVersion) !== segmentVersion) return null;
  if (header.readUInt32LE(segmentHeaderShift) !== Math.log2(segmentBytes)) return null;
  return {
    nonce: header.readBigUInt64LE(segmentHeaderNonce),
    serial: Number(header.readBigUInt64LE(segmentHeaderSerial)),
    createdMs: header.readDoubleLE(segmentHeaderCreated),
  };
}

/**
 * Writes the bytes of `BatchBuilder.finish` at the batch's offset, in one call.
 * Throws ERR_DISK_IO. The bytes from `offset` on are then unknown, and the caller must not add
 * batches to the segment before it is reset.
 */
export function writeBatch(
  fd: number,
  batch: Buffer,
  offset: number,
  device: Device = fileDevice,
): void {
  assert(offset >= segmentHeaderSize && offset % unitBytes === 0, "a batch starts on 16 bytes");
  device.writeAtSync(fd, batch, 0, batch.length, offset);
}

/**
 * Zeroes the segment header, so that the next open finds nothing here. Records can still be read by
 * their locations. Reclaim voids a segment before it drops the first entry: once an entry is in no
 * index, a newer write of its key leaves no tombstone, and a scan would bring back the old value.
 */
export function voidSegment(fd: number, device: Device = fileDevice): void {
  device.writeAtSync(fd, Buffer.alloc(segmentHeaderSize), 0, segmentHeaderSize, 0);
}
