// Near values by the very strings they are asked with, for callers that keep their key strings. Such a string carries its
// hash, so a Map finds the value without reading a character, and without a look at the slot: what this thread has to
// know of writes is in the change log (kernel/assembly/changes.ts), whose last number is the only shared word that a hit
// reads. Called by the near cache. Invariants: a part of the near cache's entries, so its bounds are the near cache's; a
// value answers only while no change of its key is noted that this thread has not read.
import { type Kernel, layout as at } from "../kernel/mod.js";

// Here and not where they are used: the compiler does not know the numbers of another module.
const stateWord = at.controlState / 4;
const epochWord = at.controlNearEpoch / 4;
const changesWord = at.controlChanges / 4;
const { stateOpen } = at;
/** Looks in a row that meet a change which is numbered and not written yet. Its writer needs some nanoseconds more, or it
 *  is off the processor or dead: then everything goes. */
const patience = 1000;
/** Turns of reading in one look: a log full of changes. */
const turnsMax = at.changesMax / at.changeBatch;

export class KeptKeys {
  readonly #takeChanges: (seen: number) => number;
  readonly #i32: Int32Array;
  /** Where takeChanges puts the hashes. */
  readonly #changes: number;
  /** The values; they count while `isCurrent` says so. One is added when the kernel's `mayKeep` has just allowed it. */
  readonly values: Map<string, unknown> = new Map();
  readonly #forget: (hashLow: number) => void;
  #seen: number;
  #epoch: number;
  #waits = 0;

  /** `forget` takes the values of a hash, known by its low half, out of `values`: who made this knows their keys. */
  constructor(kernel: Kernel, forget: (hashLow: number) => void) {
    this.#forget = forget;
    this.#takeChanges = kernel.verbs.takeChanges;
    this.#i32 = kernel.views.i32;
    this.#changes = (kernel.block + at.threadChanges) / 4;
    this.#epoch = this.#i32[epochWord] as number;
    this.#seen = this.#i32[changesWord] as number;
  }

  /** Whether the values are what the cache holds at this moment: it is open, and what was written since the last look has
   *  been forgotten here. */
  isCurrent(): boolean {
    const i32 = this.#i32;
    return (
      (i32[changesWord] === this.#seen &&
        i32[epochWord] === this.#epoch &&
        i32[stateWord] === stateOpen) ||
      this.#catchUp()
    );
  }

  /** Forgets what was written since the last look. False if that is not all known yet: then nothing here may answer. */
  #catchUp(): boolean {
    const i32 = this.#i32;
    if (i32[stateWord] !== stateOpen) return false;
    if (i32[epochWord] !== this.#epoch) return this.#beginAnew();
    for (let turn = 0; turn < turnsMax; turn++) {
      const taken = this.#takeChanges(this.#seen);
      if (taken < 0) break;
      if (taken === 0) {
        this.#waits += 1;
        if (this.#waits > patience) break;
        return false;
      }
      for (let change = 0; change < taken; change++) {
        this.#forget(i32[this.#changes + change] as number);
      }
      this.#waits = 0;
      this.#seen = (this.#seen + taken) | 0;
      if (this.#seen === i32[changesWord]) return true;
    }
    return this.#beginAnew();
  }

  /** After a clear, too far behind, or behind a writer that does not go on: lets go of everything. What is added from here on
   *  is of no change before here: its writer would hold the key's lock still, or the slot would show it. */
  #beginAnew(): false {
    this.values.clear();
    this.#waits = 0;
    this.#epoch = this.#i32[epochWord] as number;
    this.#seen = this.#i32[changesWord] as number;
    return false;
  }
}
