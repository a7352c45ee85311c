// The index as a walk over its slots reads it, and its bytes for the snapshot. Lookups are the kernel's (assembly/entries.ts).
import { recordHeaderSize } from "../../record/mod.js";
import * as at from "../layout.js";
import type { Geometry } from "../region.js";
import type { Views } from "./views.js";

const diskBit = 1 << (at.slotTierShift - 32);
const displacedBit = 1 << (at.slotDisplacedShift - 32);

/** What a slot shows: two halves of two moments are no word that a validation finds in it. */
export interface SlotWord {
  readonly low: number;
  readonly high: number;
}

export class IndexSlots {
  readonly #geometry: Geometry;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;

  constructor(views: Views, geometry: Geometry) {
    this.#geometry = geometry;
    this.#u8 = views.u8;
    this.#u32 = views.u32;
  }

  /** The slot numbers of a bucket; the first word of a bucket is its lock. */
  *slotsOf(bucket: number): Generator<number> {
    const first = bucket * (at.bucketSlots + 1);
    for (let slot = first + 1; slot <= first + at.bucketSlots; slot++) yield slot;
  }

  read(slot: number): SlotWord {
    const word = this.#geometry.bucketBase / 4 + slot * 2;
    return { low: this.#u32[word] as number, high: this.#u32[word + 1] as number };
  }

  /** The record in memory that a slot's word names, with the bytes it says it has; null if it names none. A size that does
   *  not fit its segment is 0: the record is being written anew. */
  recordOf(word: SlotWord): { readonly record: number; readonly size: number } | null {
    if (word.high === 0 || (word.high & diskBit) !== 0) return null;
    const { segmentBase, segmentBytes } = this.#geometry;
    const offset = (word.low & (2 ** at.locationOffsetBits - 1)) * 8;
    const segment = (word.low >>> at.locationOffsetBits) & (at.segmentCountMax - 1);
    const record = segmentBase + segment * segmentBytes + offset;
    const size = this.#u32[record / 4] as number;
    return { record, size: size < recordHeaderSize || offset + size > segmentBytes ? 0 : size };
  }

  /** Does the entry stand in its other bucket? */
  isDisplaced(word: SlotWord): boolean {
    return (word.high & displacedBit) !== 0;
  }

  /** The whole index. */
  bytes(): Uint8Array {
    const { bucketBase, bucketCount } = this.#geometry;
    return this.#u8.subarray(bucketBase, bucketBase + bucketCount * at.bucketSize);
  }
}
