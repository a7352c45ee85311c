// The key window: where a thread writes a key for the kernel to hash and compare. That is the
// thread's scratch in shared memory or, for a longer key, its page of the slack. Called by readers,
// writers and the near cache. Invariant: the bytes, and what is known of the key, are
// valid only until the thread's next call. A hit costs about as much as an allocation, so nothing
// is allocated; `take` makes a HashedKey for use after the call.
import { alignUp, isWellFormed } from "../base/mod.js";
import { assertKey } from "../config/mod.js";
import { recordHeaderSize } from "../record/mod.js";
import { HashedKey, type Key } from "./hashed-key.js";
import type { Kernel, KernelVerbs } from "./kernel.js";
import * as at from "./layout.js";

// Below this length a loop over charCodeAt beats a call of the native encoder (measured: equal at
// 20 to 25 characters).
const loopLengthMax = 24;
const scratchCharsMax = at.keyScratchSize / 3;
/** Longer keys, in bytes, get no `hash`: the kernel's hash takes less time than a loop here. */
const hashedBytesMax = 256;
/** An odd number whose bits look random (2^32 over the golden ratio: Knuth, TAOCP 6.4). */
const multiplier = 0x9e3779b1;

const written = 0;
const hashed = 1;
const touched = 2;

/** No answer of a lookup that went on to the index. */
const none = at.answerKnown;

/** `write` answers this for a key that does not fit a segment with its record's header. */
export const keyTooLong: number = -1;

export class KeyWindow {
  readonly #kernel: Kernel;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #scratch: number;
  readonly #scratchView: Uint8Array;
  /** This thread's page of the slack. */
  readonly #page: number;
  readonly #seed: number;
  readonly #findKnown: KernelVerbs["findKnown"];
  readonly #encoder = new TextEncoder();
  /** Byte offset in shared memory of the key last written, and its length in bytes; a negative
   *  length says why it could not be written. */
  at: number;
  length = 0;
  /** The id of the namespace whose keys it takes. */
  readonly space: number;
  /** The same, as it is in an extent: above the bits of a key's length. */
  readonly spaceBits: number;
  /** What all key windows of the thread share, since they share the memory. */
  readonly #uses: { count: number };
  /** The kernel's progress with the key: written, hashed (the hash is in the results), or hit and
   *  counted. */
  #progress = written;
  /** What `findKnown` found of the key in the index, for the memory reader; else none. */
  #answer: number = none;
  /** The key that `load` put here last, and by which use: a later use has replaced it. */
  #loaded: HashedKey | undefined;
  #loadedBy = 0;
  /** The scratch as words. A key of up to hashedBytesMax bytes is at its start, padded with zeros
   *  to a whole word. */
  readonly words: Int32Array;
  /** A cheap hash of the key last written, if it is a string of up to hashedBytesMax bytes, else 0.
   *  It says where this thread may have the value without a kernel call. Collisions are easy to
   *  make on purpose, so whatever is found by it must be compared with the key. */
  hash = 0;

  /** `namespace` is the id of the namespace whose keys it takes. */
  constructor(kernel: Kernel, namespace = 0) {
    this.#kernel = kernel;
    this.space = namespace;
    this.spaceBits = namespace * 2 ** at.extentSpaceShift;
    this.#uses = kernel.keyUses;
    this.#findKnown = kernel.verbs.findKnown;
    this.#u8 = kernel.views.u8;
    this.#u32 = kernel.views.u32;
    this.#scratch = kernel.block + at.threadKeyScratch;
    this.#scratchView = this.#u8.subarray(this.#scratch, this.#scratch + at.keyScratchSize);
    this.#page = alignUp(kernel.geometry.totalBytes, 8) + kernel.thread * at.pageSize;
    const first = this.#scratch / 4;
    this.words = kernel.views.i32.subarray(first, first + at.keyScratchSize / 4);
    this.#seed = kernel.control.seedLow ^ Math.imul(namespace, multiplier);
    this.at = this.#scratch;
  }

