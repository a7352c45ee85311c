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
/** Values from which their Map is given room: a smaller one is in the processor's caches, chains and all. */
const roomyFrom = 1024;
/** A Map that grows stands still: for some milliseconds with as many fillers, and longer with more. */
const fillersMax = 2 ** 17;
/** Fillers that come in where one value would: each takes some tens of nanoseconds. */
const fillersAtOnce = 64;
/** Entries, fillers too: a Map of V8 has room for 2^24, and must have half of that free to do without more. */
const entriesMax = 2 ** 23;

/** Fillers that give as many values room: a power of two, one and a half to three times as many. */
function fillersFor(count: number): number {
  if (count < roomyFrom) return 0;
  return Math.min(fillersMax, 2 ** Math.ceil(Math.log2(1.5 * count)));
}

export class KeptKeys {
  readonly #takeChanges: (seen: number) => number;
  readonly #i32: Int32Array;
  /** Where takeChanges puts the hashes. */
  readonly #changes: number;
  /** The values, which count while `isCurrent` says so, and fillers, which are numbers. */
  readonly values: Map<string | number, unknown> = new Map();
  readonly #forget: (hashLow: number) => void;
  #seen: number;
  #epoch: number;
  #waits = 0;
  #fillers = 0;
  #fillersWanted: number;

  /** `count` values are expected at first. `forget` takes the values of a hash, known by its low half, out of `values`: who
   *  made this knows their keys. */
  constructor(kernel: Kernel, count: number, forget: (hashLow: number) => void) {
    this.#fillersWanted = fillersFor(count);
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

  /** Adds a value when the kernel's `mayKeep` has just allowed it: or part of the room for it, while some is wanting, or
   *  nothing when there are entriesMax.
   *
   *  V8 chains a Map's entries by their hashes, in half as many chains as the Map has room for entries, and doubles that room
   *  when it is full. So there are one to two entries a chain, and each that stands before the one asked for costs a look at
   *  its key, a string somewhere else in memory. With the fillers there are a third to two thirds of a value a chain. They
   *  are there first, because who comes later stands before them. */
  add(key: string, value: unknown): void {
    const { values } = this;
    if (this.#fillers < this.#fillersWanted) {
      for (let step = 0; step < fillersAtOnce; step++) values.set(this.#fillers++, undefined);
      return;
    }
    if (values.size >= entriesMax) return;
    values.set(key, value);
    const count = values.size - this.#fillers;
    if (count < roomyFrom || count < 0.75 * this.#fillers || this.#fillers === fillersMax) return;
    this.clear();
  }

  /** Lets go of everything. As many values as there were are expected again: so it is by values that were here that the
   *  fillers are paid for, however often this happens. */
  clear(): void {
    this.#fillersWanted = fillersFor(this.values.size - this.#fillers);
    this.values.clear();
    this.#fillers = 0;
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
    this.clear();
    this.#waits = 0;
    this.#epoch = this.#i32[epochWord] as number;
    this.#seen = this.#i32[changesWord] as number;
    return false;
  }
}
