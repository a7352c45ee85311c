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
//         + 3  high     the same; with expiresBit set when the value expires (#expires[place / 4] says when), and with
//                       taggedBit when it has tags: then it counts while no tag is invalidated (#tagEpochs[place / 4])
//
// A caller that keeps its key strings is served better by an index of those very strings (kept-keys.ts): values that neither
// expire nor have tags, and are hit again, then stand in both.
import type { Clock } from "../base/mod.js";
import type { Config } from "../config/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { counterNearEvictions } from "../stats/mod.js";
import { KeptKeys } from "./kept-keys.js";
import { KeyHabit } from "./key-habit.js";

// Here and not where they are used: the compiler does not know the numbers of another module.
const epochWord = at.controlNearEpoch / 4;
const tagEpochWord = at.controlTagEpoch / 4;
/** They stand where a slot's high word has its frequency, which an entry's word has no use for. */
const expiresBit = 1 << (at.slotFrequencyShift - 32);
const taggedBit = 2 << (at.slotFrequencyShift - 32);
/** Places per entry allowed: nine entries in ten then stand in the first pair that is looked at. */
const placesPerEntry = 2;
/** Entries moved at most to make a place. */
const movesMax = 12;
/** Elements of a place, and of a pair of places, which lie side by side. */
const placeSize = 4;
const pairSize = 2 * placeSize;

/** Without an index of kept keys: one in 64 keys, by its hash, and one in 8 hits of these shows whether callers keep their
 *  strings. A string is known as kept by the hash that it was given at an earlier look here, so it is the same few keys. */
const sampledKeysMask = 63;
const sampledHitsMask = 7;

export class NearCache {
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #i32: Int32Array;
  readonly #word: number;
  readonly #hash: number;
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
  #epoch: number;
  #hand = 0;
  readonly #habit = new KeyHabit();
  readonly #mayKeep: () => number;
  /** Values by the strings that callers keep; null while they build their strings anew. */
  kept: KeptKeys | null = null;
  #hits = 0;
  /** Bits of the high half of a hash: hits of keys that have none of them are looked at. */
  #keysMask = sampledKeysMask;
  count = 0;
  bytes = 0;

  constructor(kernel: Kernel, near: NonNullable<Config["near"]>, clock: Clock) {
    this.#kernel = kernel;
    this.#mayKeep = kernel.verbs.mayKeep;
    this.#clock = clock;
    this.#i32 = kernel.views.i32;
    this.#word = (kernel.block + at.resultSlotLow) / 4;
    this.#hash = (kernel.block + at.resultHashLow) / 4;
    this.#maxEntries = near.maxEntries;
    this.#maxBytes = near.maxBytes;
    this.#pairs = Math.max(4, Math.ceil((near.maxEntries * placesPerEntry) / 2));
    this.#scale = this.#pairs / 2 ** 32;
    this.#epoch = this.#i32[epochWord] as number;
  }

  /** With an index of kept keys: adds a key, as it was asked for and before it is looked up, to the sample that says whether
   *  callers keep their strings still. */
  observe(key: string): void {
    if (this.kept !== null) this.#judge(key);
  }

