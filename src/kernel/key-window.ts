// Where a thread puts a key for the kernel to hash and compare: its scratch in shared memory, or, for a key too long for
// that, the free end of its open segment. Invariant: the bytes belong to this thread alone and only until its next call.
// This is the one place whose fields the next call overwrites: a hit costs about as much as making an object, so what was
// read of a key stays here, and `take` makes a HashedKey of it where it has to outlive the call.
import { alignUp, isWellFormed } from "../base/mod.js";
import { assertKey } from "../config/mod.js";
import { recordHeaderSize } from "../record/mod.js";
import { HashedKey, type Key } from "./hashed-key.js";
import type { Kernel, KernelVerbs } from "./kernel.js";
import * as at from "./layout.js";

// Below this length a loop over charCodeAt beats the native encoder's call (measured: equal at 20 to 25 characters).
const loopLengthMax = 24;
/** Waits of a millisecond for the room behind the segments. */
const slackWaitsMax = 1000;
const scratchCharsMax = at.keyScratchSize / 3;
/** Keys of more bytes get no `hash`: the kernel's takes less time than a loop here. */
const hashedBytesMax = 256;
/** An odd number whose bits look random (2^32 over the golden ratio: Knuth, TAOCP 6.4). */
const multiplier = 0x9e3779b1;

const written = 0;
const hashed = 1;
const touched = 2;

/** `write` answers this for a key that no segment of this cache could hold with its record's header. */
export const keyTooLong: number = -1;
/** `write` answers this for a long key when no segment has room for it. */
export const noKeyRoom: number = -2;

export class KeyWindow {
  readonly #kernel: Kernel;
  readonly #log: number;
  readonly #privileged: number;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #scratch: number;
  readonly #scratchView: Uint8Array;
  readonly #seed: number;
  readonly #findNear: KernelVerbs["findNear"];
  readonly #encoder = new TextEncoder();
  /** Byte offset in shared memory of the key last written, and its bytes; less than 0: it could not be written. */
  at: number;
  length = 0;
  /** Keys written so far: who has written one can tell whether it still stands here. */
  writes = 0;
  /** How far the kernel has got with the key: written, hashed (the hash is in the results), hit and counted. */
  #progress = written;
  /** The key that `load` put here last, while nothing else was. */
  #loaded: HashedKey | undefined;
  /** The scratch as words: a key of up to hashedBytesMax bytes stands at its start, with zeros to the end of a word. */
  readonly words: Int32Array;
  /** A number made from the key last written, a string of up to hashedBytesMax bytes: the same for the same key, and another
   *  one for most others; else 0. It costs little beside the writing, and says where this thread may have the value without
   *  asking the kernel. Who likes can make keys that share it: what is found by it has to be compared. */
  hash = 0;
  /** Called when a long key finds no segment: true if it made room. A key that cannot be written cannot be deleted. */
  makeRoom: () => boolean = () => false;
  /** The key for which there was no room. */
  #homeless: Uint8Array = new Uint8Array(0);

  /** `log` is the log in whose open segment long keys are staged. */
  constructor(kernel: Kernel, log: number = at.logSmall) {
    this.#kernel = kernel;
    this.#findNear = kernel.verbs.findNear;
    this.#log = log;
    // In a map the last free segments are for who compacts: without them it could never make room again.
    this.#privileged = kernel.control.neverEvicts ? 0 : 1;
    this.#u8 = kernel.views.u8;
    this.#u32 = kernel.views.u32;
    this.#scratch = kernel.block + at.threadKeyScratch;
    this.#scratchView = this.#u8.subarray(this.#scratch, this.#scratch + at.keyScratchSize);
    const first = this.#scratch / 4;
    this.words = kernel.views.i32.subarray(first, first + at.keyScratchSize / 4);
    this.#seed = kernel.control.seedLow;
    this.at = this.#scratch;
  }

  /** Does the key last written stand at the free end of the open segment? The next reserve may lay a record over it. */
  get isStaged(): boolean {
    return this.at !== this.#scratch;
  }

