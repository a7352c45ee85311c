// Where a thread puts a key for the kernel to hash and compare: its scratch in shared memory, or, for a key too long for
// that, the free end of its open segment. Invariant: the bytes belong to this thread alone and only until its next call.
import { alignUp, isWellFormed } from "../base/mod.js";
import { assertKey } from "../config/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { recordHeaderSize } from "../record/mod.js";

// Below this length a loop over charCodeAt beats the native encoder's call (measured: equal at 20 to 25 characters).
const loopLengthMax = 24;
/** Waits of a millisecond for the place behind the segments. */
const slackWaitsMax = 1000;
const scratchCharsMax = at.keyScratchSize / 3;
/** Keys of more bytes get no `hash`: the kernel's takes less time than a loop here. */
const hashedBytesMax = 256;
/** An odd number whose bits look random (2^32 over the golden ratio: Knuth, TAOCP 6.4). */
const multiplier = 0x9e3779b1;

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
  readonly #encoder = new TextEncoder();
  /** Byte offset in shared memory of the key last written. */
  at: number;
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
    this.#log = log;
    // In a map the last free segments are for who compacts: without them it could never make room again.
    this.#privileged = kernel.neverEvicts ? 0 : 1;
    this.#u8 = kernel.views.u8;
    this.#u32 = kernel.views.u32;
    this.#scratch = kernel.block + at.threadKeyScratch;
    this.#scratchView = this.#u8.subarray(this.#scratch, this.#scratch + at.keyScratchSize);
    this.#seed = kernel.views.i32[at.controlSeed / 4] as number;
    this.at = this.#scratch;
  }

  /** Does the key last written stand at the free end of the open segment? The next reserve may lay a record over it. */
  get isStaged(): boolean {
    return this.at !== this.#scratch;
  }

  /** Writes a key's bytes at `this.at` and answers how many there are, or keyTooLong or noKeyRoom.
   *  Throws TypeError or RangeError if the key is none. */
  write(key: string | Uint8Array): number {
    if (typeof key !== "string") return this.#writeBytes(key);
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
    this.hash = 0;
    assertKey(key);
    if (key.length > at.keyScratchSize) return this.#stage(key);
    this.at = this.#scratch;
    this.#u8.set(key, this.#scratch);
    return key.length;
  }

  #stage(bytes: Uint8Array): number {
    const { segmentBytes } = this.#kernel.geometry;
    if (bytes.length + recordHeaderSize > segmentBytes) return keyTooLong;
    let place = this.#kernel.verbs.stage(bytes.length, this.#log, this.#privileged) >>> 0;
    if (place === 0 && this.makeRoom()) {
      place = this.#kernel.verbs.stage(bytes.length, this.#log, this.#privileged) >>> 0;
    }
    if (place === 0) {
      this.#homeless = bytes;
      return noKeyRoom;
    }
    this.#u8.set(bytes, place);
    this.at = place;
    return bytes.length;
  }

  /** After `write` answered noKeyRoom: runs `use` with that key behind the segments, at `this.at`. One thread at a time
   *  has that place, so this waits; a thread that died there is recovered by the owner. False if it could not be had. */
  borrowSlack(use: (keyBytes: number) => void): boolean {
    const { i32 } = this.#kernel.views;
    const word = at.controlSlackOwner / 4;
    const self = this.#kernel.thread + 1;
    for (let wait = 0; wait < slackWaitsMax; wait++) {
      const owner = Atomics.compareExchange(i32, word, 0, self);
      if (owner !== 0) {
        Atomics.wait(i32, word, owner, 1);
        continue;
      }
      const place = alignUp(this.#kernel.geometry.totalBytes, 8);
      this.#u8.set(this.#homeless, place);
      this.at = place;
      use(this.#homeless.length);
      Atomics.store(i32, word, 0);
      Atomics.notify(i32, word);
      return true;
    }
    return false;
  }
}

/** One step of a hash: each bit of both goes into the high bits, and from there into the low ones. */
function mix(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, multiplier);
  return product ^ (product >>> 15);
}
