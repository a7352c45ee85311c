// The index snapshot: the index as opaque bytes, and what a scan would find about each segment. The
// janitor writes it at a clean close, reads it at the next open and deletes it.
// Invariant: a usable snapshot is whole and of the generation that closed cleanly. The reader hands
// out nothing before all of it is verified.

//   0  ┬ magic "UCINDEX1"      8 bytes     48 ├ bucketCount            u32
//   8  ├ version               u32         52 ├ segmentCount           u32
//   12 ├ zero                  u32         56 ├ payloadBytes           u64
//   16 ├ identity              16 bytes    64 ├ tableChecksum          u64  seed = generation
//   32 ├ generation            u64         72 ┴ checksum of 0..72      u64  seed = generation
//   40 ├ seed                  u64
//   80 ┬ table: segmentCount × { nonce u64, serial u64, created f64, maxExpires f64,
//      │        endOffset u32, recordCount u32, tombstoneCount u32, zero u32 }
//      ┴ frames: 1 MiB of payload (the last: the rest), then its XXH64,
//               seed = generation XOR number of the frame

import { MiB, UndercroftError, assert } from "../base/mod.js";
import { closeFile, type Device, fileDevice, fs, lengthOf } from "../device/mod.js";
import type { Hasher } from "../hash/mod.js";
import { segmentCountMax, type SegmentIdentity } from "../disk/mod.js";
import { identityBytes } from "./manifest.js";

const snapshotMagic = 0x315845444e494355n;
const snapshotVersion = 2;
const headerBytes = 80;
const tableOffset = headerBytes;
const rowBytes = 48;
const frameBytes = MiB;
const checksumBytes = 8;
const openFlags = fs.constants.O_RDWR | (fs.constants.O_NOFOLLOW ?? 0);

/**
 * Names a snapshot: its file, and the identity, generation and seed that must match when it is
 * read. Plain data: it is posted to the janitor.
 */
export interface SnapshotPlace {
  readonly file: string;
  readonly bytesMax: number;
  readonly identity: Uint8Array;
  /** Generation of the open that writes it. */
  readonly generation: number;
  readonly seed: bigint;
  /** False where files cannot be synced. */
  readonly isSynced: boolean;
}

/** What a scan would find about one segment. Serial 0 = never used. */
export interface SegmentState extends SegmentIdentity {
  readonly endOffset: number;
  readonly recordCount: number;
  readonly tombstoneCount: number;
  /** Wall-clock milliseconds, Infinity if an entry never expires. */
  readonly maxExpires: number;
}

/**
 * Writes and syncs a snapshot. Returns false, and leaves no file, if it would exceed `bytesMax`.
 *
 * `chunks` are the payload in order, of any length; a chunk is copied before the next is requested.
 * `bucketCount` is opaque: it must match when the snapshot is read. Throws ERR_DISK_IO.
 */
export function writeSnapshot(
  snapshot: SnapshotPlace,
  bucketCount: number,
  segments: readonly SegmentState[],
  chunks: Iterable<Uint8Array>,
  hasher: Hasher,
  device: Device = fileDevice,
): boolean {
  const { file, bytesMax, generation } = snapshot;
  assert(segments.length <= segmentCountMax, "a directory has at most 512 segments");
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
      // The header comes last: without it there is no snapshot.
      const counts = { bucketCount, payloadBytes: frames.payloadBytes };
      const header = encodeHeader(snapshot, counts, table, hasher);
      device.writeAtSync(fd, header, 0, headerBytes, 0);
      if (snapshot.isSynced) device.fsyncSync(fd);
      whole = true;
    }
  } finally {
    closeFile(fd);
    if (!whole) removeSnapshot(file);
  }
  return whole;
}

/**
 * Reads a snapshot, and deletes it in any case. It reads the file twice: once to verify it, then to
 * hand each chunk to `onChunk`, in order; a chunk has up to 1 MiB and is valid during the call.
 * Returns the state of each segment, or null, with no chunk handed out, if there is no whole
 * snapshot with this identity, generation, seed and bucket count.
 *
 * Throws ERR_DISK_IO if the file cannot be read or changes in between. Discard the chunks then.
 */
export function readSnapshot(
  snapshot: SnapshotPlace,
  bucketCount: number,
  onChunk: (chunk: Buffer) => void,
  hasher: Hasher,
  device: Device = fileDevice,
): SegmentState[] | null {
  const { file, bytesMax } = snapshot;
  const fd = openSnapshot(file, openFlags);
  if (fd === null) return null;
  try {
    const size = lengthOf(fd);
    if (size > bytesMax || size < headerBytes) return null;
    const reader = readHead(fd, size, { snapshot, bucketCount }, hasher, device);
    if (reader === null || !readFrames(reader, () => undefined)) return null;
    if (!readFrames(reader, onChunk)) {
      throw new UndercroftError("ERR_DISK_IO", `Cannot read ${file}: it changed while it was read`);
    }
    return reader.segments;
  } finally {
    closeFile(fd);
    removeSnapshot(file);
  }
}

