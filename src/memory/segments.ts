// The memory segments as who empties or flushes them sees them: their table, and the headers met on a walk over one.
// Called by the janitor, and by a shared map's compaction. Reads only: the kernel writes these words.
import { type Kernel, layout as at } from "../kernel/mod.js";
import {
  flagDiskLocation,
  flagExpires,
  flagStale,
  recordFlags,
  recordHeaderSize,
} from "../record/mod.js";

export class SegmentTable {
  readonly #kernel: Kernel;
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#i32 = kernel.views.i32;
    this.#f64 = kernel.views.f64;
  }

  get count(): number {
    return this.#kernel.geometry.segmentCount;
  }

  #word(segment: number, field: number): number {
    return Atomics.load(this.#i32, (at.segmentTable + segment * at.segmentEntrySize + field) / 4);
  }

  #double(segment: number, field: number): number {
    return this.#f64[(at.segmentTable + segment * at.segmentEntrySize + field) / 8] as number;
  }

  state(segment: number): number {
    return this.#word(segment, at.segmentState) & at.segmentStateMask;
  }

  /** Counts the lives of the segment. */
  generation(segment: number): number {
    return this.#word(segment, at.segmentGeneration);
  }

  /** Is the flusher reading it? */
  isPinned(segment: number): boolean {
    return this.#word(segment, at.segmentPin) !== 0;
  }

  /** Has a record in it lost its copy on disk? */
  hasDiskCopyLost(segment: number): boolean {
    return this.#word(segment, at.segmentDiskCopyLost) !== 0;
  }

  /** Has admission put off a record in it? */
  hasDeferred(segment: number): boolean {
    return this.#word(segment, at.segmentDeferred) !== 0;
  }

  /** Has every record in it expired, or been cleared? */
  isDead(segment: number, now: number): boolean {
    return (
      this.maxExpires(segment) <= now || this.maxSequence(segment) <= this.#kernel.clearEpoch()
    );
  }

  log(segment: number): number {
    return this.#word(segment, at.segmentLog);
  }

  writeOffset(segment: number): number {
    return this.#word(segment, at.segmentWriteOffset);
  }

  flushedOffset(segment: number): number {
    return this.#word(segment, at.segmentFlushedOffset);
  }

  /** Bytes of records that nothing names any more. */
  deadBytes(segment: number): number {
    return this.#word(segment, at.segmentDeadBytes);
  }

  sealOrder(segment: number): number {
    return this.#double(segment, at.segmentSealOrder);
  }

  maxExpires(segment: number): number {
    return this.#double(segment, at.segmentMaxExpires);
  }

  maxSequence(segment: number): number {
    return this.#double(segment, at.segmentMaxSequence);
  }

  /** Offset of a segment's first byte in shared memory. */
  base(segment: number): number {
    const { segmentBase, segmentBytes } = this.#kernel.geometry;
    return segmentBase + segment * segmentBytes;
  }

  get free(): number {
    return this.#kernel.verbs.freeSegments(this.count);
  }
}

/** The header fields of a record in shared memory that such a walk needs. The record must not be reused meanwhile. */
export class RecordHeader {
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;

  constructor(kernel: Kernel) {
    this.#u8 = kernel.views.u8;
    this.#u32 = kernel.views.u32;
    this.#f64 = kernel.views.f64;
  }

  size(record: number): number {
    return this.#u32[record >>> 2] as number;
  }

  /** 0 = reserved, not published. */
  sequence(record: number): number {
    const word = record >>> 2;
    return (this.#u32[word + 2] as number) + ((this.#u32[word + 3] as number) & 0xffff) * 2 ** 32;
  }

  flags(record: number): number {
    return this.#u8[record + recordFlags] as number;
  }

  /** Where its copy on disk is, 0 = nowhere. */
  diskLocation(record: number): number {
    if ((this.flags(record) & flagDiskLocation) === 0) return 0;
    const word = (record + recordHeaderSize) >>> 2;
    return (this.#u32[word] as number) + (this.#u32[word + 1] as number) * 2 ** 32;
  }

  /** The last moment it can serve anybody, stale or not; Infinity = never ends. */
  deadline(record: number): number {
    const flags = this.flags(record);
    if ((flags & flagExpires) === 0) return Infinity;
    const field = record + recordHeaderSize + ((flags & flagDiskLocation) === 0 ? 0 : 8);
    return this.#f64[(field + ((flags & flagStale) === 0 ? 0 : 8)) / 8] as number;
  }
}
