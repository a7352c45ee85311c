// The near cache's entries: decoded values by key and slot word. An entry is current while the slot still shows the word that it
// was decoded from, so no message has to reach this thread. Called by the near cache. Invariant: at most `maxEntries` values that
// stand for at most `maxBytes` encoded bytes.
//
// A hit of a cache that does not fit the processor's caches costs what it touches, so an entry is four elements of one array, side
// by side, and not an object of its own. An entry is named by its position, which counts entries; its elements start at 4 times that:
//
//   4 p + 0  key      a string of its own
//       + 1  value
//       + 2  low      the slot's word, less its frequency
//       + 3  high     the same; with expiresBit set when the value expires (#expires[p] says when), and with taggedBit when it
//                     has tags: then it counts while no tag is invalidated (#tagEpochs[p])
import { type CallResults, codes } from "../kernel/mod.js";
import { filledArray } from "./filled-array.js";

/** They stand where a slot's high word has its frequency, which an entry's word has no use for. */
const expiresBit = 1 << (codes.slotFrequencyShift - 32);
const taggedBit = 2 << (codes.slotFrequencyShift - 32);
/** Positions per entry allowed: nine entries in ten then stand in the first pair that is looked at. */
const positionsPerEntry = 2;
/** Entries moved at most to make room for one. */
const movesMax = 12;
/** Elements of an entry. */
const entrySize = 4;

/** What a near entry was decoded from. */
export interface NearWord {
  readonly low: number;
  readonly high: number;
  /** The tag epoch before the record's tags were looked at; null for a record without tags. */
  readonly tagEpoch: number | null;
}

export class NearTable {
  readonly #results: CallResults;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #pairs: number;
  /** Maps the low half of a hash to a pair. */
  readonly #scale: number;
  // Made when the first value is kept: attaching a thread costs nothing then.
  #table: unknown[] = [];
  #bytesOf = new Int32Array(0);
  #hashes = new Int32Array(0);
  #expires = new Float64Array(0);
  #tagEpochs = new Int32Array(0);
  #numbers = new Int32Array(0);
  #hand = 0;
  count = 0;
  bytes = 0;

  constructor(results: CallResults, maxEntries: number, maxBytes: number) {
    this.#results = results;
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
    this.#pairs = Math.max(4, Math.ceil((maxEntries * positionsPerEntry) / 2));
    this.#scale = this.#pairs / 2 ** 32;
  }