  /** Writes a key's bytes at `this.at` and answers their count, or keyTooLong. Throws TypeError or
   *  RangeError if it is not a key. */
  write(key: Key): number {
    this.#uses.count += 1;
    this.#progress = written;
    this.#answer = none;
    return (this.length = typeof key === "string" ? this.#writeText(key) : this.#writeBytes(key));
  }

  /** Keys written so far, in all namespaces: a caller can tell whether the key it wrote is still
   *  here. */
  get writes(): number {
    return this.#uses.count;
  }

  /** The key's length and namespace, as the kernel's verbs take them. */
  get extent(): number {
    return this.length + this.spaceBits;
  }

  /** Whether the key's hash is in the kernel's results. */
  get isHashed(): boolean {
    return this.#progress >= hashed;
  }

  /** Whether its hit has been counted. */
  get isTouched(): boolean {
    return this.#progress === touched;
  }

  /** Notes that the kernel has hashed the key. */
  noteHashed(): void {
    if (this.#progress < hashed) this.#progress = hashed;
  }

  /** Whether the slot of the key just written shows a word, that of the record that a near value
   *  was decoded from; counts the hit. If not, the index has been searched: `takeAnswer`. */
  findKnown(low: number, high: number): boolean {
    if (this.length <= 0) return false;
    const { results } = this.#kernel;
    const isHashed = this.isHashed;
    const hashLow = isHashed ? results.hashLow : 0;
    const hashHigh = isHashed ? results.hashHigh : 0;
    const answer = this.#findKnown(this.at, this.extent, hashLow, hashHigh, low, high);
    this.#progress = touched;
    this.#answer = answer;
    return answer === at.answerKnown;
  }

  /** What `findKnown` found in the index in place of the word, once; undefined if it has not
   *  searched there. */
  takeAnswer(): number | undefined {
    const answer = this.#answer;
    this.#answer = none;
    return answer === none ? undefined : answer;
  }

  /** The low half of the kernel's hash of the key just written; 0 if it is too long to be one. */
  kernelHash(): number {
    if (this.length <= 0) return 0;
    if (!this.isHashed) this.#kernel.verbs.hashKey(this.at, this.extent);
    this.noteHashed();
    return this.#kernel.results.hashLow | 0;
  }

  #writeText(key: string): number {
    const length = key.length;
    this.at = this.#scratch;
    if (length > loopLengthMax || length === 0) return this.#encode(key);
    // Stores whole words, four characters each, as if all were ASCII. If one was not, the encoder
    // does it again.
    const u32 = this.#u32;
    let every = 0;
    let index = 0;
    let word = this.#scratch >>> 2;
    let hash = this.#seed ^ length;
    const whole = length & ~3;
    for (; index < whole; index += 4) {
      const a = key.charCodeAt(index);
      const b = key.charCodeAt(index + 1);
      const c = key.charCodeAt(index + 2);
      const d = key.charCodeAt(index + 3);
      every |= a | b | c | d;
      const four = a | (b << 8) | (c << 16) | (d << 24);
      u32[word++] = four;
      hash = mix(hash, four);
    }
    let tail = 0;
    for (let shift = 0; index < length; index++, shift += 8) {
      const code = key.charCodeAt(index);
      every |= code;
      tail |= code << shift;
    }
    u32[word] = tail;
    this.hash = mix(hash, tail);
    return every < 128 ? length : this.#encode(key);
  }

  #encode(key: string): number {
    if (key.length <= scratchCharsMax && key.length > 0) {
      const { written } = this.#encoder.encodeInto(key, this.#scratchView);
      // If there are as many bytes as characters, all were ASCII. Else the encoder may have
      // replaced a lone surrogate.
      if (written !== key.length && !isWellFormed(key)) assertKey(key);
      this.hash = written <= hashedBytesMax ? this.#hashWritten(written) : 0;
      return written;
    }
    this.hash = 0;
    assertKey(key);
    return this.#writeLong(this.#encoder.encode(key));
  }

  /** The hash of the key that the encoder wrote. Clears the bytes after the key in its last
   *  word. */
  #hashWritten(length: number): number {
    const u32 = this.#u32;
    let word = this.#scratch >>> 2;
    let hash = this.#seed ^ length;
    for (const end = word + (length >>> 2); word < end; word++) {
      hash = mix(hash, u32[word] as number);
    }
    // An earlier key may have left bytes there.
    const tail = (u32[word] as number) & ((1 << ((length & 3) << 3)) - 1);
    u32[word] = tail;
    return mix(hash, tail);
  }

  #writeBytes(key: Uint8Array): number {
    assertKey(key);
    return this.#writeWhole(key);
  }

  #writeWhole(bytes: Uint8Array): number {
    this.hash = 0;
    if (bytes.length > at.keyScratchSize) return this.#writeLong(bytes);
    this.at = this.#scratch;
    this.#u8.set(bytes, this.#scratch);
    return bytes.length;
  }

  /** The key just written as a HashedKey: a copy of its bytes, and their hash. `key` is what was
   *  written. A key that is too long has no hash. */
  take(key: Key): HashedKey {
    if (this.length < 0) {
      const isText = typeof key === "string";
      return new HashedKey(isText ? Buffer.from(key, "utf8") : Buffer.from(key), isText, 0, 0);
    }
    const { verbs, results } = this.#kernel;
    if (!this.isHashed) verbs.hashKey(this.at, this.extent);
    this.noteHashed();
    const bytes = Buffer.allocUnsafe(this.length);
    bytes.set(this.#u8.subarray(this.at, this.at + this.length));
    const taken = new HashedKey(bytes, typeof key === "string", results.hashLow, results.hashHigh);
    this.#loaded = taken;
    this.#loadedBy = this.#uses.count;
    return taken;
  }

  /** Writes a key again, unless it is still here; answers as `write`. */
  load(key: HashedKey): number {
    if (this.#loaded === key && this.#loadedBy === this.#uses.count) return this.length;
    this.#loadedBy = this.#uses.count += 1;
    this.#progress = written;
    this.#answer = none;
    this.length = this.#writeWhole(key.bytes);
    this.#loaded = key;
    return this.length;
  }

  #writeLong(bytes: Uint8Array): number {
    if (bytes.length + recordHeaderSize > this.#kernel.geometry.segmentBytes) return keyTooLong;
    this.#u8.set(bytes, this.#page);
    this.at = this.#page;
    return bytes.length;
  }
}

/** One step of a hash: each bit of both words reaches the high bits, and from there the low
 *  ones. */
function mix(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, multiplier);
  return product ^ (product >>> 15);
}
