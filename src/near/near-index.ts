// The index of the near table: leads from a key to its entry's number and value. Called by the near
// table, which gives out the numbers, from 1. The hash only says where to look; the key decides.
//
// It is an open-addressing table of words. A key has two buckets of four neighbouring positions,
// the second for what finds the first one full:
//
//   31     24 23                        0
//  ┌─────────┬──────────────────────────┐
//  │ tag     │ number                   │   tag: high bits of the hash; number 0 = empty
//  └─────────┴──────────────────────────┘
//
// The value is at the same position of another array, so it is fetched while the key is compared.
import { filledArray } from "./filled-array.js";
import type { NearRows } from "./near-rows.js";

const tagShift = 24;
/** The largest number. */
export const numberMax: number = (1 << tagShift) - 1;
const probes = 4;
/** Positions per entry that there is room for, at least. */
const positionsPerEntry = 2;
/** An odd number that leads from a key's first bucket to its second. */
const multiplier = 0x9e3779b1;
/** Bytes of an index word and a reference to a value. */
const bytesPerPosition = 4 + 8;

export class NearIndex {
  readonly #rows: NearRows;
  #mask = probes - 1;
  #words = new Int32Array(probes);
  #values = filledArray(probes);

  constructor(rows: NearRows) {
    this.#rows = rows;
  }

  /** The position of the key just written to the key window, -1 if it is not here. `extent` is the
   *  key's length in bytes and its namespace. */
  find(hash: number, extent: number, key: string): number {
    const found = this.#findIn(hash & this.#mask, hash, extent, key);
    return found >= 0 ? found : this.#findInSecond(hash, extent, key);
  }

  /** The same for a key that is not in its first bucket. */
  #findInSecond(hash: number, extent: number, key: string): number {
    if (this.#emptyIn(hash & this.#mask) >= 0) return -1;
    return this.#findIn(this.#secondOf(hash), hash, extent, key);
  }

  #findIn(bucket: number, hash: number, extent: number, key: string): number {
    const words = this.#words;
    for (let probe = 0; probe < probes; probe++) {
      const word = words[bucket ^ probe] as number;
      if ((word ^ hash) >>> tagShift !== 0) continue;
      const number = word & numberMax;
      if (number !== 0 && this.#rows.isOf(number, extent, key)) return bucket ^ probe;
    }
    return -1;
  }

  #secondOf(hash: number): number {
    return (Math.imul(hash, multiplier) >>> 7) & this.#mask;
  }

  numberAt(position: number): number {
    return (this.#words[position] as number) & numberMax;
  }

  valueAt(position: number): unknown {
    return this.#values[position];
  }

  /** The numbers at a key's positions; none if one of these is empty. */
  obstacles(hash: number): readonly number[] {
    const numbers: number[] = [];
    if (this.#emptyIn(hash & this.#mask) >= 0) return numbers;
    for (const bucket of [hash & this.#mask, this.#secondOf(hash)]) {
      for (let probe = 0; probe < probes; probe++) {
        const number = this.numberAt(bucket ^ probe);
        if (number === 0) return [];
        numbers.push(number);
      }
    }
    return numbers;
  }

  /** Adds a value, whose row is written; false if both buckets of its key are full. */
  put(number: number, value: unknown): boolean {
    const hash = this.#rows.hashOf(number);
    let position = this.#emptyIn(hash & this.#mask);
    if (position < 0) position = this.#emptyIn(this.#secondOf(hash));
    if (position < 0) return false;
    this.#words[position] = (hash & ~numberMax) | number;
    this.#values[position] = value;
    return true;
  }

  /** An empty position of a bucket, -1 if there is none. */
  #emptyIn(bucket: number): number {
    const words = this.#words;
    for (let probe = 0; probe < probes; probe++) {
      if (words[bucket ^ probe] === 0) return bucket ^ probe;
    }
    return -1;
  }

  /** Makes room for `capacity` entries. */
  grow(capacity: number): void {
    let positions = Math.max(2 * probes, 2 ** Math.ceil(Math.log2(capacity * positionsPerEntry)));
    while (!this.#remake(positions)) positions *= 2;
  }

  /** Makes the index anew; false, and nothing has changed, if a key found both its buckets full. */
  #remake(positions: number): boolean {
    const [words, values, mask] = [this.#words, this.#values, this.#mask];
    this.#words = new Int32Array(positions);
    this.#values = filledArray(positions);
    this.#mask = positions - 1;
    for (let position = 0; position < words.length; position++) {
      const number = (words[position] as number) & numberMax;
      if (number === 0 || this.put(number, values[position])) continue;
      [this.#words, this.#values, this.#mask] = [words, values, mask];
      return false;
    }
    return true;
  }

  /** Takes a number out, whose row still says which key it has. */
  remove(number: number): void {
    const hash = this.#rows.hashOf(number);
    for (const bucket of [hash & this.#mask, this.#secondOf(hash)]) {
      for (let probe = 0; probe < probes; probe++) {
        if (this.numberAt(bucket ^ probe) !== number) continue;
        this.#words[bucket ^ probe] = 0;
        this.#values[bucket ^ probe] = undefined;
      }
    }
  }

  /** Takes everything out and gives the memory back. */
  clear(): void {
    this.#mask = probes - 1;
    this.#words = new Int32Array(probes);
    this.#values = filledArray(probes);
  }

  /** Bytes of the index, without the values. */
  get heapBytes(): number {
    return this.#words.length * bytesPerPosition;
  }
}
