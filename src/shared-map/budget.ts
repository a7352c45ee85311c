// How much a map may hold. Asked by every set, before anything is written. Invariant: live records leave so much of the
// segments over that emptying the oldest ones always brings room for the next.
import { type Kernel, codes } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";

/** Of the segments' bytes, live records may take this share. Cleaning the oldest segments of a log that is so full moves
 *  about three bytes for each byte gained (Rosenblum and Ousterhout 1991, section 3.4). */
const liveShare = 7 / 8;
/** Segments that live records may not count on: one that fills and one that is being emptied. */
const spareSegments = 2;

export class Budget {
  readonly #kernel: Kernel;
  readonly #liveBytesMax: number;
  /** Bytes this thread may write before it adds the live bytes up again. */
  #allowance = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const { segmentCount, segmentBytes, reserveSegments } = kernel.geometry;
    const segments = segmentCount - reserveSegments - spareSegments;
    this.#liveBytesMax = Math.floor(segments * segmentBytes * liveShare);
  }

  /** Is there room for a record of this size in place of one of `replaced` bytes (0: of none)? */
  allows(bytes: number, replaced: number): boolean {
    this.#allowance -= bytes;
    if (this.#allowance >= 0 || bytes <= replaced) return true;
    const room = this.#liveBytesMax - this.#kernel.total(counter.counterMemoryBytes);
    if (bytes - replaced > room) return false;
    // So small that all threads together write no more than a segment that none of them has counted.
    const { segmentBytes } = this.#kernel.geometry;
    this.#allowance = Math.min(room, segmentBytes) / codes.threadsMax;
    return true;
  }
}
