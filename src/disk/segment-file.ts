// The writes of a segment file that begin its life and extend it. The janitor calls them, synchronously, on its thread.
// Invariant: the file is all zeros but for its header before a byte of a new life follows: a scan ends at zeros, a place
// of the dead list is free when it is zero, and nothing of the old life verifies under the new nonce.

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
} from "./layout.js";

/** What a segment's header says about this life of the segment. */
export interface SegmentIdentity {
  /** Random and new for each life. */
  readonly nonce: bigint;
  /** Order of allocation over the whole life of the directory. */
  readonly serial: number;
  /** Wall-clock milliseconds. */
  readonly createdMs: number;
}

/** Begins a new life of a segment: everything in it is void when this returns. `key` is `segmentKeyOf(seed, segment)`.
 * With `sync` it is durable against a power loss too: needed once the manifest has an fsync barrier, or the dead list of
 * the old life could be gone while its header and records are not. Cutting the file and growing it again is how it is
 * zeroed, since that costs no writes. Throws ERR_DISK_IO, after which the segment holds nothing that a scan takes. */
export function resetSegment(
  fd: number,
  segmentBytes: number,
  life: SegmentIdentity,
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
  bytes.writeBigUInt64LE(life.nonce, segmentHeaderNonce);
  bytes.writeBigUInt64LE(BigInt(life.serial), segmentHeaderSerial);
  bytes.writeDoubleLE(life.createdMs, segmentHeaderCreated);
  const checksum = hasher.h64(bytes.subarray(0, segmentHeaderChecksum), key);
  bytes.writeBigUInt64LE(checksum, segmentHeaderChecksum);
  device.writeAtSync(fd, bytes, 0, bytes.length, 0);
  if (sync) device.fsyncSync(fd);
}

/** The life that a segment's header names, or null if it was never written, is damaged or is not of this directory. */
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

/** Writes what `BatchBuilder.finish` returned, at the batch's offset, with one call. Throws ERR_DISK_IO, after which
 * the bytes from `offset` on are unknown and the segment takes no more batches in this life. */
export function writeBatch(
  fd: number,
  batch: Buffer,
  offset: number,
  device: Device = fileDevice,
): void {
  assert(offset >= segmentHeaderSize && offset % unitBytes === 0, "a batch starts on 16 bytes");
  device.writeAtSync(fd, batch, 0, batch.length, offset);
}

/** Makes everything in a segment void for the next open, while its bytes can still be read by who knows where they are:
 * reclaim does it before it lets go of the first entry, for an entry that is in no index can be overwritten unseen. */
export function voidSegment(fd: number, device: Device = fileDevice): void {
  device.writeAtSync(fd, Buffer.alloc(segmentHeaderSize), 0, segmentHeaderSize, 0);
}
