// The index snapshot: the index as bytes that only its owner understands, and what a scan would have found out about each
// segment. Written at a clean close, read at the next open, and deleted as soon as it has been read.
// Invariant: a snapshot is whole and of the generation that closed in order, or it is not there; nothing of it is handed
// out before all of it has been verified.
//
//   0  ┬ magic "UCINDEX1"      8 bytes     48 ├ bucketCount            u32
//   8  ├ version               u32         52 ├ segmentCount           u32
//   12 ├ zero                  u32         56 ├ payloadBytes           u64
//   16 ├ identity              16 bytes    64 ├ tableChecksum          u64  seed = generation
//   32 ├ generation            u64         72 ┴ checksum of 0..72      u64  seed = generation
//   40 ├ seed                  u64
//   80 ┬ table: segmentCount × { nonce u64, serial u64, created f64, maxExpires f64,
//      │        endOffset u32, recordCount u32, tombstoneCount u32, zero u32 }
//      ├ frames: payload of 1 MiB (the last one: the rest), then XXH64 of it, seed = generation XOR its number
//      ┴

import fs from "node:fs";
import { MiB, UndercroftError, assert } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import type { Hasher } from "../hash/mod.js";
import { segmentCountMax, type SegmentIdentity } from "../disk/mod.js";
import { identityBytes } from "./manifest.js";

const snapshotMagic = 0x315845444e494355n;
const snapshotVersion = 1;
const headerBytes = 80;
const tableOffset = headerBytes;
const rowBytes = 48;
const frameBytes = MiB;
const checksumBytes = 8;
const openFlags = fs.constants.O_RDWR | (fs.constants.O_NOFOLLOW ?? 0);

/** Where a snapshot is and of what: identity, generation and seed must agree when it is read. Plain data, which may be
 * posted to a worker. */
export interface SnapshotPlace {
  readonly file: string;
  readonly bytesMax: number;
  readonly identity: Uint8Array;
  /** Of the open that wrote it. */
  readonly generation: number;
  readonly seed: bigint;
}

/** What a scan would have found out about one segment; a serial of 0 = never used. */
export interface SegmentState extends SegmentIdentity {
  readonly endOffset: number;
  readonly recordCount: number;
  readonly tombstoneCount: number;
  /** Wall-clock milliseconds, Infinity if an entry never expires. */
  readonly maxExpires: number;
}

/** Writes and syncs a snapshot. Returns false, and leaves no file, if it is larger than `place.bytesMax`.
 * `chunks` are the payload in order, of any lengths, read while the iterator stands at them. `bucketCount` is opaque: it
 * must agree when the snapshot is read. Throws ERR_DISK_IO. */
export function writeSnapshot(
  place: SnapshotPlace,
  bucketCount: number,
  segments: readonly SegmentState[],
  chunks: Iterable<Uint8Array>,
  hasher: Hasher,
  device: Device = fileDevice,
): boolean {
  const { file, bytesMax, generation } = place;
  assert(segments.length <= segmentCountMax, "a directory has at most 128 segments");
  removeSnapshot(file);
  const fd = openSnapshot(file, openFlags | fs.constants.O_CREAT | fs.constants.O_EXCL);
  if (fd === null) return false;
  let whole = false;
  try {
    const table = encodeTable(segments);
    const framesOffset = tableOffset + table.length;
    const frames = new FrameWriter(fd, framesOffset, generation, bytesMax, hasher, device);
    const fits = framesOffset <= bytesMax && frames.writeAll(chunks);
    if (fits) {
      device.writeAtSync(fd, table, 0, table.length, tableOffset);
      // The header last: until it stands there is no snapshot.
      const counts = { bucketCount, payloadBytes: frames.payloadBytes };
      const header = encodeHeader(place, counts, table, hasher);
      device.writeAtSync(fd, header, 0, headerBytes, 0);
      device.fsyncSync(fd);
      whole = true;
    }
  } finally {
    fs.closeSync(fd);
    if (!whole) removeSnapshot(file);
  }
  return whole;
}

