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
// Values without tags that are hit again stand in a second place too, where they are found without the kernel: by the very
// string, where callers keep their key strings and the value does not expire (kept-keys.ts), else by a hash of the key that
// costs next to nothing (built-keys.ts). The table has the bounds, and knows the key of a hash that the change log names.
import type { Clock } from "../base/mod.js";
import type { Config } from "../config/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { counterNearEvictions } from "../stats/mod.js";
import { NearHashIndex } from "./near-hash-index.js";
import { InvalidationReader } from "./invalidation-reader.js";
import { IdentityIndex } from "./identity-index.js";
import { KeyIdentityDetector } from "./key-identity-detector.js";
import { filledArray } from "./filled-array.js";

// Here and not where they are used: the compiler does not know the numbers of another module.
const epochWord = at.controlNearEpoch / 4;
const tagEpochWord = at.controlTagEpoch / 4;
const sampleMaskWord = at.controlSampleMask / 4;
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

/** About as many keys show, while there is no index of kept keys, whether callers keep their strings: one in 64 to one in
 *  256, by the hash. A string is known as kept by the hash that it was given at an earlier look here, so it is the same
 *  few keys. They stand in no second place, so that all their hits come by here. */
const sampledKeys = 256;
const [sampledKeysShiftMin, sampledKeysShiftMax] = [6, 8];
/** One in this many hits of all keys is such a look. */
const sampledHits = 512;

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
  /** The numbers of the entries in `hashIndex`; those that are not there any more may stay. */
  #numbers = new Int32Array(0);
  #epoch: number;
  #hand = 0;
  readonly #detector = new KeyIdentityDetector();
  readonly #mayKeepNear: () => number;
  /** Says whether what stands in `identity` and `hashIndex` may answer. */
  readonly invalidations: InvalidationReader;
  /** Values by the strings that callers keep. */
  readonly identity = new IdentityIndex();
  /** Values by hashes of their keys. */
  readonly hashIndex: NearHashIndex;
  readonly #sampledKeysMask: number;
  readonly #sampledHitsMask: number;
  #hits = 0;
  count = 0;
  bytes = 0;

  constructor(kernel: Kernel, near: NonNullable<Config["near"]>, clock: Clock) {
    this.#kernel = kernel;
    this.#mayKeepNear = kernel.verbs.mayKeepNear;
    this.#clock = clock;
    this.#i32 = kernel.views.i32;
    this.#word = (kernel.block + at.resultSlotLow) / 4;
    this.#hash = (kernel.block + at.resultHashLow) / 4;
    this.#maxEntries = near.maxEntries;
    this.#maxBytes = near.maxBytes;
    this.#pairs = Math.max(4, Math.ceil((near.maxEntries * placesPerEntry) / 2));
    this.#scale = this.#pairs / 2 ** 32;
    this.#epoch = this.#i32[epochWord] as number;
    const shift = Math.ceil(Math.log2(near.maxEntries / sampledKeys));
    const keys = 2 ** Math.min(Math.max(shift, sampledKeysShiftMin), sampledKeysShiftMax);
    this.#sampledKeysMask = keys - 1;
    this.#sampledHitsMask = sampledHits / keys - 1;
    this.hashIndex = new NearHashIndex(kernel, near.maxEntries, clock);
    this.invalidations = new InvalidationReader(kernel, this);
  }

  /** With an index of kept keys: adds a key, as it was asked for and before it is looked up, to the sample that says whether
   *  callers keep their strings still. */
  observe(key: string): void {
    if (this.identity.isOn) this.#judge(key);
  }

  /** A value that was hit here comes into its second place, and some show whether callers keep their strings. `keyHash` and
   *  `keyBytes` are the key window's. */
  #noteHit(key: string, keyHash: number, keyBytes: number, place: number, expiresMs: number): void {
    const { identity } = this;
    if (!identity.isOn && ((this.#i32[this.#hash + 1] as number) & this.#sampledKeysMask) === 0) {
      if ((++this.#hits & this.#sampledHitsMask) === 0) this.#judge(key);
      return;
    }
    // As mayKeepNear would say, but without a call: in a small cache it is so of all keys.
    const i32 = this.#i32;
    if (((i32[this.#hash] as number) & (i32[sampleMaskWord] as number)) === 0) return;
    if (this.#mayKeepNear() !== 1) return;
    const value = this.#table[place + 1];
    if (identity.isOn && expiresMs === Infinity) {
      identity.add(key, value);
      return;
    }
    const number = this.#numbers[place / placeSize] as number;
    const name = this.#table[place] as string;
    this.#numbers[place / placeSize] = this.hashIndex.add(
      keyHash,
      keyBytes,
      name,
      value,
      expiresMs,
      number,
    );
  }

  #judge(key: string): void {
    const { isOn, values } = this.identity;
    this.indexKeys(this.#detector.observe(key, isOn ? values : null));
  }

  /** Begins or ends the index of kept keys. */
  indexKeys(isWanted: boolean): void {
    if (isWanted === this.identity.isOn) return;
    this.forgetAll();
    if (isWanted) this.identity.begin(this.count);
    else this.identity.end();
  }

  isEmpty(): boolean {
    return this.hashIndex.isEmpty && this.identity.values.size === 0;
  }

  /** Takes what has this low half of a hash out of its second place. */
  forget(hashLow: number): void {
    const first = this.#pairOf(hashLow);
    const second = this.#secondPairOf(hashLow);
    for (const place of [first, first + placeSize, second, second + placeSize]) {
      if (this.#hashes[place / placeSize] === hashLow) this.#forgetPlace(place);
    }
  }

  #forgetPlace(place: number): void {
    const key = this.#table[place] as string | undefined;
    if (key === undefined) return;
    // A Map hashes a string for this, also where there is nothing.
    if (this.identity.isOn) this.identity.values.delete(key);
    this.hashIndex.remove(this.#numbers[place / placeSize] as number, key);
  }

  /** Empties both second places. */
  forgetAll(): void {
    this.identity.clear();
    this.hashIndex.clear();
  }

  /** The value made from what the slot of the kernel's last `findNear` shows, if it is kept, of this key and fresh. Where
   *  it would stand follows from the key's hash, not from the slot: so both are fetched at once. `keyHash` and
   *  `keyBytes` are the key window's. */
  find(key: string, keyHash: number, keyBytes: number): unknown {
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
      this.#noteHit(key, keyHash, keyBytes, place, Infinity);
      return table[place + 1];
    }
    if (table[place + 3] !== (high | expiresBit)) return this.#findTagged(place, high);
    const expiresMs = this.#expires[place / placeSize] as number;
    if (expiresMs <= this.#clock.now()) return undefined;
    this.#noteHit(key, keyHash, keyBytes, place, expiresMs);
    return table[place + 1];
  }

  /** An entry with tags is kept until any tag is invalidated: whether one of its own was, the next look in memory says. */
  #findTagged(place: number, high: number): unknown {
    const identity = this.#table[place + 3] as number;
    if ((identity & ~expiresBit) !== (high | taggedBit)) return undefined;
    if (this.#tagEpochs[place / placeSize] !== this.#i32[tagEpochWord]) return undefined;
    if (identity !== (high | taggedBit)) {
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
    this.#numbers[to / placeSize] = this.#numbers[from / placeSize] as number;
  }

  #make(): void {
    this.#table = filledArray(this.#pairs * pairSize);
    this.#bytesOf = new Int32Array(this.#pairs * 2);
    this.#hashes = new Int32Array(this.#pairs * 2);
    this.#expires = new Float64Array(this.#pairs * 2);
    this.#tagEpochs = new Int32Array(this.#pairs * 2);
    this.#numbers = new Int32Array(this.#pairs * 2);
  }

  #remove(place: number): void {
    const table = this.#table;
    if (table[place] === undefined) return;
    this.#forgetPlace(place);
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
    this.forgetAll();
    this.#table = [];
    this.count = 0;
    this.bytes = 0;
    this.#epoch = this.#i32[epochWord] as number;
  }
}