  /** The position of the entry made from what the slot of the kernel's last `findNear` shows, if it is of this key; -1 if there
   *  is none. Where it would stand follows from the key's hash, not from the slot: so both are fetched at once. */
  find(key: string): number {
    const table = this.#table;
    const low = this.#results.slotLow | 0;
    const hash = this.#results.hashLow;
    let element = this.#pairOf(hash) * entrySize;
    if (table[element + 2] !== low || table[element] !== key) {
      element += entrySize;
      if (table[element + 2] !== low || table[element] !== key) {
        element = this.#secondPairOf(hash) * entrySize;
        if (table[element + 2] !== low || table[element] !== key) {
          element += entrySize;
          if (table[element + 2] !== low || table[element] !== key) return -1;
        }
      }
    }
    // The other half of the word, whatever is noted beside it.
    const high = (table[element + 3] as number) & ~(expiresBit | taggedBit);
    return high === (this.#results.slotHigh | 0) ? element / entrySize : -1;
  }

  keyAt(position: number): string {
    return this.#table[position * entrySize] as string;
  }

  valueAt(position: number): unknown {
    return this.#table[position * entrySize + 1];
  }

  /** Wall-clock milliseconds, Infinity = never. */
  expiresAt(position: number): number {
    const high = this.#table[position * entrySize + 3] as number;
    return (high & expiresBit) === 0 ? Infinity : (this.#expires[position] as number);
  }

  /** The tag epoch for which the entry counts; null for one without tags. */
  tagEpochAt(position: number): number | null {
    const high = this.#table[position * entrySize + 3] as number;
    return (high & taggedBit) === 0 ? null : (this.#tagEpochs[position] as number);
  }

  /** The entry's number in the near hash index; one that is not there any more may stay. */
  numberAt(position: number): number {
    return this.#numbers[position] as number;
  }

  setNumber(position: number, number: number): void {
    this.#numbers[position] = number;
  }

  /** The positions of the entries whose keys have this low half of a hash. */
  *positionsOf(hashLow: number): Generator<number> {
    const first = this.#pairOf(hashLow);
    const second = this.#secondPairOf(hashLow);
    for (const position of [first, first + 1, second, second + 1]) {
      if (this.#hashes[position] === hashLow && this.#isTaken(position)) yield position;
    }
  }

  #isTaken(position: number): boolean {
    return this.#table[position * entrySize] !== undefined;
  }

  /** The first of the two positions of the pair of a hash. */
  #pairOf(hash: number): number {
    return (((hash >>> 0) * this.#scale) | 0) * 2;
  }

  /** The same of its other pair (multiplicative hashing: Knuth, TAOCP 6.4). */
  #secondPairOf(hash: number): number {
    return this.#pairOf(Math.imul(hash, 0x9e3779b1));
  }

  /** Could a value of so many encoded bytes be kept? */
  takes(bytes: number): boolean {
    return bytes <= this.#maxBytes;
  }

  /** Where an entry of the key will stand: at an older value of it, else at an empty position, else at one that is made (cuckoo
   *  hashing with pairs: Pagh and Rodler 2001, Dietzfelbinger and Weidling 2007), else at the first, whose entry goes. */
  positionFor(hash: number, key: string): number {
    if (this.#table.length === 0) this.#make();
    const first = this.#pairOf(hash);
    const second = this.#secondPairOf(hash);
    let empty = -1;
    for (const position of [second + 1, second, first + 1, first]) {
      if (this.#table[position * entrySize] === key) return position;
      if (!this.#isTaken(position)) empty = position;
    }
    if (empty < 0) this.#vacate(first, movesMax);
    return empty < 0 ? first : empty;
  }

  /** Puts an entry at an empty position. */
  put(
    position: number,
    word: NearWord,
    hash: number,
    key: string,
    value: unknown,
    expiresMs: number,
    bytes: number,
  ): void {
    const element = position * entrySize;
    this.#hashes[position] = hash;
    this.#table[element] = key;
    this.#table[element + 1] = value;
    this.#table[element + 2] = word.low | 0;
    this.#table[element + 3] =
      word.high |
      (expiresMs === Infinity ? 0 : expiresBit) |
      (word.tagEpoch === null ? 0 : taggedBit);
    this.#tagEpochs[position] = word.tagEpoch ?? 0;
    this.#expires[position] = expiresMs;
    this.#bytesOf[position] = bytes;
    this.count += 1;
    this.bytes += bytes;
  }

  /** Is there more than there may be? */
  get isOverfull(): boolean {
    return this.count > this.#maxEntries || this.bytes > this.#maxBytes;
  }

  /** The position of the entry that goes next, but never `newest`; -1 if there is none. The hand goes round the positions, whose
   *  entries are in random order: a value dropped wrongly costs one decode. */
  nextVictim(newest: number): number {
    const positions = this.#pairs * 2;
    for (let step = 0; step < positions; step++) {
      this.#hand = this.#hand + 1 < positions ? this.#hand + 1 : 0;
      if (this.#hand !== newest && this.#isTaken(this.#hand)) return this.#hand;
    }
    return -1;
  }

  /** Removes the entry at a position; false if there is none. */
  remove(position: number): boolean {
    if (!this.#isTaken(position)) return false;
    const element = position * entrySize;
    this.#table[element] = undefined;
    this.#table[element + 1] = undefined;
    this.#table[element + 2] = undefined;
    this.count -= 1;
    this.bytes -= this.#bytesOf[position] as number;
    return true;
  }

  isTaken(position: number): boolean {
    return this.#table.length > 0 && this.#isTaken(position);
  }

  /** Moves the entry at a position to its other pair, and who stands there on in turn; false if no room was found within `moves`
   *  moves. */
  #vacate(position: number, moves: number): boolean {
    const hash = this.#hashes[position] as number;
    const first = this.#pairOf(hash);
    const isInFirst = position === first || position === first + 1;
    const pair = isInFirst ? this.#secondPairOf(hash) : first;
    for (const other of [pair, pair + 1]) {
      if (this.#isTaken(other)) continue;
      this.#move(position, other);
      return true;
    }
    if (moves === 0) return false;
    const next = pair + (moves & 1);
    if (!this.#vacate(next, moves - 1)) return false;
    // The chain may have come back to this position and emptied it.
    if (this.#isTaken(position) && !this.#isTaken(next)) this.#move(position, next);
    return true;
  }

  #move(from: number, to: number): void {
    const table = this.#table;
    for (let element = 0; element < entrySize; element++) {
      table[to * entrySize + element] = table[from * entrySize + element];
      table[from * entrySize + element] = undefined;
    }
    this.#hashes[to] = this.#hashes[from] as number;
    this.#bytesOf[to] = this.#bytesOf[from] as number;
    this.#expires[to] = this.#expires[from] as number;
    this.#tagEpochs[to] = this.#tagEpochs[from] as number;
    this.#numbers[to] = this.#numbers[from] as number;
  }

  #make(): void {
    const positions = this.#pairs * 2;
    this.#table = filledArray(positions * entrySize);
    this.#bytesOf = new Int32Array(positions);
    this.#hashes = new Int32Array(positions);
    this.#expires = new Float64Array(positions);
    this.#tagEpochs = new Int32Array(positions);
    this.#numbers = new Int32Array(positions);
  }

  clear(): void {
    this.#table = [];
    this.count = 0;
    this.bytes = 0;
  }
}
