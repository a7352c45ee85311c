// Walks over the index, home after home: all slots of the entries that are at home in a bucket come
// together, those that are displaced too. So a key, which has one home for ever, is met in one part
// of the walk only, however often it leaves its slot and gets another. Called by EntryWalk.
// Invariant: an entry that keeps its slot while the walk lasts has it among the slots of its home.
// A slot may show another entry by the time it is read: the caller compares the home.
//
// Displaced entries are looked for in the whole index, once for each group of homes, before the
// first of these: which bucket has them does not follow from their home.
import { setImmediate } from "../../base/mod.js";
import type { ThreadCore } from "../../entries/mod.js";
import { codes } from "../../kernel/mod.js";

/** Homes for which the displaced entries are remembered at once, 8 bytes for each. */
const homesPerGroup = 2 ** 18;
/** Of one part of the walk, which takes well under a millisecond. */
const homesPerPart = 4096;
export const slotsPerPart = 128;
/** Buckets searched for displaced entries before other work may run. */
const bucketsPerTurn = 16_384;
/** Above every slot number. */
const slotLimit = 2 ** 32;

/** A slot that had an entry of this home. */
export interface HomeSlot {
  readonly home: number;
  readonly slot: number;
}

/** Lets other work of the event loop run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

export class IndexWalk {
  readonly #core: ThreadCore;
  /** The next home, and the first of the next group. */
  #home = 0;
  #groupEnd = 0;
  /** The displaced entries of the group by their homes, as (home - first) × slotLimit + slot. */
  #displaced = new Float64Array(0);
  #groupStart = 0;
  #nextDisplaced = 0;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  /** The slots of the next homes, none if those have no entries; undefined at the end. */
  async next(): Promise<HomeSlot[] | undefined> {
    const { bucketCount } = this.#core.kernel.geometry;
    if (this.#home >= bucketCount) return undefined;
    if (this.#home >= this.#groupEnd) await this.#beginGroup();
    const found: HomeSlot[] = [];
    const end = Math.min(this.#groupEnd, this.#home + homesPerPart);
    for (; this.#home < end && found.length < slotsPerPart; this.#home++) this.#collect(found);
    return found;
  }

  #collect(found: HomeSlot[]): void {
    const home = this.#home;
    const { slots } = this.#core.kernel;
    const first = slots.firstOf(home);
    for (let slot = first; slot < first + codes.bucketSlots; slot++) {
      if (slots.seatOf(slot) === "home") found.push({ home, slot });
    }
    for (; this.#nextDisplaced < this.#displaced.length; this.#nextDisplaced++) {
      const packed = this.#displaced[this.#nextDisplaced] as number;
      if (packed >= (home - this.#groupStart + 1) * slotLimit) return;
      found.push({ home, slot: packed % slotLimit });
    }
  }

  async #beginGroup(): Promise<void> {
    const { slots, verbs, geometry } = this.#core.kernel;
    const start = this.#home;
    const end = Math.min(geometry.bucketCount, start + homesPerGroup);
    const packed: number[] = [];
    for (let bucket = 0; bucket < geometry.bucketCount; bucket++) {
      if (bucket % bucketsPerTurn === bucketsPerTurn - 1) {
        await turn();
        this.#core.assertOpen();
      }
      const first = slots.firstOf(bucket);
      for (let slot = first; slot < first + codes.bucketSlots; slot++) {
        if (slots.seatOf(slot) !== "displaced") continue;
        const home = verbs.homeOfEntry(slot);
        if (home >= start && home < end) packed.push((home - start) * slotLimit + slot);
      }
    }
    this.#displaced = Float64Array.from(packed).sort();
    this.#nextDisplaced = 0;
    this.#groupStart = start;
    this.#groupEnd = end;
  }
}
