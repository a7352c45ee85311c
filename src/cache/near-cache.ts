// Decoded values of one thread. An entry holds the word of the slot it was decoded from: while the slot still shows that
// word the value is current, so no message ever has to reach this thread. Called by the facade's reader. Invariants: at
// most `maxEntries` values standing for at most `maxBytes` encoded bytes; when the near epoch has changed (a clear, or
// segment generations coming round) everything goes before anything is looked up.
//
// A hit of a cache that does not fit the processor's caches costs what it touches, so an entry is four elements of one
// array, side by side, and not an object of its own:
//
//   place + 0  key      as it was given
//         + 1  value
//         + 2  low      the slot's word, less its frequency
//         + 3  high     the same; with expiresBit set when the value expires (#expires[place / 4] says when)
import type { Clock } from "../base/mod.js";
import type { Config } from "../config/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { counterNearEvictions } from "../stats/mod.js";

/** The place of the frequency in a slot's high word, which an entry's word has no use for. */
const expiresBit = 1 << (at.slotFrequencyShift - 32);
/** Two multipliers for the two places a slot may have. */
const firstFactor = 0x9e3779b1;
const secondFactor = 0x85ebca6b;
/** Places per entry allowed, before rounding up to a power of two: few entries then want the same two places. */
const placesPerEntry = 1.25;

export class NearCache {
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #i32: Int32Array;
  readonly #word: number;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #places: number;
  readonly #shift: number;
  // Made when the first value is kept: attaching a thread costs nothing then.
  #table: unknown[] = [];
  #bytesOf = new Int32Array(0);
  #slotOf = new Int32Array(0);
  #expires = new Float64Array(0);
  #epoch: number;
  #hand = 0;
  count = 0;
  bytes = 0;

  constructor(kernel: Kernel, near: NonNullable<Config["near"]>, clock: Clock) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#i32 = kernel.views.i32;
    this.#word = (kernel.block + at.resultSlotLow) / 4;
    this.#maxEntries = near.maxEntries;
    this.#maxBytes = near.maxBytes;
    const bits = Math.max(1, Math.ceil(Math.log2(near.maxEntries * placesPerEntry)));
    this.#places = 2 ** bits;
    this.#shift = 32 - bits;
    this.#epoch = this.#i32[at.controlNearEpoch / 4] as number;
  }

  /** The value made from what `slot` shows now (the kernel's last result), if it is kept, of this key and fresh. */
  find(slot: number, key: string): unknown {
    const i32 = this.#i32;
    if (i32[at.controlNearEpoch / 4] !== this.#epoch) this.#drop();
    const low = i32[this.#word];
    const table = this.#table;
    let place = (Math.imul(slot, firstFactor) >>> this.#shift) << 2;
    if (table[place + 2] !== low || table[place] !== key) {
      place = (Math.imul(slot, secondFactor) >>> this.#shift) << 2;
      if (table[place + 2] !== low || table[place] !== key) return undefined;
    }
    const high = i32[this.#word + 1] as number;
    if (table[place + 3] === high) return table[place + 1];
    if (table[place + 3] !== (high | expiresBit)) return undefined;
    const expiresMs = this.#expires[place >>> 2] as number;
    return expiresMs > this.#clock.now() ? table[place + 1] : undefined;
  }

  /** Keeps a value decoded from the record of the kernel's last `find`, whose slot word is (low, high). */
  keep(
    slot: number,
    low: number,
    high: number,
    key: string,
    value: unknown,
    expiresMs: number,
    bytes: number,
  ): void {
    if (bytes > this.#maxBytes) return;
    if (this.#table.length === 0) this.#make();
    const table = this.#table;
    const first = (Math.imul(slot, firstFactor) >>> this.#shift) << 2;
    const second = (Math.imul(slot, secondFactor) >>> this.#shift) << 2;
    const place = this.#placeFor(key, first, second);
    this.#remove(place);
    this.#slotOf[place >>> 2] = slot;
    table[place] = key;
    table[place + 1] = value;
    table[place + 2] = low | 0;
    table[place + 3] = expiresMs === Infinity ? high | 0 : high | expiresBit;
    this.#expires[place >>> 2] = expiresMs;
    this.#bytesOf[place >>> 2] = bytes;
    this.count += 1;
    this.bytes += bytes;
    while (this.count > this.#maxEntries || this.bytes > this.#maxBytes) this.#evict(place);
  }

  /** An older value of the key gives way, else an empty place is taken, else the one at the first place moves to its
   *  other place if that is empty, or goes. */
  #placeFor(key: string, first: number, second: number): number {
    const table = this.#table;
    if (table[first] === key || table[first] === undefined) {
      if (table[second] === key) this.#remove(second);
      return first;
    }
    if (table[second] === key || table[second] === undefined) return second;
    const holder = this.#slotOf[first >>> 2] as number;
    const one = (Math.imul(holder, firstFactor) >>> this.#shift) << 2;
    const other = one === first ? (Math.imul(holder, secondFactor) >>> this.#shift) << 2 : one;
    if (table[other] === undefined) this.#move(first, other);
    return first;
  }

  #move(from: number, to: number): void {
    const table = this.#table;
    for (let element = 0; element < 4; element++) {
      table[to + element] = table[from + element];
      table[from + element] = undefined;
    }
    this.#slotOf[to >>> 2] = this.#slotOf[from >>> 2] as number;
    this.#bytesOf[to >>> 2] = this.#bytesOf[from >>> 2] as number;
    this.#expires[to >>> 2] = this.#expires[from >>> 2] as number;
  }

  #make(): void {
    this.#table = Array.from({ length: this.#places * 4 }, () => undefined);
    this.#bytesOf = new Int32Array(this.#places);
    this.#slotOf = new Int32Array(this.#places);
    this.#expires = new Float64Array(this.#places);
  }

  #remove(place: number): void {
    const table = this.#table;
    if (table[place] === undefined) return;
    table[place] = undefined;
    table[place + 1] = undefined;
    table[place + 2] = undefined;
    this.count -= 1;
    this.bytes -= this.#bytesOf[place >>> 2] as number;
  }

  /** The hand goes round the places, which are in random order: a value dropped wrongly costs one decode. */
  #evict(newest: number): void {
    for (let step = 0; step < this.#places; step++) {
      this.#hand = (this.#hand + 4) & (this.#places * 4 - 1);
      if (this.#hand === newest || this.#table[this.#hand] === undefined) continue;
      this.#remove(this.#hand);
      this.#kernel.count(counterNearEvictions, 1);
      return;
    }
  }

  #drop(): void {
    this.#table = [];
    this.count = 0;
    this.bytes = 0;
    this.#epoch = this.#i32[at.controlNearEpoch / 4] as number;
  }
}
