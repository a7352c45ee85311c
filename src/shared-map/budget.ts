// Bounds how much a map holds. Every set asks before it writes anything. Invariant: live records
// leave enough of the segments unused that compacting the oldest ones always makes room for the
// next record.
import { type Kernel, codes } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";

/**
 * The share of the segments' bytes that live records may take. Cleaning the oldest segments of a
 * log this full moves about three bytes for each byte gained (Rosenblum and Ousterhout 1991,
 * section 3.4).
 */
const liveShare = 7 / 8;
/** Segments that live records may not use: one that fills and one that is being emptied. */
const spareSegments = 2;

export class Budget {
  readonly #kernel: Kernel;
  readonly #liveBytesMax: number;
  /** Bytes this thread may write before it adds up the live bytes again. */
  #allowance = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const { segmentCount, segmentBytes, reserveSegments } = kernel.geometry;
    const segments = segmentCount - reserveSegments - spareSegments;
    this.#liveBytesMax = Math.floor(segments * segmentBytes * liveShare);
  }

  /** Whether a record of `bytes` fits if it replaces one of `replaced` bytes (0 = none). */
  allows(bytes: number, replaced: number): boolean {
    this.#allowance -= bytes;
    if (this.#allowance >= 0 || bytes <= replaced) return true;
    const room = this.#liveBytesMax - this.#kernel.total(counter.counterMemoryBytes);
    if (bytes - replaced > room) return false;
    // So small that all threads together write at most one segment before they count again.
    const { segmentBytes } = this.#kernel.geometry;
    this.#allowance = Math.min(room, segmentBytes) / codes.threadsMax;
    return true;
  }
}
