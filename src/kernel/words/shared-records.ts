// Records in shared memory, named by their byte offset: reads header fields, copies a record out,
// and writes a new one into the room that `reserve` gave (layout: record/record-layout.ts). A
// caller that reads a record which may be reused meanwhile validates its slot afterwards, or holds
// its segment.
import {
  chunkKeySize,
  flagDiskLocation,
  flagExpires,
  flagStale,
  flagTags,
  isChunk,
  isHead,
  recordCodec,
  recordFlags,
  recordHeaderSize,
  recordKeyLength,
  recordLoadMask,
  recordLoadShift,
  type RecordReader,
  recordSequence,
  recordSize,
  recordSizeMask,
  recordSpace,
} from "../../record/mod.js";
import type { Views } from "./views.js";

/** Below this a loop over words beats a call that copies bytes. */
const wordCopyMax = 512;
/** From so many bytes on `fill` copies: it is one memcpy, after some 100 ns. V8's own copies to
 *  and from shared memory take 0.05 ns a byte, and 0.4 where the ends are not aligned alike. */
const fillBytesMin = 4096;
const fillUnalignedBytesMin = 512;

/** The extension fields of a record to be written, but for a disk location. */
export interface ExtensionFields {
  /** Wall-clock milliseconds, Infinity = never. */
  readonly expiresMs: number;
  /** Equal to `expiresMs` if it may not be served stale. */
  readonly staleUntilMs: number;
  /** encodeTags(tags): empty for none. */
  readonly tags: Uint8Array;
  /** The codec's byte says whether there is one. */
  readonly revision?: number | undefined;
}

/** Bytes of the extension of a record with these fields, a multiple of 8. `hasDiskLocation`:
 *  whether to leave room for one. */
export function extensionBytesOf(fields: ExtensionFields, hasDiskLocation: boolean): number {
  const times = fields.expiresMs === Infinity ? 0 : fields.staleUntilMs > fields.expiresMs ? 16 : 8;
  const revision = fields.revision === undefined ? 0 : 8;
  return (hasDiskLocation ? 8 : 0) + times + fields.tags.length + revision;
}

export class SharedRecords {
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #bytes: Buffer;

  constructor(views: Views) {
    this.#u8 = views.u8;
    this.#bytes = Buffer.from(views.u8.buffer);
    this.#u32 = views.u32;
    this.#f64 = views.f64;
  }

