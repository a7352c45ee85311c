// Reads records of a segment file by their location: whole and verified, or the key of a chunk
// alone. Called by the reclaimer. A read that fails is counted and gives nothing.
import { UndercroftError } from "../base/mod.js";
import type { Device } from "../device/mod.js";
import {
  offsetOfLocation,
  openRecord,
  readBytesOfLocation,
  segmentOfLocation,
} from "../disk/mod.js";
import type { Hasher } from "../hash/mod.js";
import type { Kernel } from "../kernel/mod.js";
import {
  chunkHash,
  chunkId,
  chunkKeySize,
  chunkNumber,
  recordHeaderSize,
  RecordReader,
} from "../record/mod.js";
import { counterDiskErrors } from "../stats/mod.js";
import type { ThreadDisk } from "../tiers/mod.js";

/** Header, disk location, two times and key of a chunk. */
const chunkStartBytes = recordHeaderSize + 24 + chunkKeySize;

export class SegmentRecords {
  /** The record that was read last. */
  readonly record: RecordReader;
  /** The number of the chunk whose value was named last. */
  chunkNumber = 0;
  readonly #kernel: Kernel;
  readonly #disk: ThreadDisk;
  readonly #hasher: Hasher;
  readonly #device: Device;

  constructor(kernel: Kernel, disk: ThreadDisk, hasher: Hasher, device: Device) {
    this.#kernel = kernel;
    this.#disk = disk;
    this.#hasher = hasher;
    this.#device = device;
    this.record = new RecordReader(0, kernel.control.createdBaseMs);
  }

  /** Reads, verifies and parses a record that the index names, into `record`. Null if it is
   *  damaged. */
  read(location: number): Buffer | null {
    const { segmentBytes } = this.#disk;
    const segment = segmentOfLocation(location, segmentBytes);
    const offset = offsetOfLocation(location, segmentBytes);
    const buffer = Buffer.allocUnsafe(readBytesOfLocation(location, segmentBytes));
    const read = this.#read(segment, buffer, offset);
    const nonce = this.#kernel.diskSegments.nonce(segment);
    const [hasher, { cipher }] = [this.#hasher, this.#disk];
    const size = openRecord(buffer, 0, read, { nonce, offset, hasher, cipher });
    if (size === 0) return null;
    const bytes = buffer.subarray(0, size);
    this.record.adopt(bytes);
    this.record.parse(0);
    return bytes;
  }

  /** Names the value of the chunk at a location in the kernel's value register. Only the beginning
   *  is read, unverified: a damaged key names no value. An encrypted record is read whole. False if
   *  it cannot be read. */
  readValueOf(location: number): boolean {
    if (this.#disk.cipher === null) return this.#readBeginning(location);
    return this.read(location) !== null && this.#nameValue(this.record.size);
  }

  #readBeginning(location: number): boolean {
    const { segmentBytes } = this.#disk;
    const offset = offsetOfLocation(location, segmentBytes);
    const length = Math.min(chunkStartBytes, readBytesOfLocation(location, segmentBytes));
    const buffer = Buffer.alloc(chunkStartBytes);
    const segment = segmentOfLocation(location, segmentBytes);
    if (this.#read(segment, buffer.subarray(0, length), offset) !== length) return false;
    this.record.adopt(buffer);
    this.record.parse(0);
    return this.#nameValue(length);
  }

  /** The record, of which `length` bytes were read, is parsed. */
  #nameValue(length: number): boolean {
    const { buffer, keyStart, keyEnd } = this.record;
    if (keyEnd - keyStart !== chunkKeySize || keyEnd > length) return false;
    this.chunkNumber = buffer.readUInt32LE(keyStart + chunkNumber);
    const word = (field: number): number => buffer.readUInt32LE(keyStart + field);
    this.#kernel.verbs.setValue(
      word(chunkHash),
      word(chunkHash + 4),
      word(chunkId),
      word(chunkId + 4),
      this.record.space,
    );
    return true;
  }

  /** The number of bytes read; 0 on a disk error. */
  #read(segment: number, buffer: Buffer, offset: number): number {
    try {
      const fd = this.#disk.files.fd(segment);
      return this.#device.readAtSync(fd, buffer, 0, buffer.length, offset);
    } catch (error) {
      if (!(error instanceof UndercroftError)) throw error;
      this.#kernel.count(counterDiskErrors, 1);
      return 0;
    }
  }
}