  /** Writes a key's bytes at `this.at` and answers how many there are, or keyTooLong or noKeyRoom.
   *  Throws TypeError or RangeError if the key is none. */
  write(key: Key): number {
    this.writes += 1;
    this.#progress = written;
    this.#loaded = undefined;
    return (this.length = typeof key === "string" ? this.#writeText(key) : this.#writeBytes(key));
  }

  /** Is the key's hash in the kernel's results? */
  get isHashed(): boolean {
    return this.#progress >= hashed;
  }

  /** Has its hit been counted? */
  get isTouched(): boolean {
    return this.#progress === touched;
  }

  /** The kernel has hashed the key. */
  noteHashed(): void {
    if (this.#progress < hashed) this.#progress = hashed;
  }

  /** Looks for a memory slot of the class of the key that was just written: a near entry compares with its word, which is in the
   *  kernel's results. Counts the hit. */
  findNear(): boolean {
    if (this.length <= 0) return false;
    const isThere = this.#findNear(this.at, this.length) === 1;
    this.#progress = isThere ? touched : hashed;
    return isThere;
  }

  #writeText(key: string): number {
    const length = key.length;
    this.at = this.#scratch;
    if (length > loopLengthMax || length === 0) return this.#encode(key);
    // Whole words: four characters a store, as if all were ASCII; if one was not, the encoder does it all again.
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
      // As many bytes as characters: all ASCII. Else a lone surrogate may have become a replacement character.
      if (written !== key.length && !isWellFormed(key)) assertKey(key);
      this.hash = written <= hashedBytesMax ? this.#hashWritten(written) : 0;
      return written;
    }
    this.hash = 0;
    assertKey(key);
    return this.#stage(this.#encoder.encode(key));
  }

  /** The hash of the key that the encoder wrote. The last word is made as if nothing stood behind the key. */
  #hashWritten(length: number): number {
    const u32 = this.#u32;
    let word = this.#scratch >>> 2;
    let hash = this.#seed ^ length;
    for (const end = word + (length >>> 2); word < end; word++) {
      hash = mix(hash, u32[word] as number);
    }
    // Behind the key stands what an earlier one left there.
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
    if (bytes.length > at.keyScratchSize) return this.#stage(bytes);
    this.at = this.#scratch;
    this.#u8.set(bytes, this.#scratch);
    return bytes.length;
  }

  /** The key that was just written, for a later call: a copy of its bytes, and their hash. `key` is as it was written. One that
   *  had no room has no hash. */
  take(key: Key): HashedKey {
    if (this.length < 0) {
      const isText = typeof key === "string";
      return new HashedKey(isText ? Buffer.from(key, "utf8") : Buffer.from(key), isText, 0, 0);
    }
    const { verbs, results } = this.#kernel;
    if (!this.isHashed) verbs.hashKey(this.at, this.length);
    this.noteHashed();
    const bytes = Buffer.allocUnsafeSlow(this.length);
    bytes.set(this.#u8.subarray(this.at, this.at + this.length));
    const taken = new HashedKey(bytes, typeof key === "string", results.hashLow, results.hashHigh);
    if (!this.isStaged) this.#loaded = taken;
    return taken;
  }

  /** Puts a key back, unless it is here still; answers as `write`. */
  load(key: HashedKey): number {
    if (this.#loaded === key) return this.length;
    this.writes += 1;
    this.#progress = written;
    this.length = this.#writeWhole(key.bytes);
    this.#loaded = this.isStaged ? undefined : key;
    return this.length;
  }

  #stage(bytes: Uint8Array): number {
    const { segmentBytes } = this.#kernel.geometry;
    if (bytes.length + recordHeaderSize > segmentBytes) return keyTooLong;
    const { verbs } = this.#kernel;
    let staged = verbs.stage(bytes.length, this.#log, this.#privileged) >>> 0;
    if (staged === 0 && this.makeRoom()) {
      staged = verbs.stage(bytes.length, this.#log, this.#privileged) >>> 0;
    }
    if (staged === 0) {
      this.#homeless = bytes;
      return noKeyRoom;
    }
    this.#u8.set(bytes, staged);
    this.at = staged;
    return bytes.length;
  }

  /** After `write` answered noKeyRoom: runs `use` with that key in the slack behind the segments. One thread at a time has
   *  it, so this waits; a thread that died there is recovered by the opener. False if it could not be had. */
  borrowSlack(use: () => void): boolean {
    const lock = this.#kernel.locks.slack;
    if (!lock.lock(slackWaitsMax)) return false;
    this.#loaded = undefined;
    this.at = alignUp(this.#kernel.geometry.totalBytes, 8);
    this.#u8.set(this.#homeless, this.at);
    this.length = this.#homeless.length;
    this.#progress = written;
    use();
    lock.unlock();
    return true;
  }
}

/** One step of a hash: each bit of both goes into the high bits, and from there into the low ones. */
function mix(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, multiplier);
  return product ^ (product >>> 15);
}
