// The index as a walk over its slots reads it, and packed for the snapshot. Called by the memory
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
  readonly #u32: Uint32Array;

  constructor(views: Views, geometry: Geometry) {
    this.#geometry = geometry;
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

  /** The whole index without what is empty, in chunks of up to `chunkBytes`, at least 1 KiB; each
   *  is valid until the next. No thread may write meanwhile. */
  *packed(chunkBytes: number): Generator<Uint8Array> {
    const words = this.#words();
    const chunk = Buffer.alloc(chunkBytes);
    let filled = 0;
    let empty = 0;
    for (let first = 0; first <= words.length; first += wordsPerBucket) {
      const mask = first === words.length ? 0 : maskOf(words, first);
      if (mask === 0 && first < words.length) {
        empty += 1;
        continue;
      }
      if (filled + emptyBytes + bucketBytesMax > chunkBytes) {
        yield chunk.subarray(0, filled);
        filled = 0;
      }
      if (empty > 0) {
        chunk[filled] = 0;
        filled = chunk.writeUInt32LE(empty, filled + 1);
        empty = 0;
      }
      if (mask === 0) break;
      chunk[filled++] = mask;
      for (let pair = 0; pair < wordsPerBucket / 2; pair++) {
        if ((mask & (1 << pair)) === 0) continue;
        if (pair > 0) filled = chunk.writeUInt32LE(words[first + pair * 2] as number, filled);
        filled = chunk.writeUInt32LE(words[first + pair * 2 + 1] as number, filled);
      }
    }
    yield chunk.subarray(0, filled);
  }

  /** Takes a packed index, in chunks cut anywhere, into this one, which is empty. */
  unpacker(): IndexUnpacker {
    return new IndexUnpacker(this.#words());
  }

  /** Empties an index that was not unpacked to its end. */
  empty(): void {
    this.#words().fill(0);
  }

  #words(): Uint32Array {
    const { bucketBase, bucketCount } = this.#geometry;
    const from = bucketBase / 4;
    return this.#u32.subarray(from, from + bucketCount * wordsPerBucket);
  }
}

// A packed index: for a bucket, a byte whose bit 0 says that it has displaced entries, and bits 1
// to 7 which slots it has; then the u32 displaced, then each slot, low half first. For a run of
// empty buckets, a byte 0 and their number, u32. Locks are left out.
const wordsPerBucket = at.bucketSize / 4;
const emptyBytes = 5;
const bucketBytesMax = 1 + 4 + at.bucketSlots * 8;

/** Of pair 0, lock and displaced, only the second counts. */
function maskOf(words: Uint32Array, first: number): number {
  let mask = words[first + 1] === 0 ? 0 : 1;
  for (let pair = 1; pair <= at.bucketSlots; pair++) {
    const word = first + pair * 2;
    if (((words[word] as number) | (words[word + 1] as number)) !== 0) mask |= 1 << pair;
  }
  return mask;
}

export class IndexUnpacker {
  readonly #words: Uint32Array;
  #next = 0;
  #rest = Buffer.alloc(0);

  constructor(words: Uint32Array) {
    this.#words = words;
  }

  /** Whether every bucket was given. */
  get isWhole(): boolean {
    return this.#next === this.#words.length && this.#rest.length === 0;
  }

  /** False if the bytes are not those of an index of this size. */
  add(bytes: Buffer): boolean {
    const chunk = Buffer.concat([this.#rest, bytes]);
    let from = 0;
    while (from < chunk.length) {
      const length = lengthAt(chunk, from);
      if (from + length > chunk.length) break;
      if (!this.#take(chunk, from)) return false;
      from += length;
    }
    this.#rest = Buffer.from(chunk.subarray(from));
    return true;
  }

  #take(chunk: Buffer, start: number): boolean {
    const words = this.#words;
    const mask = chunk[start] as number;
    if (mask === 0) {
      this.#next += chunk.readUInt32LE(start + 1) * wordsPerBucket;
      return this.#next <= words.length;
    }
    if (this.#next >= words.length) return false;
    let from = start + 1;
    for (let pair = 0; pair < wordsPerBucket / 2; pair++) {
      if ((mask & (1 << pair)) === 0) continue;
      const word = this.#next + pair * 2;
      if (pair > 0) {
        words[word] = chunk.readUInt32LE(from);
        from += 4;
      }
      words[word + 1] = chunk.readUInt32LE(from);
      from += 4;
    }
    this.#next += wordsPerBucket;
    return true;
  }
}

/** The bytes of the bucket, or of the run of empty ones, that begins at an offset. */
function lengthAt(chunk: Buffer, start: number): number {
  const mask = chunk[start] as number;
  if (mask === 0) return emptyBytes;
  let length = (mask & 1) === 0 ? 1 : 5;
  for (let slots = mask >>> 1; slots !== 0; slots &= slots - 1) length += 8;
  return length;
}
