// The identity index: near values by interned key, that is by the string object the caller keeps.
// V8 stores a string's hash in the string, so a Map finds the value without reading a character.
// Called by the near cache. Invariants: every value here is also in the near table, whose bounds
// hold. A value may answer only while the invalidation reader says that everything is current, and
// is added only right after the kernel's `mayKeepNear` allowed it.

/** Smaller Maps get no fillers: the processor's caches hold them, chains and all. */
const roomyFrom = 1024;
/** A Map stalls its thread while it grows: some milliseconds at this many fillers, then longer. */
const fillersMax = 2 ** 17;
/** Fillers added in place of one value; each takes some tens of nanoseconds. */
const fillersAtOnce = 64;
/** The most entries, fillers included. A V8 Map has room for 2^24, deleted ones included, and stays
 *  within it only if half of that is free. */
const entriesMax = 2 ** 23;

/** How many fillers to add for `count` values: a power of two, 1.5 to 3 times as many. */
function fillersFor(count: number): number {
  if (count < roomyFrom) return 0;
  return Math.min(fillersMax, 2 ** Math.ceil(Math.log2(1.5 * count)));
}

/** Properties come and go: only their names matter (ownCharacters). */
const names = Object.create(null) as Record<string, boolean>;

/** Returns `key`, which now holds its characters itself. A substring points into the larger string
 *  that it was cut from, and would keep that alive here. V8 keeps the name of a property in a table
 *  of its own and makes the string it was given point there, so the string stays the same
 *  object. */
function ownCharacters(key: string): string {
  names[key] = true;
  delete names[key];
  return key;
}

export class IdentityIndex {
  /** Values by key. Fillers are numbers with the value undefined. */
  readonly values: Map<string | number, unknown> = new Map();
  /** Off while callers use fresh keys: then nothing is kept here. */
  isOn = false;
  #fillers = 0;
  #fillersWanted = 0;

  /** Turns the index on; `count` values are expected at first. */
  begin(count: number): void {
    this.isOn = true;
    this.#fillersWanted = fillersFor(count);
  }

  /** Turns the index off and drops everything. */
  end(): void {
    this.isOn = false;
    this.clear();
  }

  /** Adds a value, or a batch of fillers while some are missing. Adds nothing at entriesMax.
   *
   *  V8 chains a Map's entries by hash, with half as many chains as it has room for entries, and
   *  doubles the room when it is full. So a chain has one to two entries, and each entry ahead of
   *  the one we want costs a compare with a string elsewhere in memory. With fillers a chain has
   *  only a third to two thirds of a value. Fillers go in first, since V8 puts later entries ahead
   *  of them. */
  add(key: string, value: unknown): void {
    const { values } = this;
    if (this.#fillers < this.#fillersWanted) {
      for (let step = 0; step < fillersAtOnce; step++) values.set(this.#fillers++, undefined);
      return;
    }
    if (values.size >= entriesMax) return;
    values.set(ownCharacters(key), value);
    const count = values.size - this.#fillers;
    if (count < roomyFrom || count < 0.75 * this.#fillers || this.#fillers === fillersMax) return;
    this.clear();
  }

  /** Drops everything and expects as many values again. So the number of values that were here pays
   *  for the fillers, however often this runs. */
  clear(): void {
    if (this.values.size === 0) return;
    this.#fillersWanted = fillersFor(this.values.size - this.#fillers);
    this.values.clear();
    this.#fillers = 0;
  }
}