  /** With an index of kept keys: adds the entry. Without one: a hit of the keys that show whether there should be one. */
  #noteHit(key: string, place: number): void {
    if (this.kept !== null) {
      if (this.#mayKeep() === 1) this.kept.add(key, this.#table[place + 1]);
    } else if ((++this.#hits & sampledHitsMask) === 0) {
      this.#judge(key);
    }
  }

  #judge(key: string): void {
    this.indexKeys(this.#habit.observe(key, this.kept?.values ?? null));
  }

  /** Begins or ends the index of kept keys. */
  indexKeys(isWanted: boolean): void {
    if (isWanted === (this.kept !== null)) return;
    this.#keysMask = isWanted ? 0 : sampledKeysMask;
    this.kept = isWanted
      ? new KeptKeys(this.#kernel, this.count, (hash) => this.#forgetKept(hash))
      : null;
  }

  /** Takes what has this low half of a hash out of the index of kept keys. */
  #forgetKept(hashLow: number): void {
    const first = this.#pairOf(hashLow);
    const second = this.#secondPairOf(hashLow);
    for (const place of [first, first + placeSize, second, second + placeSize]) {
      if (this.#hashes[place / placeSize] !== hashLow) continue;
      this.kept?.values.delete(this.#table[place] as string);
    }
  }

  /** The value made from what the slot of the kernel's last `findNear` shows, if it is kept, of this key and fresh. Where
   *  it would stand follows from the key's hash, not from the slot: so both are fetched at once. */
  find(key: string): unknown {
    const i32 = this.#i32;
    if (i32[epochWord] !== this.#epoch) this.#drop();
    const table = this.#table;
    const low = i32[this.#word];
    const hash = i32[this.#hash] as number;
    let place = this.#pairOf(hash);
    if (table[place + 2] !== low || table[place] !== key) {
      place += placeSize;
      if (table[place + 2] !== low || table[place] !== key) {
        place = this.#secondPairOf(hash);
        if (table[place + 2] !== low || table[place] !== key) {
          place += placeSize;
          if (table[place + 2] !== low || table[place] !== key) return undefined;
        }
      }
    }
    const high = i32[this.#word + 1] as number;
    if (table[place + 3] === high) {
      if (((i32[this.#hash + 1] as number) & this.#keysMask) === 0) this.#noteHit(key, place);
      return table[place + 1];
    }
    if (table[place + 3] !== (high | expiresBit)) return this.#findTagged(place, high);
    const expiresMs = this.#expires[place / placeSize] as number;
    return expiresMs > this.#clock.now() ? table[place + 1] : undefined;
  }

  /** An entry with tags is kept until any tag is invalidated: whether one of its own was, the next look in memory says. */
  #findTagged(place: number, high: number): unknown {
    const kept = this.#table[place + 3] as number;
    if ((kept & ~expiresBit) !== (high | taggedBit)) return undefined;
    if (this.#tagEpochs[place / placeSize] !== this.#i32[tagEpochWord]) return undefined;
    if (kept !== (high | taggedBit)) {
      const expiresMs = this.#expires[place / placeSize] as number;
      if (expiresMs <= this.#clock.now()) return undefined;
    }
    return this.#table[place + 1];
  }

  /** The first of the two places of the pair of a hash. */
  #pairOf(hash: number): number {
    return (((hash >>> 0) * this.#scale) | 0) * pairSize;
  }

  /** The same of its other pair (multiplicative hashing: Knuth, TAOCP 6.4). */
  #secondPairOf(hash: number): number {
    return this.#pairOf(Math.imul(hash, 0x9e3779b1));
  }

  /** Keeps a value decoded from the record of the kernel's last `find`: its slot's word, with a `tagEpoch` of null for a
   *  record without tags, and the low half of its key's hash. */
  keep(
    word: { readonly low: number; readonly high: number; readonly tagEpoch: number | null },
    hash: number,
    key: string,
    value: unknown,
    expiresMs: number,
    bytes: number,
  ): void {
    if (bytes > this.#maxBytes) return;
    if (this.#table.length === 0) this.#make();
    const table = this.#table;
    const place = this.#placeFor(hash, key);
    this.#remove(place);
    this.#hashes[place / placeSize] = hash;
    table[place] = key;
    table[place + 1] = value;
    table[place + 2] = word.low | 0;
    table[place + 3] =
      word.high |
      (expiresMs === Infinity ? 0 : expiresBit) |
      (word.tagEpoch === null ? 0 : taggedBit);
    this.#tagEpochs[place / placeSize] = word.tagEpoch ?? 0;
    this.#expires[place / placeSize] = expiresMs;
    this.#bytesOf[place / placeSize] = bytes;
    this.count += 1;
    this.bytes += bytes;
    while (this.count > this.#maxEntries || this.bytes > this.#maxBytes) this.#evict(place);
  }

  /** An older value of the key gives way, else an empty place is taken, else one is made (cuckoo hashing with pairs: Pagh
   *  and Rodler 2001, Dietzfelbinger and Weidling 2007), else who stands at the first goes. */
  #placeFor(hash: number, key: string): number {
    const table = this.#table;
    const first = this.#pairOf(hash);
    const second = this.#secondPairOf(hash);
    let empty = -1;
    for (const place of [second + placeSize, second, first + placeSize, first]) {
      if (table[place] === key) return place;
      if (table[place] === undefined) empty = place;
    }
    if (empty < 0) this.#vacate(first, movesMax);
    return empty < 0 ? first : empty;
  }

  /** Moves who stands at a place to its other pair, and who stands there on in turn; false if no place was found within
   *  `moves` moves. */
  #vacate(place: number, moves: number): boolean {
    const table = this.#table;
    const hash = this.#hashes[place / placeSize] as number;
    const first = this.#pairOf(hash);
    const isInFirst = place === first || place === first + placeSize;
    const pair = isInFirst ? this.#secondPairOf(hash) : first;
    for (const other of [pair, pair + placeSize]) {
      if (table[other] !== undefined) continue;
      this.#move(place, other);
      return true;
    }
    if (moves === 0) return false;
    const next = pair + (moves & 1) * placeSize;
    if (!this.#vacate(next, moves - 1)) return false;
    // The chain may have come back to this place and emptied it.
    if (table[place] !== undefined && table[next] === undefined) this.#move(place, next);
    return true;
  }

  #move(from: number, to: number): void {
    const table = this.#table;
    for (let element = 0; element < placeSize; element++) {
      table[to + element] = table[from + element];
      table[from + element] = undefined;
    }
    this.#hashes[to / placeSize] = this.#hashes[from / placeSize] as number;
    this.#bytesOf[to / placeSize] = this.#bytesOf[from / placeSize] as number;
    this.#expires[to / placeSize] = this.#expires[from / placeSize] as number;
    this.#tagEpochs[to / placeSize] = this.#tagEpochs[from / placeSize] as number;
  }

  #make(): void {
    this.#table = Array.from({ length: this.#pairs * pairSize }, () => undefined);
    this.#bytesOf = new Int32Array(this.#pairs * 2);
    this.#hashes = new Int32Array(this.#pairs * 2);
    this.#expires = new Float64Array(this.#pairs * 2);
    this.#tagEpochs = new Int32Array(this.#pairs * 2);
  }

  #remove(place: number): void {
    const table = this.#table;
    if (table[place] === undefined) return;
    this.kept?.values.delete(table[place] as string);
    table[place] = undefined;
    table[place + 1] = undefined;
    table[place + 2] = undefined;
    this.count -= 1;
    this.bytes -= this.#bytesOf[place / placeSize] as number;
  }

  /** The hand goes round the places, which are in random order: a value dropped wrongly costs one decode. */
  #evict(newest: number): void {
    for (let step = 0; step < this.#pairs * 2; step++) {
      this.#hand = this.#hand + placeSize < this.#table.length ? this.#hand + placeSize : 0;
      if (this.#hand === newest || this.#table[this.#hand] === undefined) continue;
      this.#remove(this.#hand);
      this.#kernel.count(counterNearEvictions, 1);
      return;
    }
  }

  #drop(): void {
    this.kept?.clear();
    this.#table = [];
    this.count = 0;
    this.bytes = 0;
    this.#epoch = this.#i32[epochWord] as number;
  }
}
