// Reads one record out of private memory: copied from a memory segment and validated, or read from disk and verified.
// Called by the memory tier, the disk tier and the facade. Invariant: the bytes are whole; nothing here trusts a length
// that was not checked before (a torn copy is thrown away before it is parsed).
import * as at from "./layout.js";
import { readTags, tagHashesEnd } from "./tags.js";

/** One record's header, taken apart. The fields are valid until the next `parse`. */
export class RecordReader {
  /** The record's bytes; grown as records need. Values are decoded from here and never alias it. */
  buffer: Buffer;
  /** Word views of `buffer`, for copying. */
  words: Uint32Array;
  size = 0;
  codecId = 0;
  flags = 0;
  sequence = 0;
  /** Wall-clock milliseconds. */
  createdMs = 0;
  /** Wall-clock milliseconds, Infinity = never. */
  expiresMs = Infinity;
  /** Until then an expired value may be served; equals `expiresMs` if it may not. */
  staleUntilMs = Infinity;
  start = 0;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;

  readonly #createdBaseMs: number;

  /** `createdBaseMs` is the cache's (createdBaseOf). */
  constructor(bytes: number, createdBaseMs: number) {
    this.#createdBaseMs = createdBaseMs;
    this.buffer = Buffer.alloc(0);
    this.words = new Uint32Array(0);
    this.ensure(bytes);
  }

  /** Makes the buffer at least `bytes` long; what it held is lost if it grows. */
  ensure(bytes: number): void {
    if (this.buffer.length >= bytes) return;
    const memory = new ArrayBuffer(Math.max(4096, 2 ** Math.ceil(Math.log2(bytes))));
    this.buffer = Buffer.from(memory);
    this.words = new Uint32Array(memory);
  }

  /** Reads records from another private buffer (one that a disk read filled). */
  adopt(buffer: Buffer): void {
    this.buffer = buffer;
    this.words = new Uint32Array(0);
  }

  /** Takes the record at `start` apart. */
  parse(start: number): void {
    const { buffer } = this;
    this.start = start;
    this.size = buffer.readUInt32LE(start + at.recordSize);
    this.codecId = buffer.readUInt8(start + at.recordCodec);
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

  /** The record's tags; reads them anew at each call. */
  tags(): string[] {
    if ((this.flags & at.flagTags) === 0) return [];
    return readTags(this.buffer, this.#tagsStart());
  }

  /** The bytes that the kernel needs to look at the tags: count and hashes; none if there are no tags. */
  tagsField(): Uint8Array {
    if ((this.flags & at.flagTags) === 0) return this.buffer.subarray(0, 0);
    const start = this.#tagsStart();
    return this.buffer.subarray(start, start + tagHashesEnd(this.buffer, start));
  }

  #tagsStart(): number {
    const fields = this.flags & (at.flagDiskLocation | at.flagExpires | at.flagStale);
    const before = [at.flagDiskLocation, at.flagExpires, at.flagStale].filter(
      (flag) => fields & flag,
    );
    return this.start + at.recordHeaderSize + before.length * 8;
  }

  get hasTags(): boolean {
    return (this.flags & at.flagTags) !== 0;
  }

  /** Was the key given as bytes? */
  get isBytesKey(): boolean {
    return (this.flags & at.flagKeyBytes) !== 0;
  }

  /** The key's text, in one piece and of its own: a key glued together from parts costs each compare a line of memory more, and
   *  one cut from a larger string keeps that alive. */
  keyText(): string {
    return this.buffer.toString("utf8", this.keyStart, this.keyEnd);
  }

  /** The key as it was given: a string, or bytes of its own. */
  key(): string | Uint8Array {
    if (!this.isBytesKey) return this.keyText();
    return Uint8Array.from(this.buffer.subarray(this.keyStart, this.keyEnd));
  }
}
