// The near table: the near cache's entries, decoded values by key and slot word. Called by the near
// cache. An entry is current while the slot still shows the word that it was decoded from, so no
// message has to reach this thread. Invariant: at most `maxEntries` values, which stand for at most
// `maxBytes` encoded bytes.
//
// In a cache larger than the processor's caches a hit costs what it touches. So an entry is four
// neighbouring elements of one array, not an object. Its position p counts entries:
//
//   4 p + 0  key      a string of its own
//       + 1  value
//       + 2  low      the slot's word, without its frequency
//       + 3  high     likewise, with expiresBit if the value expires (at #expires[p]) and taggedBit
//                     if it has tags: then it holds until the tag epoch leaves #tagEpochs[p];
//                     with namespacedBit if it is of a namespace, which is in #spaces[p]
import { type CallResults, codes } from "../kernel/mod.js";
import { filledArray } from "./filled-array.js";

/** These bits are where a slot's high word has its frequency, which an entry's word does not
 *  need. */
const expiresBit = 1 << (codes.slotFrequencyShift - 32);
const taggedBit = 2 << (codes.slotFrequencyShift - 32);
/** No near entry is of a disk slot, so this bit is free. */
const namespacedBit = 1 << (codes.slotTierShift - 32);
/** Positions per entry allowed. Nine entries in ten are then in the pair that is looked at
 *  first. */
const positionsPerEntry = 2;
/** Entries moved at most to make room for one. */
const movesMax = 12;
/** Array elements per entry. */
const entrySize = 4;

/** What a near entry was decoded from. */
export interface NearWord {
  readonly low: number;
  readonly high: number;
  /** The tag epoch read before the record's tags were checked; null for a record without tags. */
  readonly tagEpoch: number | null;
}

export class NearTable {
  readonly #results: CallResults;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #pairs: number;
  /** Maps the low half of a hash to a pair of positions. */
  readonly #scale: number;
  // Allocated with the first value: attaching a thread costs nothing until then.
  #table: unknown[] = [];
  #bytesOf = new Int32Array(0);
  #hashes = new Int32Array(0);
  #expires = new Float64Array(0);
  #tagEpochs = new Int32Array(0);
  #numbers = new Int32Array(0);
  #spaces = new Uint8Array(0);
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

  /** The position of this key's entry, if it was made from the slot word that the kernel's last
   *  `findNear` left; -1 if there is none. The position follows from the key's hash and not from
   *  the slot, so the processor fetches both at once. */
  find(key: string, space: number): number {
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
    // The high half of the word, without the two bits of ours.
    const high = (table[element + 3] as number) & ~(expiresBit | taggedBit);
    const slotHigh = this.#results.slotHigh | 0;
    const position = element / entrySize;
    if (space === 0) return high === slotHigh ? position : -1;
    return high === (slotHigh | namespacedBit) && this.#spaces[position] === space ? position : -1;
  }

  /** The id of the namespace of the entry. */
  spaceAt(position: number): number {
    return this.#spaces[position] as number;
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

  /** The tag epoch for which the entry is valid; null for an entry without tags. */
  tagEpochAt(position: number): number | null {
    const high = this.#table[position * entrySize + 3] as number;
    return (high & taggedBit) === 0 ? null : (this.#tagEpochs[position] as number);
  }

  /** The entry's number in the near hash index. It may be stale: the index checks the key. */
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

  /** The first of the two positions of a hash's pair. */
  #pairOf(hash: number): number {
    return (((hash >>> 0) * this.#scale) | 0) * 2;
  }

  /** The same for its other pair (multiplicative hashing: Knuth, TAOCP 6.4). */
  #secondPairOf(hash: number): number {
    return this.#pairOf(Math.imul(hash, 0x9e3779b1));
  }

  /** Whether a value of so many encoded bytes may be kept. */
  takes(bytes: number): boolean {
    return bytes <= this.#maxBytes;
  }

  /** The position for a key's entry: that of its older value, else an empty one, else one that is
   *  vacated (cuckoo hashing with pairs: Pagh and Rodler 2001, Dietzfelbinger and Weidling 2007),
   *  else the first one, whose entry the caller removes. */
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
    space: number,
  ): void {
    const element = position * entrySize;
    this.#hashes[position] = hash;
    this.#table[element] = key;
    this.#table[element + 1] = value;
    this.#table[element + 2] = word.low | 0;
    this.#table[element + 3] =
      word.high |
      (expiresMs === Infinity ? 0 : expiresBit) |
      (word.tagEpoch === null ? 0 : taggedBit) |
      (space === 0 ? 0 : namespacedBit);
    this.#spaces[position] = space;
    this.#tagEpochs[position] = word.tagEpoch ?? 0;
    this.#expires[position] = expiresMs;
    this.#bytesOf[position] = bytes;
    this.count += 1;
    this.bytes += bytes;
  }

  /** Whether the table exceeds a bound. */
  get isOverfull(): boolean {
    return this.count > this.#maxEntries || this.bytes > this.#maxBytes;
  }

  /** The position of the entry to drop next, never `newest`; -1 if there is none. The hand goes
   *  round the positions, whose entries are in random order: a value dropped wrongly costs one
   *  decode. */
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

  /** Moves the entry at a position to its other pair, and whichever entry is in the way to its own.
   *  False if no room was found within `moves` moves. */
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
    this.#spaces[to] = this.#spaces[from] as number;
  }

  #make(): void {
    const positions = this.#pairs * 2;
    this.#table = filledArray(positions * entrySize);
    this.#bytesOf = new Int32Array(positions);
    this.#hashes = new Int32Array(positions);
    this.#expires = new Float64Array(positions);
    this.#tagEpochs = new Int32Array(positions);
    this.#numbers = new Int32Array(positions);
    this.#spaces = new Uint8Array(positions);
  }

  /** Removes everything and gives the memory back. */
  clear(): void {
    this.#table = [];
    this.#bytesOf = new Int32Array(0);
    this.#hashes = new Int32Array(0);
    this.#expires = new Float64Array(0);
    this.#tagEpochs = new Int32Array(0);
    this.#numbers = new Int32Array(0);
    this.#spaces = new Uint8Array(0);
    this.count = 0;
    this.bytes = 0;
  }
}
