// What this thread has to know of writes to values that it finds without a look at their slots (kept-keys.ts, built-keys.ts):
// they are noted in the change log (kernel/assembly/invalidations.ts), whose last number is the only word that such a hit reads
// and a write changes. Called before each look there. Invariant: while `isCurrent` says so, nothing is noted that this
// thread has not read, no clear was made that it has not heard of, and the cache is open.
import { codes, type ControlBlock, type Kernel } from "../kernel/mod.js";

/** No number of a change: with it as the last one read, nothing is current any more. */
const never = -1;
/** Looks in a row that meet a change which is numbered and not written yet. Its writer needs some nanoseconds more, or it
 *  is off the processor or dead: then everything goes. */
const patience = 1000;
/** Turns of reading in one look: a log full of changes. */
const turnsMax = codes.invalidationsMax / codes.invalidationBatch;

/** Who keeps values. */
export interface InvalidationListener {
  /** True if there are none: then nothing has to be read. */
  isEmpty(): boolean;
  /** Lets go of the values of a hash, known by its low half. */
  invalidate(hashLow: number): void;
  /** Lets go of everything. */
  invalidateAll(): void;
}

export class InvalidationReader {
  readonly #lastInvalidation: () => number;
  readonly #readInvalidations: (seen: number) => number;
  readonly #control: ControlBlock;
  /** The number of the last invalidation, at element 0. */
  readonly #last: Float64Array;
  /** Where readInvalidations puts the hashes. */
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

  /** Whether what is kept is what the cache holds at this moment: it is open, and what was written since the last look has
   *  been forgotten. One word tells, as a clear and the close are numbered too. */
  isCurrent(): boolean {
    return this.#last[0] === this.#seen || this.#catchUp();
  }

  /** Nothing is current any more: this thread has left the cache. */
  end(): void {
    this.#seen = never;
  }

  /** Forgets what was written since the last look. False if that is not all known yet: then nothing kept may answer. */
  #catchUp(): boolean {
    // The kernel must not be called after the end: this thread's block may be another's by then.
    if (this.#seen === never) return false;
    const isKnown = this.#readAll();
    // The epoch and the state change before they are numbered, so what has been read now shows in them; the numbers
    // first, and by the kernel, since a processor may load a later word before an earlier one.
    if (!this.#control.isOpen()) {
      this.#seen = never;
      return false;
    }
    if (this.#control.nearEpoch() === this.#epoch) return isKnown;
    this.#beginAnew();
    return false;
  }

  /** Reads all changes up to the last; false if that one is not written yet. */
  #readAll(): boolean {
    if (this.#listener.isEmpty()) {
      this.#seen = this.#lastInvalidation();
      return true;
    }
    for (let turn = 0; turn < turnsMax; turn++) {
      const taken = this.#readInvalidations(this.#seen);
      if (taken < 0) break;
      if (taken === 0) {
        this.#waits += 1;
        if (this.#waits > patience) break;
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

  /** After a clear, too far behind, or behind a writer that does not go on: lets go of everything. What is added from here on
   *  is of no change before here: its writer would hold the key's lock still, or the slot would show it. */
  #beginAnew(): void {
    this.#listener.invalidateAll();
    this.#waits = 0;
    this.#seen = this.#lastInvalidation();
    this.#epoch = this.#control.nearEpoch();
  }
}
