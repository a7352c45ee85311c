// Near values by the very strings they are asked with, for callers that keep their key strings. Such a string carries its
// hash, so a Map finds the value without reading a character. Called by the near cache and the reader. Invariants: a part
// of the near cache's entries, so its bounds are the near cache's; a value answers only while the change reader says that
// all is current, and is added only when the kernel's `mayKeepNear` has just allowed it.

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

export class IdentityIndex {
  /** The values, and fillers, which are numbers. */
  readonly values: Map<string | number, unknown> = new Map();
  /** While callers build their strings anew nothing is kept here. */
  isOn = false;
  #fillers = 0;
  #fillersWanted = 0;

  /** Begins; `count` values are expected at first. */
  begin(count: number): void {
    this.isOn = true;
    this.#fillersWanted = fillersFor(count);
  }

  /** Ends, and lets go of everything. */
  end(): void {
    this.isOn = false;
    this.clear();
  }

  /** Adds a value: or part of the room for it, while some is wanting, or nothing when there are entriesMax.
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
    if (this.values.size === 0) return;
    this.#fillersWanted = fillersFor(this.values.size - this.#fillers);
    this.values.clear();
    this.#fillers = 0;
  }
}
