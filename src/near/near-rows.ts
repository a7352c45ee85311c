// What the near table knows of its entries, by their numbers, from 1. Called by the near table and
// its index, which say what is in use. What a hit reads is a row of half a line of memory:
//
//   0 extent     the key's length and namespace
//   1 state      the near table's
//   2 … 7        up to 24 bytes of key; a longer one is kept as a string
//
// The rest is in another row, so that twice as many of the first fit the processor's caches:
//
//   0, 1         the slot's word that the value was decoded from, without its frequency
//   2 tag epoch  for which the entry is valid, if it has tags
//   3 bytes      of the encoded value
//   4 hash low   the low half of the kernel's hash
//   5 next       the next entry in the chain of that hash
//   6 hash       by which the index knows the key
//   7 use        whether there is an entry
import { codes } from "../kernel/mod.js";

const rowWords = 8;
const keyAt = 2;
const keyWords = 6;
/** Longer keys are kept as strings. */
export const rowKeyBytesMax: number = 4 * keyWords;
const bytesPerEntry = 2 * 4 * rowWords + 8 + 8;

/** What a near entry was decoded from. */
export interface NearWord {
  readonly low: number;
  readonly high: number;
  /** The tag epoch read before the record's tags were checked; null for a record without tags. */
  readonly tagEpoch: number | null;
}

/** A key as the rows hold it; reused, so that keeping allocates little. */
export class NearKey {
  hash = 0;
  extent = 0;
  /** The low half of the kernel's hash. */
  hashLow = 0;
  /** The key's bytes in words, if it is short; else they are in `text`. */
  readonly words: Int32Array = new Int32Array(keyWords);
  /** A string of its own. */
  text: string | undefined = undefined;

  /** Takes the key that `asked` has at its start, as the key window writes it. */
  take(hash: number, extent: number, hashLow: number, asked: Int32Array): void {
    this.hash = hash;
    this.extent = extent;
    this.hashLow = hashLow;
    const { words } = this;
    for (let word = 0; word < keyWords; word++) words[word] = asked[word] as number;
  }

  /** Whether the key's bytes do not fit the words. */
  get isLong(): boolean {
    return (this.extent & codes.extentLengthMask) > rowKeyBytesMax;
  }
}

export class NearRows {
  /** The key that is looked up, as the key window has it. */
  readonly #asked: Int32Array;
  #capacity = 0;
  #rows = new Int32Array(0);
  #rest = new Int32Array(0);
  #expires = new Float64Array(0);
  /** The texts of long keys. */
  readonly #texts: (string | undefined)[] = [undefined];

  constructor(asked: Int32Array) {
    this.#asked = asked;
  }

  /** One more than the largest number that was used. */
  get end(): number {
    return this.#texts.length;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Makes room for numbers up to `capacity`. */
  grow(capacity: number): void {
    this.#capacity = capacity;
    const rows = new Int32Array((capacity + 1) * rowWords);
    rows.set(this.#rows);
    this.#rows = rows;
    const rest = new Int32Array((capacity + 1) * rowWords);
    rest.set(this.#rest);
    this.#rest = rest;
    const expires = new Float64Array(capacity + 1);
    expires.set(this.#expires);
    this.#expires = expires;
  }

  /** Whether this is the entry of the key just written to the key window. */
  isOf(number: number, extent: number, key: string): boolean {
    const rows = this.#rows;
    let word = number * rowWords;
    if (rows[word] !== extent) return false;
    const length = extent & codes.extentLengthMask;
    if (length > rowKeyBytesMax) return this.#texts[number] === key;
    const asked = this.#asked;
    const end = (length + 3) >> 2;
    word += keyAt;
    for (let index = 0; index < end; index++) {
      if (rows[word++] !== asked[index]) return false;
    }
    return true;
  }

  /** Whether this is the entry of `key`. */
  hasKey(number: number, key: NearKey): boolean {
    const row = number * rowWords;
    if (this.#rows[row] !== key.extent) return false;
    if (key.isLong) return this.#texts[number] === key.text;
    const end = ((key.extent & codes.extentLengthMask) + 3) >> 2;
    for (let word = 0; word < end; word++) {
      if (this.#rows[row + keyAt + word] !== key.words[word]) return false;
    }
    return true;
  }

  /** Writes an entry. Its number is at most `end`. */
  put(
    number: number,
    key: NearKey,
    word: NearWord,
    state: number,
    expiresMs: number,
    bytes: number,
  ): void {
    this.#texts[number] = key.isLong ? key.text : undefined;
    if (expiresMs !== Infinity) this.#expires[number] = expiresMs;
    const rows = this.#rows;
    const row = number * rowWords;
    rows[row] = key.extent;
    rows[row + 1] = state;
    for (let at = 0; at < keyWords; at++) rows[row + keyAt + at] = key.words[at] as number;
    const rest = this.#rest;
    rest[row] = word.low;
    rest[row + 1] = word.high;
    rest[row + 2] = word.tagEpoch ?? 0;
    rest[row + 3] = bytes;
    rest[row + 4] = key.hashLow;
    rest[row + 6] = key.hash;
    rest[row + 7] = 1;
  }

  isUsed(number: number): boolean {
    return this.#rest[number * rowWords + 7] === 1;
  }

  /** Ends an entry. */
  remove(number: number): void {
    this.#rest[number * rowWords + 7] = 0;
    if (this.#texts[number] !== undefined) this.#texts[number] = undefined;
  }

  stateOf(number: number): number {
    return this.#rows[number * rowWords + 1] as number;
  }

  setState(number: number, state: number): void {
    this.#rows[number * rowWords + 1] = state;
  }

  lowOf(number: number): number {
    return this.#rest[number * rowWords] as number;
  }

  highOf(number: number): number {
    return this.#rest[number * rowWords + 1] as number;
  }

  tagEpochOf(number: number): number {
    return this.#rest[number * rowWords + 2] as number;
  }

  bytesOf(number: number): number {
    return this.#rest[number * rowWords + 3] as number;
  }

  hashLowOf(number: number): number {
    return this.#rest[number * rowWords + 4] as number;
  }

  nextOf(number: number): number {
    return this.#rest[number * rowWords + 5] as number;
  }

  setNext(number: number, next: number): void {
    this.#rest[number * rowWords + 5] = next;
  }

  hashOf(number: number): number {
    return this.#rest[number * rowWords + 6] as number;
  }

  /** Wall-clock milliseconds, if the entry's state says that it expires. */
  expiresOf(number: number): number {
    return this.#expires[number] as number;
  }

  /** The text of the entry's key. */
  textOf(number: number): string {
    const text = this.#texts[number];
    if (text !== undefined) return text;
    const row = number * rowWords;
    const length = (this.#rows[row] as number) & codes.extentLengthMask;
    const { buffer, byteOffset } = this.#rows;
    return Buffer.from(buffer, byteOffset + 4 * (row + keyAt), length).toString("utf8");
  }

  /** Removes everything and gives the memory back. */
  clear(): void {
    this.#capacity = 0;
    this.#rows = new Int32Array(0);
    this.#rest = new Int32Array(0);
    this.#expires = new Float64Array(0);
    this.#texts.length = 1;
  }

  /** Bytes of the rows, without long keys. */
  get heapBytes(): number {
    return this.#capacity * bytesPerEntry;
  }
}
