// The segment table, and a walk over the records of one segment. Called by the janitor, by writers
// in a foreground reclaim, and by a shared map's compaction. It only reads: the kernel writes these
// words.
import { recordSize, recordSizeMask } from "../../record/mod.js";
import * as at from "../layout.js";
import type { Geometry } from "../region.js";
import type { Views } from "./views.js";

export class SegmentTable {
  readonly #geometry: Geometry;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;

  constructor(views: Views, geometry: Geometry) {
    this.#geometry = geometry;
    this.#i32 = views.i32;
    this.#u32 = views.u32;
    this.#f64 = views.f64;
  }

  get count(): number {
    return this.#geometry.segmentCount;
  }

  #word(segment: number, field: number): number {
    return Atomics.load(this.#i32, (at.segmentTable + segment * at.segmentEntrySize + field) / 4);
  }

  #double(segment: number, field: number): number {
    return this.#f64[(at.segmentTable + segment * at.segmentEntrySize + field) / 8] as number;
  }

  /** `codes.segmentFree` and so on. */
  state(segment: number): number {
    return this.#word(segment, at.segmentState) & at.segmentStateMask;
  }

  /** Whether a segment is in this state. */
  hasState(state: number): boolean {
    for (let segment = 0; segment < this.count; segment++) {
      if (this.state(segment) === state) return true;
    }
    return false;
  }

  /** Whether a record of any of them lost its disk copy. */
  haveLostDiskCopies(): boolean {
    for (let segment = 0; segment < this.count; segment++) {
      if (this.hasDiskCopyLost(segment)) return true;
    }
    return false;
  }

  /** How often it was reused. */
  generation(segment: number): number {
    return this.#word(segment, at.segmentGeneration);
  }

  /** Whether the flusher is reading it. */
  isPinned(segment: number): boolean {
    return this.#word(segment, at.segmentPin) !== 0;
  }

  /** Whether a record in it lost its disk copy. */
  hasDiskCopyLost(segment: number): boolean {
    return this.#word(segment, at.segmentDiskCopyLost) !== 0;
  }

  /** Whether admission deferred a record in it. */
  hasDeferred(segment: number): boolean {
    return this.#word(segment, at.segmentDeferred) !== 0;
  }

  /** `codes.logSmall` or `codes.logMain`. */
  log(segment: number): number {
    return this.#word(segment, at.segmentLog);
  }

  /** The end of its records, in bytes from its start. */
  writeOffset(segment: number): number {
    return this.#word(segment, at.segmentWriteOffset);
  }

  flushedOffset(segment: number): number {
    return this.#word(segment, at.segmentFlushedOffset);
  }

  /** Bytes of records that no slot names any more. */
  deadBytes(segment: number): number {
    return this.#word(segment, at.segmentDeadBytes);
  }

  /** How many were sealed before it, and it: logs are read oldest first. */
  sealOrder(segment: number): number {
    return this.#double(segment, at.segmentSealOrder);
  }

  maxExpires(segment: number): number {
    return this.#double(segment, at.segmentMaxExpires);
  }

  maxSequence(segment: number): number {
    return this.#double(segment, at.segmentMaxSequence);
  }

  /** Whether every record in it has expired or was cleared. */
  isDead(segment: number, now: number, clearEpoch: number): boolean {
    return this.maxExpires(segment) <= now || this.maxSequence(segment) <= clearEpoch;
  }

  /** A walk over a segment's records from a byte offset to what is written now. The segment must
   *  not be reused meanwhile: pin it, claim it, or check its generation afterwards. */
  walk(segment: number, offset = 0): SegmentWalk {
    const { segmentBase, segmentBytes } = this.#geometry;
    const base = segmentBase + segment * segmentBytes;
    return new SegmentWalk(this.#u32, base, offset, this.writeOffset(segment));
  }
}

/** A walk's current record. `while (walk.next()) use(walk.record)`. */
export class SegmentWalk {
  readonly #u32: Uint32Array;
  readonly #base: number;
  readonly #end: number;
  /** Bytes from the segment's start to the record, and to the one after it. */
  offset = 0;
  nextOffset: number;
  /** The record's byte offset in shared memory, and its size. */
  record = 0;
  size = 0;

  constructor(u32: Uint32Array, base: number, from: number, end: number) {
    this.#u32 = u32;
    this.#base = base;
    this.#end = end;
    this.nextOffset = from;
  }

  /** The end of the walk, in bytes from the segment's start. */
  get end(): number {
    return this.#end;
  }

  /** Steps to the next record. False at the end, and at a size of 0: that is no record, and the
   *  walk would not advance. */
  next(): boolean {
    if (this.nextOffset >= this.#end) return false;
    const record = this.#base + this.nextOffset;
    const size = (this.#u32[(record + recordSize) >>> 2] as number) & recordSizeMask;
    if (size === 0) return false;
    this.offset = this.nextOffset;
    this.record = record;
    this.size = size;
    this.nextOffset += (size + 7) & ~7;
    return true;
  }
}
