// Reading the memory tier on one thread: keys in, records out. Called by the entry reader, by the disk tier, which asks where a
// record is, and by a shared map. Invariant: what a lookup leaves in `record` was copied whole out of shared memory and
// validated after. A lookup's results stand in `record` and `found` until the next one: nothing of them may cross an await but
// a SlotRef, which is a copy.
import { codes, type HashedKey, type Kernel, type Key, type KeyWindow } from "../kernel/mod.js";
import { RecordReader } from "../record/mod.js";

/** What a lookup found: a record in memory (in `record`), a location on disk (in `found`), or nothing. */
export type Found = "memory" | "disk" | "none";

/** A slot as a lookup found it, with the disk location that it names (0 in memory). */
export interface SlotRef {
  readonly slot: number;
  readonly low: number;
  readonly high: number;
  readonly location: number;
}

/** The slot that the last lookup found; a hit makes no object. */
interface FoundSlot {
  slot: number;
  low: number;
  high: number;
  location: number;
}

export class MemoryReader {
  readonly kernel: Kernel;
  readonly keys: KeyWindow;
  /** The last record read. */
  readonly record: RecordReader;
  /** The slot of the last lookup that found something. */
  readonly found: FoundSlot = { slot: 0, low: 0, high: 0, location: 0 };

  constructor(kernel: Kernel, keys: KeyWindow) {
    this.kernel = kernel;
    this.keys = keys;
    this.record = new RecordReader(4096, kernel.control.createdBaseMs);
  }

  /** Looks a key up and copies its record into `record`. `touch` counts the hit for eviction. A record that is larger than it
   *  says, torn or replaced meanwhile is looked up again; after readRetriesMax attempts the answer is "none". Throws TypeError or
   *  RangeError if the key is none. */
  find(key: Key, touch: boolean): Found {
    this.keys.write(key);
    return this.findWritten(touch);
  }

  /** As `find`, for a key that was read before. */
  findHashed(key: HashedKey, touch: boolean): Found {
    this.keys.load(key);
    return this.#findBy(key.hashLow, key.hashHigh, touch);
  }

  /** As `find`, for the key that was just written to `keys`. */
  findWritten(touch: boolean): Found {
    const { results } = this.kernel;
    const isHashed = this.keys.isHashed;
    return this.#findBy(isHashed ? results.hashLow : 0, isHashed ? results.hashHigh : 0, touch);
  }

  #findBy(low: number, high: number, touch: boolean): Found {
    const { verbs, results } = this.kernel;
    const { keys, found } = this;
    if (keys.length < 0) return "none";
    // A hit is counted once, whoever looks first.
    const mark = touch && !keys.isTouched ? 1 : 0;
    keys.noteHashed();
    for (let attempt = 0; attempt < codes.readRetriesMax; attempt++) {
      const answer = verbs.find(keys.at, keys.length, low, high, mark);
      if (answer === codes.answerMiss) return "none";
      found.low = results.slotLow;
      found.high = results.slotHigh;
      if (answer < 0) {
        found.slot = codes.answerDisk - answer;
        found.location = results.location;
        return "disk";
      }
      found.slot = answer;
      found.location = 0;
      if (this.#copy(results.record, results.recordSize)) return "memory";
    }
    return "none";
  }

  /** The slot of the last lookup, for what comes after an await. */
  slotRef(): SlotRef {
    const { slot, low, high, location } = this.found;
    return { slot, low, high, location };
  }

  /** Does a slot name what it named then? Also fences, so that what was copied before counts. */
  isCurrent({ slot, low, high }: SlotRef): boolean {
    return this.kernel.verbs.validate(slot, low, high) === 1;
  }

  /** For a walk over the index: copies the memory record that a slot names into `record`; false if it names none, or one that was
   *  cleared. A record that is moved meanwhile is read where it went. */
  readSlot(slot: number): boolean {
    const { slots, control } = this.kernel;
    const { found } = this;
    found.slot = slot;
    for (let attempt = 0; attempt < codes.readRetriesMax; attempt++) {
      const word = slots.read(slot);
      const named = slots.recordOf(word);
      if (named === null) return false;
      found.low = word.low;
      found.high = word.high;
      if (named.size === 0 || !this.#copy(named.record, named.size)) continue;
      return this.record.sequence > control.clearEpoch();
    }
    return false;
  }

  #copy(record: number, size: number): boolean {
    this.kernel.records.copyTo(this.record, record, size);
    if (!this.isCurrent(this.found)) return false;
    this.record.parse(0);
    return true;
  }
}
