// Parses one record in private memory: copied from a memory segment and validated, or read from
// disk and verified. Called by every room that reads records. Invariant: the caller passes only
// whole records, so nothing here checks lengths. A torn copy is dropped before it is parsed.
import * as at from "./record-layout.js";
import { readTags, tagHashesEnd, tagsFieldOf } from "./tags.js";

const noBytes = Buffer.alloc(0);
const noWords = new Uint32Array(0);

/** One parsed record. The fields are valid until the next `parse`. */
export class RecordReader {
  /** The record's bytes. Grows as records need. Decoded values never alias it. */
  buffer: Buffer;
  /** Word views of `buffer`, for copying. */
  words: Uint32Array;
  size = 0;
  /** The id of the key's namespace; 0 is the cache's own key space. */
  space = 0;
  codecId = 0;
  /** How long its loader took (policy/worth.ts). */
  loadClass = 0;
  flags = 0;
  sequence = 0;
  /** Wall-clock milliseconds. */
  createdMs = 0;
  /** Wall-clock milliseconds; Infinity = never. */
  expiresMs = Infinity;
  /** Until then an expired value may be served. Equals `expiresMs` if it may not. */
  staleUntilMs = Infinity;
  /** Where a reader of the disk found the record; 0 in memory. */
  diskLocation = 0;
  start = 0;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;

  readonly #createdBaseMs: number;
  #hasRevision = false;

  /** `createdBaseMs` is the cache's base of creation times (createdBaseOf). */
  constructor(bytes: number, createdBaseMs: number) {
    this.#createdBaseMs = createdBaseMs;
    this.buffer = noBytes;
    this.words = noWords;
    this.ensure(bytes);
  }

  /** Makes the buffer at least `bytes` long. If it grows, its contents are lost. */
  ensure(bytes: number): void {
    if (this.buffer.length >= bytes) return;
    const memory = new ArrayBuffer(Math.max(4096, 2 ** Math.ceil(Math.log2(bytes))));
    this.buffer = Buffer.from(memory);
    this.words = new Uint32Array(memory);
  }

  /** Uses another private buffer, one that a disk read filled. */
  adopt(buffer: Buffer): void {
    this.buffer = buffer;
    this.words = noWords;
  }

  /** Parses the record at `start`. */
  parse(start: number): void {
    const { buffer } = this;
    this.start = start;
    const first = buffer.readUInt32LE(start + at.recordSize);
    this.size = first & at.recordSizeMask;
    this.space = first >>> 24;
    const codec = buffer.readUInt8(start + at.recordCodec);
    this.codecId = codec & at.recordCodecMask;
    this.loadClass = (codec >>> at.recordLoadShift) & at.recordLoadMask;
    this.#hasRevision = codec >= at.recordHasRevision;
    const flags = buffer.readUInt8(start + at.recordFlags);
    this.flags = flags;
    this.sequence = buffer.readUIntLE(start + at.recordSequence, 6);
    const high = buffer.readUInt8(start + at.recordCreatedHigh) * 2 ** 32;
    const low = buffer.readUInt32LE(start + at.recordCreatedLow);
    this.createdMs = this.#createdBaseMs + high + low;
    let field = start + at.recordHeaderSize + ((flags & at.flagDiskLocation) === 0 ? 0 : 8);
    this.expiresMs = Infinity;
    this.staleUntilMs = Infinity;
    if ((flags & at.flagExpires) !== 0) {
      this.expiresMs = buffer.readDoubleLE(field);
      this.staleUntilMs = this.expiresMs;
      field += 8;
      if ((flags & at.flagStale) !== 0) this.staleUntilMs = buffer.readDoubleLE(field);
    }
    const units = buffer.readUInt8(start + at.recordExtensionUnits);
    this.keyStart = start + at.recordHeaderSize + units * 8;
    this.keyEnd = this.keyStart + buffer.readUInt16LE(start + at.recordKeyLength) + 1;
    this.valueStart = this.keyEnd;
    this.valueEnd = start + this.size;
  }

  /** The record's tags, parsed anew by each call. */
  tags(): string[] {
    if (!this.hasTags) return [];
    return readTags(this.buffer, tagsFieldOf(this.buffer, this.start));
  }

  /** The bytes of the tags that the kernel reads: the count and the hashes. Empty without tags. */
  tagsField(): Uint8Array {
    if (!this.hasTags) return this.buffer.subarray(0, 0);
    const field = tagsFieldOf(this.buffer, this.start);
    return this.buffer.subarray(field, field + tagHashesEnd(this.buffer, field));
  }

  get hasTags(): boolean {
    return (this.flags & at.flagTags) !== 0;
  }

  /** The caller's own order of writes; undefined without one. */
  get revision(): number | undefined {
    return this.#hasRevision ? this.buffer.readDoubleLE(this.keyStart - 8) : undefined;
  }

  /** Whether the key was given as bytes. */
  get isBytesKey(): boolean {
    return (this.flags & at.flagKeyBytes) !== 0;
  }

  /**
   * The key's text as a flat string of its own. A string concatenated from parts costs each compare
   * one more line of memory, and a slice of a larger string keeps that string alive.
   */
  keyText(): string {
    return this.buffer.toString("utf8", this.keyStart, this.keyEnd);
  }

  /** The key as it was given: a string, or a copy of its bytes. */
  key(): string | Uint8Array {
    if (!this.isBytesKey) return this.keyText();
    return Uint8Array.from(this.buffer.subarray(this.keyStart, this.keyEnd));
  }
}