/** Reads a snapshot and deletes it, whatever comes of it. Returns the state of each segment after all chunks (up to
 * 1 MiB each, valid during the call) were handed to `onChunk` in order, or null, with nothing handed out, if there is no
 * whole snapshot of this place and bucket count. Throws ERR_DISK_IO if the file changes or fails between the two readings. */
export function readSnapshot(
  place: SnapshotPlace,
  bucketCount: number,
  onChunk: (chunk: Buffer) => void,
  hasher: Hasher,
  device: Device = fileDevice,
): SegmentState[] | null {
  const { file, bytesMax } = place;
  const fd = openSnapshot(file, openFlags);
  if (fd === null) return null;
  try {
    const size = fs.fstatSync(fd, { bigint: false }).size;
    if (size > bytesMax || size < headerBytes) return null;
    const reader = readHead(fd, size, { place, bucketCount }, hasher, device);
    if (reader === null || !readFrames(reader, () => undefined)) return null;
    if (!readFrames(reader, onChunk)) {
      throw new UndercroftError("ERR_DISK_IO", `Cannot read ${file}: it changed while it was read`);
    }
    return reader.segments;
  } finally {
    fs.closeSync(fd);
    removeSnapshot(file);
  }
}

interface Reader {
  readonly fd: number;
  readonly framesOffset: number;
  readonly payloadBytes: number;
  readonly generation: bigint;
  readonly segments: SegmentState[];
  readonly hasher: Hasher;
  readonly device: Device;
}

/** Deletes the snapshot at a path, if there is one. */
export function removeSnapshot(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw ioFault("delete", file, error);
  }
}

function openSnapshot(file: string, flags: number): number | null {
  try {
    return fs.openSync(file, flags, 0o600);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ELOOP") return null;
    throw ioFault("open", file, error);
  }
}

function ioFault(verb: string, file: string, cause: unknown): UndercroftError {
  const reason = cause instanceof Error ? cause.message : "the system gave no reason";
  return new UndercroftError("ERR_DISK_IO", `Cannot ${verb} ${file}: ${reason}`, { cause });
}

/** Cuts the payload into frames of 1 MiB and writes each with its checksum. */
class FrameWriter {
  readonly #frame = Buffer.alloc(frameBytes + checksumBytes);
  readonly #fd: number;
  readonly #generation: bigint;
  readonly #bytesMax: number;
  readonly #hasher: Hasher;
  readonly #device: Device;
  #position: number;
  #filled = 0;
  #frameCount = 0;
  payloadBytes = 0;

  constructor(
    fd: number,
    position: number,
    generation: number,
    bytesMax: number,
    hasher: Hasher,
    device: Device,
  ) {
    this.#fd = fd;
    this.#position = position;
    this.#generation = BigInt(generation);
    this.#bytesMax = bytesMax;
    this.#hasher = hasher;
    this.#device = device;
  }