  size(record: number): number {
    return (this.#u32[(record + recordSize) >>> 2] as number) & recordSizeMask;
  }

  /** The id of the namespace of its key. */
  space(record: number): number {
    return this.#u8[record + recordSpace] as number;
  }

  /** 0 = reserved, not published. */
  sequence(record: number): number {
    const word = (record + recordSequence) >>> 2;
    return (this.#u32[word] as number) + ((this.#u32[word + 1] as number) & 0xffff) * 2 ** 32;
  }

  flags(record: number): number {
    return this.#u8[record + recordFlags] as number;
  }

  /** How long its loader took (policy/worth.ts). */
  loadClass(record: number): number {
    const codec = this.#u8[record + recordCodec] as number;
    return (codec >>> recordLoadShift) & recordLoadMask;
  }

  /** Whether it is a head or a chunk. A chunk's key alone of internal ones has its length. */
  isPart(record: number): boolean {
    const flags = this.flags(record);
    if (isHead(flags)) return true;
    return isChunk(flags) && this.#keyLength(record) === chunkKeySize;
  }

  #keyLength(record: number): number {
    return ((this.#u32[(record + recordKeyLength) >>> 2] as number) & 0xffff) + 1;
  }

  /** The location of its copy on disk, 0 = none. */
  diskLocation(record: number): number {
    if ((this.flags(record) & flagDiskLocation) === 0) return 0;
    const word = (record + recordHeaderSize) >>> 2;
    return (this.#u32[word] as number) + (this.#u32[word + 1] as number) * 2 ** 32;
  }

  /** When it can no longer be served, stale or not, in wall-clock ms; Infinity = never. */
  deadline(record: number): number {
    const flags = this.flags(record);
    if ((flags & flagExpires) === 0) return Infinity;
    const field = record + recordHeaderSize + ((flags & flagDiskLocation) === 0 ? 0 : 8);
    return this.#f64[(field + ((flags & flagStale) === 0 ? 0 : 8)) / 8] as number;
  }

  /** The record's bytes in place, for a write to a file while the segment is held. */
  bytes(record: number, size: number): Uint8Array {
    return this.#u8.subarray(record, record + size);
  }

  /** Copies `size` bytes into a reader's own buffer. Parse them only once they are validated. */
  copyTo(reader: RecordReader, record: number, size: number): void {
    reader.ensure(size + 7);
    if (size >= fillBytesMin) {
      reader.buffer.fill(this.#u8.subarray(record, record + size), 0, size);
      return;
    }
    if (size > wordCopyMax) {
      reader.buffer.set(this.#u8.subarray(record, record + size), 0);
      return;
    }
    const first = record >>> 2;
    const words = (size + 3) >>> 2;
    for (let word = 0; word < words; word++) {
      reader.words[word] = this.#u32[first + word] as number;
    }
  }

  /** Copies a whole record, built elsewhere, into the room reserved for it. */
  place(record: number, bytes: Uint8Array): void {
    this.#copyIn(bytes, record);
  }

  #copyIn(bytes: Uint8Array, to: number): void {
    const isAligned = ((bytes.byteOffset ^ to) & 7) === 0;
    const { length } = bytes;
    if (length < (isAligned ? fillBytesMin : fillUnalignedBytesMin)) this.#u8.set(bytes, to);
    else this.#bytes.fill(bytes, to, to + length);
  }

  /** Writes the extension fields after a record's header; answers the flags that name them. */
  writeExtension(record: number, fields: ExtensionFields, hasDiskLocation: boolean): number {
    let flags = 0;
    let double = (record + recordHeaderSize) / 8;
    if (hasDiskLocation) {
      this.#f64[double++] = 0;
      flags |= flagDiskLocation;
    }
    if (fields.expiresMs !== Infinity) {
      this.#f64[double++] = fields.expiresMs;
      flags |= flagExpires;
      if (fields.staleUntilMs > fields.expiresMs) {
        this.#f64[double++] = fields.staleUntilMs;
        flags |= flagStale;
      }
    }
    if (fields.tags.length > 0) {
      this.#u8.set(fields.tags, double * 8);
      double += fields.tags.length / 8;
      flags |= flagTags;
    }
    if (fields.revision !== undefined) this.#f64[double] = fields.revision;
    return flags;
  }

  /** Writes key and value of a record whose extension takes `extensionBytes`. */
  writeBody(record: number, extensionBytes: number, key: Uint8Array, value: Uint8Array): void {
    const keyAt = record + recordHeaderSize + extensionBytes;
    this.#u8.set(key, keyAt);
    this.#copyIn(value, keyAt + key.length);
  }

  /** As `writeBody`, with `keyBytes` bytes of key copied from `from` in shared memory. Up to three
   *  bytes after the key are copied too; the value or the record's padding overwrites them. */
  writeBodyFrom(
    record: number,
    extensionBytes: number,
    from: number,
    keyBytes: number,
    value: Uint8Array,
  ): void {
    const keyAt = record + recordHeaderSize + extensionBytes;
    if (keyBytes > wordCopyMax) {
      this.#u8.copyWithin(keyAt, from, from + keyBytes);
    } else {
      const u32 = this.#u32;
      let word = keyAt >>> 2;
      const shift = (from >>> 2) - word;
      for (const end = (keyAt + keyBytes + 3) >>> 2; word < end; word++) {
        u32[word] = u32[word + shift] as number;
      }
    }
    this.#copyIn(value, keyAt + keyBytes);
  }
}
