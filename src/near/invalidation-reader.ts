// Reads the invalidation log (kernel/assembly/invalidations.ts) for the identity index and the near
// hash index, which answer without looking at a slot. The log's last number is the only shared word
// that such a hit reads. Called before each lookup there. Invariant: while `isCurrent` is true,
// this thread has read every invalidation, knows of every clear, and the cache is open.
import { codes, type ControlBlock, type Kernel } from "../kernel/mod.js";

/** Not an invalidation number: with this as the last one read, nothing is current again. */
const never = -1;
/** Lookups in a row that may find an invalidation numbered but not written yet. Its writer needs
 *  some nanoseconds, unless it was descheduled or died. Past this bound we drop everything. */
const waitsMax = 1000;
/** Batches read in one lookup: together they hold a full log. */
const batchesMax = codes.invalidationsMax / codes.invalidationBatch;

/** Holds the values that invalidations end. */
export interface InvalidationListener {
  /** True if there is no value: then nothing has to be read. */
  isEmpty(): boolean;
  /** Drops the values of one hash, given by its low half. */
  invalidate(hashLow: number): void;
  /** Drops everything in the indexes. */
  invalidateAll(): void;
  /** Drops everything that is kept: the cache was cleared or closed. */
  drop(): void;
}

export class InvalidationReader {
  readonly #lastInvalidation: () => number;
  readonly #readInvalidations: (seen: number) => number;
  readonly #control: ControlBlock;
  /** The number of the last invalidation, at element 0; every writing thread changes it. */
  readonly #last: Float64Array;
  /** Where readInvalidations puts the low halves of the hashes. */
  readonly #hashes: Int32Array;
  readonly #listener: InvalidationListener;
  #seen: number;
  #epoch: number;
  #waits = 0;

  constructor(kernel: Kernel, listener: InvalidationListener) {
    this.#listener = listener;
    this.#lastInvalidation = kernel.verbs.lastInvalidation;
    this.#readInvalidations = kernel.verbs.readInvalidations;
    this.#control = kernel.control;
    this.#last = kernel.control.lastInvalidation;
    this.#hashes = kernel.readInvalidations;
    this.#seen = this.#lastInvalidation();
    this.#epoch = this.#control.nearEpoch();
  }

  /** Whether kept values are what the cache holds now: the cache is open, and whatever was written
   *  since the last call has been dropped. One word tells: a clear and a close are numbered too. */
  isCurrent(): boolean {
    return this.#last[0] === this.#seen || this.#catchUp();
  }

  /** Ends this reader: the thread has left the cache, and nothing is current again. */
  end(): void {
    this.#seen = never;
  }

  /** Drops what was written since the last call. False if that is not all known yet: then no kept
   *  value may answer. */
  #catchUp(): boolean {
    // The kernel must not be called after the end: the thread's block may be another's by then.
    if (this.#seen === never) return false;
    const isKnown = this.#readAll();
    // The epoch and the state are written before they are numbered, so what we have just read is
    // visible in them. The numbers come first, and through the kernel's atomic loads, since a
    // processor may load a later word before an earlier one.
    if (!this.#control.isOpen()) {
      this.#seen = never;
      this.#listener.drop();
      return false;
    }
    if (this.#control.nearEpoch() === this.#epoch) return isKnown;
    this.#listener.drop();
    this.#beginAnew();
    return false;
  }

  /** Reads all invalidations up to the last; false if that one is not written yet. */
  #readAll(): boolean {
    if (this.#listener.isEmpty()) {
      this.#seen = this.#lastInvalidation();
      return true;
    }
    for (let batch = 0; batch < batchesMax; batch++) {
      const taken = this.#readInvalidations(this.#seen);
      if (taken < 0) break;
      if (taken === 0) {
        this.#waits += 1;
        if (this.#waits > waitsMax) break;
        return false;
      }
      for (let index = 0; index < taken; index++) {
        this.#listener.invalidate(this.#hashes[index] as number);
      }
      this.#waits = 0;
      this.#seen += taken;
      if (this.#seen === this.#last[0]) return true;
    }
    this.#beginAnew();
    return true;
  }

  /** Drops everything: after a clear, when too far behind, or when a writer stalled. A value added
   *  after this cannot be stale by an earlier write: its writer would still hold the key's lock, or
   *  the slot would show the write. */
  #beginAnew(): void {
    this.#listener.invalidateAll();
    this.#waits = 0;
    this.#seen = this.#lastInvalidation();
    this.#epoch = this.#control.nearEpoch();
  }
}