  /** False as soon as the file would outgrow its limit. */
  writeAll(chunks: Iterable<Uint8Array>): boolean {
    for (const chunk of chunks) {
      for (let taken = 0; taken < chunk.length;) {
        const length = Math.min(chunk.length - taken, frameBytes - this.#filled);
        this.#frame.set(chunk.subarray(taken, taken + length), this.#filled);
        this.#filled += length;
        taken += length;
        if (this.#filled === frameBytes && !this.#writeFrame()) return false;
      }
    }
    return this.#filled === 0 || this.#writeFrame();
  }

  #writeFrame(): boolean {
    const length = this.#filled + checksumBytes;
    if (this.#position + length > this.#bytesMax) return false;
    const seed = this.#generation ^ BigInt(this.#frameCount);
    const checksum = this.#hasher.h64(this.#frame.subarray(0, this.#filled), seed);
    this.#frame.writeBigUInt64LE(checksum, this.#filled);
    this.#device.writeAtSync(this.#fd, this.#frame, 0, length, this.#position);
    this.#position += length;
    this.payloadBytes += this.#filled;
    this.#filled = 0;
    this.#frameCount += 1;
    return true;
  }
}

/** Checks header and table; null if they are not of a whole snapshot of what is wanted. */
function readHead(
  fd: number,
  size: number,
  wanted: { readonly place: SnapshotPlace; readonly bucketCount: number },
  hasher: Hasher,
  device: Device,
): Reader | null {
  const header = Buffer.alloc(headerBytes);
  if (device.readAtSync(fd, header, 0, headerBytes, 0) !== headerBytes) return null;
  const segmentCount = header.readUInt32LE(52);
  const payloadBytes = Number(header.readBigUInt64LE(56));
  if (segmentCount > segmentCountMax) return null;
  const table = Buffer.alloc(segmentCount * rowBytes);
  if (device.readAtSync(fd, table, 0, table.length, tableOffset) !== table.length) return null;
  const counts = { bucketCount: wanted.bucketCount, payloadBytes };
  const expected = encodeHeader(wanted.place, counts, table, hasher);
  if (!expected.equals(header)) return null;
  const framesOffset = tableOffset + table.length;
  const frameCount = Math.ceil(payloadBytes / frameBytes);
  if (size !== framesOffset + payloadBytes + frameCount * checksumBytes) return null;
  const segments = decodeTable(table);
  const generation = BigInt(wanted.place.generation);
  return { fd, framesOffset, payloadBytes, generation, segments, hasher, device };
}

function readFrames(reader: Reader, onChunk: (chunk: Buffer) => void): boolean {
  const frame = Buffer.alloc(frameBytes + checksumBytes);
  let position = reader.framesOffset;
  let number = 0n;
  for (let left = reader.payloadBytes; left > 0; number += 1n) {
    const payload = Math.min(left, frameBytes);
    const length = payload + checksumBytes;
    if (reader.device.readAtSync(reader.fd, frame, 0, length, position) !== length) return false;
    const chunk = frame.subarray(0, payload);
    const checksum = reader.hasher.h64(chunk, reader.generation ^ number);
    if (frame.readBigUInt64LE(payload) !== checksum) return false;
    onChunk(chunk);
    position += length;
    left -= payload;
  }
  return true;
}

function encodeHeader(
  place: SnapshotPlace,
  counts: { readonly bucketCount: number; readonly payloadBytes: number },
  table: Buffer,
  hasher: Hasher,
): Buffer {
  assert(place.identity.length === identityBytes, "an identity is 16 bytes");
  const generation = BigInt(place.generation);
  const header = Buffer.alloc(headerBytes);
  header.writeBigUInt64LE(snapshotMagic, 0);
  header.writeUInt32LE(snapshotVersion, 8);
  header.set(place.identity, 16);
  header.writeBigUInt64LE(generation, 32);
  header.writeBigUInt64LE(place.seed, 40);
  header.writeUInt32LE(counts.bucketCount, 48);
  header.writeUInt32LE(table.length / rowBytes, 52);
  header.writeBigUInt64LE(BigInt(counts.payloadBytes), 56);
  header.writeBigUInt64LE(hasher.h64(table, generation), 64);
  header.writeBigUInt64LE(hasher.h64(header.subarray(0, 72), generation), 72);
  return header;
}

function encodeTable(segments: readonly SegmentState[]): Buffer {
  const table = Buffer.alloc(segments.length * rowBytes);
  for (const [number, segment] of segments.entries()) {
    const row = number * rowBytes;
    table.writeBigUInt64LE(segment.nonce, row);
    table.writeBigUInt64LE(BigInt(segment.serial), row + 8);
    table.writeDoubleLE(segment.createdMs, row + 16);
    table.writeDoubleLE(segment.maxExpires, row + 24);
    table.writeUInt32LE(segment.endOffset, row + 32);
    table.writeUInt32LE(segment.recordCount, row + 36);
    table.writeUInt32LE(segment.tombstoneCount, row + 40);
  }
  return table;
}

function decodeTable(table: Buffer): SegmentState[] {
  const segments: SegmentState[] = [];
  for (let row = 0; row < table.length; row += rowBytes) {
    segments.push({
      nonce: table.readBigUInt64LE(row),
      serial: Number(table.readBigUInt64LE(row + 8)),
      createdMs: table.readDoubleLE(row + 16),
      maxExpires: table.readDoubleLE(row + 24),
      endOffset: table.readUInt32LE(row + 32),
      recordCount: table.readUInt32LE(row + 36),
      tombstoneCount: table.readUInt32LE(row + 40),
    });
  }
  return segments;
}
