// The near hash index: near values of fresh keys, by the hash that the key window computes while it
// writes a key (kernel/key-window.ts). A hit needs no kernel call, whose index would be one more
// cache line to wait for. Called by the near cache. Invariants: every value here is also in the
// near table, whose bounds hold. A value may answer only while the invalidation reader says that
// everything is current, and is added only right after the kernel's `mayKeepNear` allowed it. The
// hash only says where to look; the key decides.
//
// The index is an open-addressing table of words. A key has four neighbouring positions:
//
//   31     24 23        22           0
//  ┌─────────┬─────────┬──────────────┐
//  │ tag     │ expires │ number       │   tag: high bits of the hash; number: the entry's, 0 = none
//  └─────────┴─────────┴──────────────┘
//
// The value is at the same position of another array, so it is fetched while the key is compared.
// The key is kept as a row of eight words, its extent (length and namespace) first; a longer key is
// compared as a string.
import type { Clock } from "../base/mod.js";
import { codes } from "../kernel/mod.js";
import { filledArray } from "./filled-array.js";

const tagShift = 24;
const expiresBit = 1 << 23;
const numberMask = expiresBit - 1;
/** Positions per entry allowed. In a full index one key in twenty finds all its four taken. */
const positionsPerEntry = 2;
const probes = 4;
const rowWords = 8;
const rowBytesMax = 4 * (rowWords - 1);

export class NearHashIndex {
  readonly #clock: Clock;
  readonly #entriesMax: number;
  readonly #positionsMax: number;
  /** The key that is looked up, as the key window has it. */
  readonly #asked: Int32Array;
  // Allocated with the first entry: an unused index costs nothing.
  #index = new Int32Array(probes);
  #mask = probes - 1;
  #values: unknown[] = filledArray(probes);
  #rows = new Int32Array(0);
  /** By entry number, from 1. */
  readonly #keys: (string | undefined)[] = [undefined];
  readonly #hashes: number[] = [0];
  readonly #expires: number[] = [Infinity];
  readonly #free: number[] = [];

  /** `entriesMax` is the near cache's; at most numberMask entries are kept. */
  constructor(asked: Int32Array, entriesMax: number, clock: Clock) {
    this.#clock = clock;
    this.#asked = asked;
    this.#entriesMax = Math.min(entriesMax, numberMask);
    this.#positionsMax = Math.max(
      probes,
      2 ** Math.ceil(Math.log2(this.#entriesMax * positionsPerEntry)),
    );
  }

  get isEmpty(): boolean {
    return this.#hashes.length - 1 === this.#free.length;
  }

  /** The value of the key just written to the key window, if it is here and has not expired.
   *  `extent` is the key's length in bytes and its namespace; `hash` 0 means it has none. */
  find(hash: number, extent: number, key: string): unknown {
    const index = this.#index;
    const first = hash & this.#mask;
    for (let probe = 0; probe < probes; probe++) {
      const word = index[first ^ probe] as number;
      if ((word ^ hash) >>> tagShift !== 0) continue;
      const number = word & numberMask;
      if (number === 0 || !this.#isOf(number, extent, key)) continue;
      if ((word & expiresBit) !== 0 && this.#hasExpired(number)) return undefined;
      return this.#values[first ^ probe];
    }
    return undefined;
  }

  /** Whether this is the key's entry. */
  #isOf(number: number, extent: number, key: string): boolean {
    const rows = this.#rows;
    let word = number * rowWords;
    if (rows[word] !== extent) return false;
    const length = extent & codes.extentLengthMask;
    if (length > rowBytesMax) return this.#keys[number] === key;
    const asked = this.#asked;
    const end = (length + 3) >> 2;
    for (let index = 0; index < end; index++) {
      if (rows[++word] !== asked[index]) return false;
    }
    return true;
  }

  #hasExpired(number: number): boolean {
    return (this.#expires[number] as number) <= this.#clock.now();
  }

  /** Adds the value of the key just written to the key window, and answers its number, 0 if there
   *  is no room. `number` is an entry that may be the key's already, 0 = none: in a full index
   *  another key's entry may have taken its position. */
  add(
    hash: number,
    extent: number,
    key: string,
    value: unknown,
    expiresMs: number,
    number: number,
  ): number {
    if (hash === 0) return 0;
    if (this.#rows.length === 0) this.#make();
    const isOwn = this.#has(number, key) && this.#rows[number * rowWords] === extent;
    const entry = isOwn ? number : this.#newEntry();
    if (entry === 0) return 0;
    this.#keys[entry] = key;
    this.#hashes[entry] = hash;
    this.#expires[entry] = expiresMs;
    this.#writeRow(entry, extent);
    const position = this.#positionFor(hash, entry);
    const tag = hash & (-1 << tagShift);
    this.#index[position] = tag | (expiresMs === Infinity ? 0 : expiresBit) | entry;
    this.#values[position] = value;
    return entry;
  }

  #make(): void {
    this.#index = new Int32Array(this.#positionsMax);
    this.#mask = this.#positionsMax - 1;
    this.#values = filledArray(this.#positionsMax);
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

  #writeRow(entry: number, extent: number): void {
    const row = entry * rowWords;
    this.#rows[row] = extent;
    const length = extent & codes.extentLengthMask;
    if (length > rowBytesMax) return;
    this.#rows.set(this.#asked.subarray(0, (length + 3) >> 2), row + 1);
  }

  /** The entry's own position, else an empty one, else one that another key's entry loses; the
   *  entry's number picks it. */
  #positionFor(hash: number, entry: number): number {
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
      const position = first ^ probe;
      if (((this.#index[position] as number) & numberMask) !== number) continue;
      this.#index[position] = 0;
      this.#values[position] = undefined;
    }
  }

  /** Removes everything and gives the memory back. */
  release(): void {
    this.clear();
    this.#index = new Int32Array(probes);
    this.#mask = probes - 1;
    this.#values = filledArray(probes);
    this.#rows = new Int32Array(0);
  }

  /** Removes everything, in time proportional to the entries added since the last clear. */
  clear(): void {
    const count = this.#hashes.length;
    for (let number = 1; number < count; number++) this.#takeOut(number);
    this.#keys.length = 1;
    this.#hashes.length = 1;
    this.#expires.length = 1;
    this.#free.length = 0;
  }
}