/** What a look at a snapshot found that does not use it. */
export interface SnapshotCheck {
  /** Null: the header, the table or the length is damaged. */
  readonly head: {
    readonly identity: Buffer;
    readonly generation: number;
    readonly segments: readonly SegmentState[];
  } | null;
  /** Offsets of the frames that fail their checksums. */
  readonly damagedFrames: readonly number[];
}

/** Verifies every checksum of an open snapshot file of `size` bytes. Throws ERR_DISK_IO. */
export function checkSnapshot(
  fd: number,
  size: number,
  hasher: Hasher,
  device: Device = fileDevice,
): SnapshotCheck {
  const header = Buffer.alloc(headerBytes);
  device.readAtSync(fd, header, 0, headerBytes, 0);
  const identity = header.subarray(16, 16 + identityBytes);
  const generation = Number(header.readBigUInt64LE(32));
  const names = { identity, generation, seed: header.readBigUInt64LE(40) };
  const wanted = { snapshot: names, bucketCount: header.readUInt32LE(48) };
  const isPossible = Number.isSafeInteger(generation);
  const reader = isPossible ? readHead(fd, size, wanted, hasher, device) : null;
  if (reader === null) return { head: null, damagedFrames: [] };
  const damagedFrames: number[] = [];
  const onDamage = (position: number): boolean => damagedFrames.push(position) > 0;
  readFrames(reader, () => undefined, onDamage);
  return { head: { identity, generation, segments: reader.segments }, damagedFrames };
}

/** What the header says beside the counts. */
type SnapshotNames = Pick<SnapshotPlace, "identity" | "generation" | "seed">;

interface Reader {
  readonly fd: number;
  readonly framesOffset: number;
  readonly payloadBytes: number;
  readonly generation: bigint;
  readonly segments: SegmentState[];
  readonly hasher: Hasher;
  readonly device: Device;
}

/** Deletes a snapshot file if it exists. */
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

  /** Returns false as soon as the file would exceed `bytesMax`. */
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

/** Verifies header, table and length; null if they do not match the wanted snapshot. */
function readHead(
  fd: number,
  size: number,
  wanted: { readonly snapshot: SnapshotNames; readonly bucketCount: number },
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
  const expected = encodeHeader(wanted.snapshot, counts, table, hasher);
  if (!expected.equals(header)) return null;
  const framesOffset = tableOffset + table.length;
  const frameCount = Math.ceil(payloadBytes / frameBytes);
  if (size !== framesOffset + payloadBytes + frameCount * checksumBytes) return null;
  const segments = decodeTable(table);
  const generation = BigInt(wanted.snapshot.generation);
  return { fd, framesOffset, payloadBytes, generation, segments, hasher, device };
}

/** False if a frame is damaged; `onDamage` gets its offset, and says whether to go on. */
function readFrames(
  reader: Reader,
  onChunk: (chunk: Buffer) => void,
  onDamage: (position: number) => boolean = () => false,
): boolean {
  const frame = Buffer.alloc(frameBytes + checksumBytes);
  let position = reader.framesOffset;
  let number = 0n;
  for (let left = reader.payloadBytes; left > 0; number += 1n) {
    const payload = Math.min(left, frameBytes);
    const length = payload + checksumBytes;
    if (reader.device.readAtSync(reader.fd, frame, 0, length, position) !== length) return false;
    const chunk = frame.subarray(0, payload);
    const checksum = reader.hasher.h64(chunk, reader.generation ^ number);
    const isWhole = frame.readBigUInt64LE(payload) === checksum;
    if (!isWhole && !onDamage(position)) return false;
    if (isWhole) onChunk(chunk);
    position += length;
    left -= payload;
  }
  return true;
}

function encodeHeader(
  snapshot: SnapshotNames,
  counts: { readonly bucketCount: number; readonly payloadBytes: number },
  table: Buffer,
  hasher: Hasher,
): Buffer {
  assert(snapshot.identity.length === identityBytes, "an identity is 16 bytes");
  const generation = BigInt(snapshot.generation);
  const header = Buffer.alloc(headerBytes);
  header.writeBigUInt64LE(snapshotMagic, 0);
  header.writeUInt32LE(snapshotVersion, 8);
  header.set(snapshot.identity, 16);
  header.writeBigUInt64LE(generation, 32);
  header.writeBigUInt64LE(snapshot.seed, 40);
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
