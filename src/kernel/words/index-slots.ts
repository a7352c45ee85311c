// The index as a walk over its slots reads it, and its bytes for the snapshot. Called by the memory
// reader, a shared map and the snapshot. The kernel does the lookups (assembly/index/lookup.ts).
import { recordHeaderSize, recordSizeMask } from "../../record/mod.js";
import * as at from "../layout.js";
import type { Geometry } from "../region.js";
import type { Views } from "./views.js";

const diskBit = 1 << (at.slotTierShift - 32);
const displacedBit = 1 << (at.slotDisplacedShift - 32);

/** A slot's word. Its halves may be read at two moments; the validation that follows rejects such a
 *  mix. */
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

  /** The slot numbers of a bucket; the first 8 bytes of a bucket are its lock and displaced
   *  count. */
  *slotsOf(bucket: number): Generator<number> {
    const first = bucket * (at.bucketSlots + 1);
    for (let slot = first + 1; slot <= first + at.bucketSlots; slot++) yield slot;
  }

  /** The first slot of a bucket; it has `codes.bucketSlots`, one after the other. */
  firstOf(bucket: number): number {
    return bucket * (at.bucketSlots + 1) + 1;
  }

  /** The bucket that is home to keys with this high half of a hash. */
  homeOf(hashHigh: number): number {
    return Math.floor((hashHigh * this.#geometry.bucketCount) / 2 ** 32);
  }

  /** What a slot says of its entry, without the word that a validation needs: "empty", "home" or
   *  "displaced". */
  seatOf(slot: number): "empty" | "home" | "displaced" {
    const high = this.#u32[this.#geometry.bucketBase / 4 + slot * 2 + 1] as number;
    if (high === 0) return "empty";
    return (high & displacedBit) === 0 ? "home" : "displaced";
  }

  read(slot: number): SlotWord {
    const word = this.#geometry.bucketBase / 4 + slot * 2;
    return { low: this.#u32[word] as number, high: this.#u32[word + 1] as number };
  }

  /** The memory record that a slot's word names, with its size; null if the word names none. A size
   *  that does not fit its segment is answered as 0: the record is being overwritten. */
  recordOf(word: SlotWord): { readonly record: number; readonly size: number } | null {
    if (word.high === 0 || (word.high & diskBit) !== 0) return null;
    const { segmentBase, segmentBytes } = this.#geometry;
    const offset = (word.low & (2 ** at.locationOffsetBits - 1)) * 8;
    const segment = (word.low >>> at.locationOffsetBits) & (at.segmentCountMax - 1);
    const record = segmentBase + segment * segmentBytes + offset;
    const size = (this.#u32[record / 4] as number) & recordSizeMask;
    return { record, size: size < recordHeaderSize || offset + size > segmentBytes ? 0 : size };
  }

  /** How often the entry of a slot's word was hit: 0 to slotFrequencyMax. */
  frequencyOf({ high }: SlotWord): number {
    return (high >>> (at.slotFrequencyShift - 32)) & at.slotFrequencyMax;
  }

  /** The disk location that a slot's word names, 0 if it names none. */
  diskLocationOf({ low, high }: SlotWord): number {
    return (high & diskBit) === 0 ? 0 : (high & (diskBit - 1)) * 2 ** 32 + low;
  }

  /** Whether the entry is in its other bucket. */
  isDisplaced(word: SlotWord): boolean {
    return (word.high & displacedBit) !== 0;
  }

  /** The whole index. */
  bytes(): Uint8Array {
    const { bucketBase, bucketCount } = this.#geometry;
    return this.#u8.subarray(bucketBase, bucketBase + bucketCount * at.bucketSize);
  }
}
