// Near values by the hash of the key's bytes that this thread makes while it writes them (memory/key-window.ts), for keys
// that callers build anew for each get: a hit is found without the kernel, whose index would be one more line of memory to
// wait for. Called by the near cache and the reader. Invariants: a part of the near cache's entries, so its bounds are the
// near cache's; a value answers only while the change reader says that all is current, and is added only when the
// kernel's `mayKeepNear` has just allowed it; the hash is only where to look, and the key decides.
//
// The index is an open-addressing table of words, four places to a key, which lie side by side:
//
//   31     24 23        22           0
//  ┌─────────┬─────────┬──────────────┐
//  │ tag     │ expires │ number       │   tag: the high bits of the hash; number: of the entry, 0 = none
//  └─────────┴─────────┴──────────────┘
//
// The value stands in an array at the same place, so that it can be fetched while the key is compared still. The key's
// bytes stand in a row of eight words, its length first; a longer key is compared as a string.
import type { Clock } from "../base/mod.js";
import { filledArray } from "./filled-array.js";

const tagShift = 24;
const expiresBit = 1 << 23;
const numberMask = expiresBit - 1;
/** Places of the index per entry allowed: a key has all its four taken by others in one case of twenty when it is full. */
const placesPerEntry = 2;
const probes = 4;
const rowWords = 8;
const rowBytesMax = 4 * (rowWords - 1);

export class NearHashIndex {
  readonly #clock: Clock;
  readonly #entriesMax: number;
  readonly #placesMax: number;
  /** The key that is asked for, as the key window has it. */
  readonly #asked: Int32Array;
  // Made with the first entry: what is not used costs nothing.
  #index = new Int32Array(probes);
  #mask = probes - 1;
  #values: unknown[] = filledArray(probes);
  #rows = new Int32Array(0);
  /** By number, from 1. */
  readonly #keys: (string | undefined)[] = [undefined];
  readonly #hashes: number[] = [0];
  readonly #expires: number[] = [Infinity];
  readonly #free: number[] = [];

  /** `entriesMax` as the near cache has it: fewer are kept if a number cannot name so many. */
  constructor(asked: Int32Array, entriesMax: number, clock: Clock) {
    this.#clock = clock;
    this.#asked = asked;
    this.#entriesMax = Math.min(entriesMax, numberMask);
    this.#placesMax = Math.max(
      probes,
      2 ** Math.ceil(Math.log2(this.#entriesMax * placesPerEntry)),
    );
  }

  get isEmpty(): boolean {
    return this.#hashes.length - 1 === this.#free.length;
  }

  /** The value of the key that the key window has just written, with this many bytes and this hash (0 = it has none), if it
   *  is here and has not expired. */
  find(hash: number, length: number, key: string): unknown {
    const index = this.#index;
    const first = hash & this.#mask;
    for (let probe = 0; probe < probes; probe++) {
      const word = index[first ^ probe] as number;
      if ((word ^ hash) >>> tagShift !== 0) continue;
      const number = word & numberMask;
      if (number === 0 || !this.#isOf(number, length, key)) continue;
      if ((word & expiresBit) !== 0 && this.#hasExpired(number)) return undefined;
      return this.#values[first ^ probe];
    }
    return undefined;
  }

  /** Whether it is this key's entry. */
  #isOf(number: number, length: number, key: string): boolean {
    if (length > rowBytesMax) return this.#keys[number] === key;
    const rows = this.#rows;
    const asked = this.#asked;
    let word = number * rowWords;
    if (rows[word] !== length) return false;
    const end = (length + 3) >> 2;
    for (let index = 0; index < end; index++) {
      if (rows[++word] !== asked[index]) return false;
    }
    return true;
  }

  #hasExpired(number: number): boolean {
    return (this.#expires[number] as number) <= this.#clock.now();
  }

  /** Adds the value of the key that the key window has just written, and answers its number. `number` is that of an entry
   *  that may be the key's already, as whoever comes into a full index takes another's place there; 0 = none. Answers 0 if
   *  there is no room. */
  add(
    hash: number,
    length: number,
    key: string,
    value: unknown,
    expiresMs: number,
    number: number,
  ): number {
    if (hash === 0) return 0;
    if (this.#rows.length === 0) this.#make();
    const entry = this.#has(number, key) ? number : this.#newEntry();
    if (entry === 0) return 0;
    this.#keys[entry] = key;
    this.#hashes[entry] = hash;
    this.#expires[entry] = expiresMs;
    this.#writeRow(entry, length);
    const place = this.#placeFor(hash, entry);
    const tag = hash & (-1 << tagShift);
    this.#index[place] = tag | (expiresMs === Infinity ? 0 : expiresBit) | entry;
    this.#values[place] = value;
    return entry;
  }

  #make(): void {
    this.#index = new Int32Array(this.#placesMax);
    this.#mask = this.#placesMax - 1;
    this.#values = filledArray(this.#placesMax);
    this.#rows = new Int32Array((this.#entriesMax + 1) * rowWords);
  }

  #has(number: number, key: string): boolean {
    return number !== 0 && this.#keys[number] === key;
  }

  #newEntry(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const next = this.#hashes.length;
    return next > this.#entriesMax ? 0 : next;
  }

  #writeRow(entry: number, length: number): void {
    if (length > rowBytesMax) return;
    const row = entry * rowWords;
    this.#rows[row] = length;
    this.#rows.set(this.#asked.subarray(0, (length + 3) >> 2), row + 1);
  }

  /** Where the entry is already, else an empty place, else that of another: which one the entry's number says. */
  #placeFor(hash: number, entry: number): number {
    const first = hash & this.#mask;
    let empty = -1;
    for (let probe = probes - 1; probe >= 0; probe--) {
      const number = (this.#index[first ^ probe] as number) & numberMask;
      if (number === entry) return first ^ probe;
      if (number === 0) empty = first ^ probe;
    }
    return empty >= 0 ? empty : first ^ (entry & (probes - 1));
  }

  /** Removes the entry with this number, if it is the key's. */
  remove(number: number, key: string): void {
    if (!this.#has(number, key)) return;
    this.#takeOut(number);
    this.#keys[number] = undefined;
    this.#free.push(number);
  }

  /** Takes an entry out of the index. */
  #takeOut(number: number): void {
    const first = (this.#hashes[number] as number) & this.#mask;
    for (let probe = 0; probe < probes; probe++) {
      const place = first ^ probe;
      if (((this.#index[place] as number) & numberMask) !== number) continue;
      this.#index[place] = 0;
      this.#values[place] = undefined;
    }
  }

  /** Removes everything, in time that grows with what came in since the last time. */
  clear(): void {
    const count = this.#hashes.length;
    for (let number = 1; number < count; number++) this.#takeOut(number);
    this.#keys.length = 1;
    this.#hashes.length = 1;
    this.#expires.length = 1;
    this.#free.length = 0;
  }
}
