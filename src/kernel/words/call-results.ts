// The results of this thread's last kernel call (layout.ts, result words), for TypeScript callers.
// Each is valid until the next call. Only this thread writes and reads them, so they are getters.
import * as at from "../layout.js";
import type { Views } from "./views.js";

export class CallResults {
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #slot: number;
  readonly #slotLow: number;
  readonly #slotHigh: number;
  readonly #hashLow: number;
  readonly #hashHigh: number;
  readonly #record: number;
  readonly #recordSize: number;
  readonly #tagEpoch: number;
  readonly #tagSlot: number;
  readonly #unvisited: number;
  readonly #location: number;
  readonly #expires: number;
  readonly #sequence: number;
  readonly #change: number;

  /** `block` is the byte offset of the thread's block. */
  constructor(views: Views, block: number) {
    this.#u32 = views.u32;
    this.#f64 = views.f64;
    this.#slot = (block + at.resultSlot) / 4;
    this.#slotLow = (block + at.resultSlotLow) / 4;
    this.#slotHigh = (block + at.resultSlotHigh) / 4;
    this.#hashLow = (block + at.resultHashLow) / 4;
    this.#hashHigh = (block + at.resultHashHigh) / 4;
    this.#record = (block + at.resultRecord) / 4;
    this.#recordSize = (block + at.resultRecordSize) / 4;
    this.#tagEpoch = (block + at.resultTagEpoch) / 4;
    this.#tagSlot = (block + at.resultTagSlot) / 4;
    this.#unvisited = (block + at.resultUnvisited) / 4;
    this.#location = (block + at.resultLocation) / 8;
    this.#expires = (block + at.resultExpires) / 8;
    this.#sequence = (block + at.resultSequence) / 8;
    this.#change = (block + at.resultChange) / 8;
  }

  /** The slot's number. */
  get slot(): number {
    return this.#u32[this.#slot] as number;
  }

  /** The slot's word, without its frequency unless it names a disk location. */
  get slotLow(): number {
    return this.#u32[this.#slotLow] as number;
  }

  get slotHigh(): number {
    return this.#u32[this.#slotHigh] as number;
  }

  /** The key's hash. */
  get hashLow(): number {
    return this.#u32[this.#hashLow] as number;
  }

  get hashHigh(): number {
    return this.#u32[this.#hashHigh] as number;
  }

  /** Byte offset of the record in shared memory. */
  get record(): number {
    return this.#u32[this.#record] as number;
  }

  get recordSize(): number {
    return this.#u32[this.#recordSize] as number;
  }

  /** The tag epoch read before the record's tags were checked; valid only after a `find` of a
   *  record that has tags. */
  get tagEpoch(): number {
    return this.#u32[this.#tagEpoch] as number;
  }

  /** The slot of the tag that `invalidateTag` was given, or noTagSlot. */
  get tagSlot(): number {
    return this.#u32[this.#tagSlot] as number;
  }

  /** Slots that `sweep` could not visit, because a lock was taken. */
  get unvisited(): number {
    return this.#u32[this.#unvisited] as number;
  }

  /** The disk location of a disk hit. */
  get location(): number {
    return this.#f64[this.#location] as number;
  }

  /** Wall-clock milliseconds, 0 = never. */
  get expires(): number {
    return this.#f64[this.#expires] as number;
  }

  /** The sequence of the record that was published. */
  get sequence(): number {
    return this.#f64[this.#sequence] as number;
  }

  /** The number of the last publish or remove: of two changes of one key, in any threads, the later
   *  one has the larger number. */
  get change(): number {
    return this.#f64[this.#change] as number;
  }
}
