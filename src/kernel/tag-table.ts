// The tag table as TypeScript uses it: hashes of tags, look-ups, what the directory must write
// down, and what waits for a sweep. The kernel changes the table (assembly/tags/tag-table.ts).
import {
  encodeTags,
  recordTagsMax,
  tagsHeaderSize,
  type TagHash,
  type TagHasher,
} from "../record/mod.js";
import * as at from "./layout.js";
import * as tagAt from "./tag-layout.js";
import type { Geometry } from "./region.js";
import type { Views } from "./words/views.js";

/** The most bytes of a tags field up to the end of its hashes; the kernel reads no further. */
const tagHashesMax = tagsHeaderSize + recordTagsMax * 8;
/** Bytes of a hash, which goes before the next part of a long name. */
const hashBytes = 8;

/** The kernel's verbs that it uses. */
interface TagVerbs {
  readonly hashTag: (name: number, length: number) => void;
  readonly checkTags: (field: number, sequence: number) => number;
}

/** A slot's content: a tag's hash and its newest invalidation. */
export interface TrackedTag {
  readonly hash: bigint;
  readonly sequence: bigint;
}

export class TagTable {
  /** How many tags it has slots for. */
  readonly capacity: number;
  readonly #verbs: TagVerbs;
  readonly #views: Views;
  readonly #base: number;
  readonly #scratch: number;
  readonly #hash: number;

  /** `block` is the byte offset of the thread's block. */
  constructor(verbs: TagVerbs, views: Views, geometry: Geometry, block: number) {
    this.capacity = geometry.tagBuckets * tagAt.tagBucketSlots;
    this.#verbs = verbs;
    this.#views = views;
    this.#base = geometry.tagBase;
    this.#scratch = block + at.threadTagScratch;
    this.#hash = (block + at.resultTagHash) / 4;
  }

  /** The hash of a tag's name. A long name is hashed in parts, each after the hash of those before
   *  it. */
  readonly hashOf: TagHasher = (bytes, from, to) => {
    let hash = this.#hashPart(bytes, from, Math.min(to, from + at.tagScratchSize), 0);
    const { u32 } = this.#views;
    const step = at.tagScratchSize - hashBytes;
    for (let next = from + at.tagScratchSize; next < to; next += step) {
      u32[this.#scratch / 4] = hash.low;
      u32[this.#scratch / 4 + 1] = hash.high;
      hash = this.#hashPart(bytes, next, Math.min(to, next + step), hashBytes);
    }
    return hash;
  };

  /** Hashes what is in the scratch before `offset`, and the bytes after it. */
  #hashPart(bytes: Uint8Array, from: number, to: number, offset: number): TagHash {
    const { u8, u32 } = this.#views;
    let end = this.#scratch + offset;
    // A call that copies takes longer for so few bytes.
    for (let byte = from; byte < to; byte++) u8[end++] = bytes[byte] as number;
    this.#verbs.hashTag(this.#scratch, end - this.#scratch);
    return { low: u32[this.#hash] as number, high: u32[this.#hash + 1] as number };
  }

  /** The tags field of a record (record/tags.ts). */
  encode(tags: readonly string[]): Buffer {
    return encodeTags(tags, this.hashOf);
  }

  /** Whether a tag of this field (RecordReader.tagsField) was invalidated at `sequence` or
   *  later. */
  areInvalidated(field: Uint8Array, sequence: number): boolean {
    // Not the key's scratch: the key there may be looked up once more.
    this.#views.u8.set(field.subarray(0, tagHashesMax), this.#scratch);
    return this.#verbs.checkTags(this.#scratch, sequence) === 1;
  }

  /** As `areInvalidated`, for the hashes of a disk record, 8 bytes each. */
  areHashesInvalidated(hashes: Uint8Array, sequence: number): boolean {
    const { u8, u32 } = this.#views;
    u32[this.#scratch / 4] = hashes.length / hashBytes;
    u8.set(hashes, this.#scratch + tagsHeaderSize);
    return this.#verbs.checkTags(this.#scratch, sequence) === 1;
  }

  /** What a slot holds; null if it is free. */
  slot(number: number): TrackedTag | null {
    const { u64 } = this.#views;
    const bucket = Math.floor(number / tagAt.tagBucketSlots);
    const word = (this.#base + bucket * tagAt.tagBucketSize) / 8 + (number % tagAt.tagBucketSlots);
    for (;;) {
      const hash = Atomics.load(u64, word + tagAt.tagHashes / 8);
      const sequence = Atomics.load(u64, word + tagAt.tagSequences / 8);
      if (hash === 0n) return null;
      // Another tag took the slot in between: look again.
      if (Atomics.load(u64, word + tagAt.tagHashes / 8) === hash) return { hash, sequence };
    }
  }

  /** How many tags it holds. A thread that died may count for one too many. */
  tracked(): number {
    return Math.min(this.capacity, Atomics.load(this.#views.i32, at.controlTagsTracked / 4));
  }

  /** Tagged records up to this sequence are invalidated, whatever their tags. */
  floor(): number {
    return Number(Atomics.load(this.#views.u64, at.controlTagFloor / 8));
  }

  /** Raises what every thread's floor on disk must be at least; answers it. */
  raiseFileFloor(sequence: number): number {
    const { u64 } = this.#views;
    const word = at.controlTagFileFloor / 8;
    const wanted = BigInt(sequence);
    for (let seen = Atomics.load(u64, word); ;) {
      if (seen >= wanted) return Number(seen);
      const was = Atomics.compareExchange(u64, word, seen, wanted);
      if (was === seen) return sequence;
      seen = was;
    }
  }

  /** How many sweeps have ended after which tags were forgotten; `waitForSweep` takes this. */
  sweeps(): number {
    return Atomics.load(this.#views.i32, at.controlTagSweeps / 4);
  }

  /** Blocks until a sweep has ended after `seen`, for at most `ms`; whether one has. */
  waitForSweep(seen: number, ms: number): boolean {
    return Atomics.wait(this.#views.i32, at.controlTagSweeps / 4, seen, ms) !== "timed-out";
  }

  /** Tells the threads that wait that tags were forgotten. */
  noteSweep(): void {
    Atomics.add(this.#views.i32, at.controlTagSweeps / 4, 1);
    Atomics.notify(this.#views.i32, at.controlTagSweeps / 4);
  }
}
