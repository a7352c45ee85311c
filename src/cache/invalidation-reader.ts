// What this thread has to know of writes to values that it finds without a look at their slots (kept-keys.ts, built-keys.ts):
// they are noted in the change log (kernel/assembly/invalidations.ts), whose last number is the only word that such a hit reads
// and a write changes. Called before each look there. Invariant: while `isCurrent` says so, nothing is noted that this
// thread has not read, no clear was made that it has not heard of, and the cache is open.
import { type Kernel, layout as at } from "../kernel/mod.js";

// Here and not where they are used: the compiler does not know the numbers of another module.
const stateWord = at.controlState / 4;
const epochWord = at.controlNearEpoch / 4;
const invalidationsWord = at.controlInvalidations / 8;
const { stateOpen } = at;
/** No number of a change: with it as the last one read, nothing is current any more. */
const never = -1;
/** Looks in a row that meet a change which is numbered and not written yet. Its writer needs some nanoseconds more, or it
 *  is off the processor or dead: then everything goes. */
const patience = 1000;
/** Turns of reading in one look: a log full of changes. */
const turnsMax = at.invalidationsMax / at.invalidationBatch;

/** Who keeps values. */
export interface InvalidationListener {
  /** True if there are none: then nothing has to be read. */
  isEmpty(): boolean;
  /** Lets go of the values of a hash, known by its low half. */
  forget(hashLow: number): void;
  /** Lets go of everything. */
  forgetAll(): void;
}

export class InvalidationReader {
  readonly #lastInvalidation: () => number;
  readonly #readInvalidations: (seen: number) => number;
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  /** Where readInvalidations puts the hashes. */
  readonly #invalidations: number;
  readonly #listener: InvalidationListener;
  #seen: number;
  #epoch: number;
  #waits = 0;

  constructor(kernel: Kernel, listener: InvalidationListener) {
    this.#listener = listener;
    this.#lastInvalidation = kernel.verbs.lastInvalidation;
    this.#readInvalidations = kernel.verbs.readInvalidations;
    this.#i32 = kernel.views.i32;
    this.#f64 = kernel.views.f64;
    this.#invalidations = (kernel.block + at.threadInvalidations) / 4;
    this.#seen = this.#lastInvalidation();
    this.#epoch = this.#i32[epochWord] as number;
  }

  /** Whether what is kept is what the cache holds at this moment: it is open, and what was written since the last look has
   *  been forgotten. One word tells, as a clear and the close are numbered too. */
  isCurrent(): boolean {
    return this.#f64[invalidationsWord] === this.#seen || this.#catchUp();
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
    if (this.#i32[stateWord] !== stateOpen) {
      this.#seen = never;
      return false;
    }
    if (this.#i32[epochWord] === this.#epoch) return isKnown;
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
      for (let change = 0; change < taken; change++) {
        this.#listener.forget(this.#i32[this.#invalidations + change] as number);
      }
      this.#waits = 0;
      this.#seen += taken;
      if (this.#seen === this.#f64[invalidationsWord]) return true;
    }
    this.#beginAnew();
    return true;
  }

  /** After a clear, too far behind, or behind a writer that does not go on: lets go of everything. What is added from here on
   *  is of no change before here: its writer would hold the key's lock still, or the slot would show it. */
  #beginAnew(): void {
    this.#listener.forgetAll();
    this.#waits = 0;
    this.#seen = this.#lastInvalidation();
    this.#epoch = this.#i32[epochWord] as number;
  }
}
