// Reads the memory tier on one thread: keys in, records out. Called by the entry reader, by the
// disk tier to find a record's location, and by a shared map. Invariant: a lookup copies a record
// whole out of shared memory and validates its slot after. Results stay in `record` and `found`
// until the next lookup; only a SlotRef, which is a copy, may cross an await.
import { codes, type HashedKey, type Kernel, type Key, type KeyWindow } from "../kernel/mod.js";
import { RecordReader } from "../record/mod.js";

/** What a lookup found: a record in memory (in `record`), a disk location (in `found`), or
 *  nothing. */
export type Found = "memory" | "disk" | "none";

/** A slot as a lookup found it, with the disk location that it names (0 in memory). */
export interface SlotRef {
  readonly slot: number;
  readonly low: number;
  readonly high: number;
  readonly location: number;
}

/** A record that was read from disk, and the slot that named it. */
export interface StoredRecord {
  readonly record: RecordReader;
  readonly slot: SlotRef;
}

/** The slot that the last lookup found; reused, so that a hit allocates nothing. */
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

  /** Looks a key up and copies its record into `record`; `touch` counts the hit for eviction. A
   *  record that was torn or replaced meanwhile, or has the wrong size, is looked up again; after
   *  readRetriesMax attempts the answer is "none". Throws TypeError or RangeError if it is not a
   *  key. */
  find(key: Key, touch: boolean): Found {
    this.keys.write(key);
    return this.findWritten(touch);
  }

  /** As `find`, for a hashed key. */
  findHashed(key: HashedKey, touch: boolean): Found {
    this.keys.load(key);
    return this.#findBy(key.hashLow, key.hashHigh, touch);
  }

  /** As `find`, for the key just written to `keys`. */
  findWritten(touch: boolean): Found {
    const { results } = this.kernel;
    const isHashed = this.keys.isHashed;
    return this.#findBy(isHashed ? results.hashLow : 0, isHashed ? results.hashHigh : 0, touch);
  }

  #findBy(low: number, high: number, touch: boolean): Found {
    const { verbs, results } = this.kernel;
    const { keys, found } = this;
    if (keys.length < 0) return "none";
    // A hit counts once, and one search is enough: the near lookup may have done both.
    const mark = touch && !keys.isTouched ? 1 : 0;
    let known = keys.takeAnswer();
    keys.noteHashed();
    for (let attempt = 0; attempt < codes.readRetriesMax; attempt++) {
      const answer = known ?? verbs.find(keys.at, keys.extent, low, high, mark);
      known = undefined;
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

  /** The slot of the last lookup, for use after an await. */
  slotRef(): SlotRef {
    const { slot, low, high, location } = this.found;
    return { slot, low, high, location };
  }

  /** Whether the slot still has that word. The kernel fences first, so if it has, everything that
   *  was copied before is valid. */
  isCurrent({ slot, low, high }: SlotRef): boolean {
    return this.kernel.verbs.validate(slot, low, high) === 1;
  }

  /** For a walk over the index: copies the memory record that a slot names into `record`. False if
   *  it names none, or one that was cleared. A record that moves meanwhile is read at its new
   *  location. */
  readSlot(slot: number): boolean {
    const { slots } = this.kernel;
    const { found } = this;
    found.slot = slot;
    for (let attempt = 0; attempt < codes.readRetriesMax; attempt++) {
      const word = slots.read(slot);
      const named = slots.recordOf(word);
      if (named === null) return false;
      found.low = word.low;
      found.high = word.high;
      if (named.size === 0 || !this.#copy(named.record, named.size)) continue;
      return this.record.sequence > this.kernel.control.clearEpochOf(this.record.space);
    }
    return false;
  }

  /** For a walk over the index: what a slot names now, the record in `record` or the disk location
   *  in `found`. "busy" if that cannot be told for a moment: it changes all the time, or is a fill
   *  that is not confirmed. */
  visit(slot: number): Found | "busy" {
    const { slots } = this.kernel;
    const { found } = this;
    found.slot = slot;
    for (let attempt = 0; attempt < codes.readRetriesMax; attempt++) {
      const word = slots.read(slot);
      if (word.high === 0) return "none";
      found.low = word.low;
      found.high = word.high;
      found.location = slots.diskLocationOf(word);
      if (found.location > 0) return "disk";
      const named = slots.recordOf(word);
      if (named === null || named.size === 0 || !this.#copy(named.record, named.size)) continue;
      if (this.record.sequence === 0) return "busy";
      const isCleared = this.record.sequence <= this.kernel.control.clearEpochOf(this.record.space);
      return isCleared ? "none" : "memory";
    }
    return "busy";
  }

  #copy(record: number, size: number): boolean {
    this.kernel.records.copyTo(this.record, record, size);
    if (!this.isCurrent(this.found)) return false;
    this.record.parse(0);
    return true;
  }
}
