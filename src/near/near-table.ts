// The near table: the near cache's entries, decoded values by key, each with the slot word that it
// was decoded from. Called by the near cache, which says when an entry may answer. An entry has a
// number, from 1. Invariants: at most `entriesMax` values, which stand for at most `bytesMax`
// encoded bytes, once the caller has evicted what is too much; each entry is in the chain of its
// key's hash, by which the invalidation log names it.
import { NearIndex, numberMax } from "./near-index.js";
import { type NearKey, NearRows, type NearWord } from "./near-rows.js";

/** Entries that the first arrays have room for; they double as entries come. */
const firstCapacity = 1024;

// An entry's state: these bits, and above them the trust that it was given.
/** Hit since the hand was here. */
const referencedBit = 1;
const expiresBit = 2;
const taggedBit = 4;
/** The identity index may have its value too. */
const internedBit = 8;
const trustShift = 4;
const stateBits = (1 << trustShift) - 1;
const trustMax = 2 ** 27;

export class NearTable {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  readonly #rows: NearRows;
  readonly #index: NearIndex;
  /** The first entry by low bits of the kernel's hash. */
  #chains = new Int32Array(1);
  readonly #free: number[] = [];
  #hand = 1;
  #trust = 1;
  count = 0;
  bytes = 0;
  /** Entries that are trusted. */
  trusted = 0;

  /** `asked`: the key that is looked up, as the key window has it. */
  constructor(asked: Int32Array, entriesMax: number, bytesMax: number) {
    this.#rows = new NearRows(asked);
    this.#index = new NearIndex(this.#rows);
    this.#entriesMax = Math.min(entriesMax, numberMax - 1);
    this.#bytesMax = bytesMax;
  }

  // ── Looking ─────────────────────────────────────────────────────────────────────────────────

  /** The position of the key just written to the key window, -1 if it is not here. It is valid
   *  until something is added or removed. */
  find(hash: number, extent: number, key: string): number {
    return this.#index.find(hash, extent, key);
  }

  numberAt(position: number): number {
    return this.#index.numberAt(position);
  }

  valueAt(position: number): unknown {
    return this.#index.valueAt(position);
  }

  /** The value at a position, if its entry is trusted and does not expire; notes the hit. One look
   *  at the state: most hits end here, and what they call must be little enough to be inlined. */
  trustedAt(position: number): unknown {
    const number = this.#index.numberAt(position);
    const state = this.#rows.stateOf(number);
    if (state >> trustShift !== this.#trust || (state & expiresBit) !== 0) return undefined;
    if ((state & referencedBit) === 0) this.#rows.setState(number, state | referencedBit);
    return this.#index.valueAt(position);
  }

  textOf(number: number): string {
    return this.#rows.textOf(number);
  }

  /** The slot's word that the value was decoded from, without its frequency. */
  lowOf(number: number): number {
    return this.#rows.lowOf(number);
  }

  highOf(number: number): number {
    return this.#rows.highOf(number);
  }

  /** The tag epoch for which the entry is valid; null for an entry without tags. */
  tagEpochOf(number: number): number | null {
    const isTagged = (this.#rows.stateOf(number) & taggedBit) !== 0;
    return isTagged ? this.#rows.tagEpochOf(number) : null;
  }

  /** Wall-clock milliseconds, Infinity = never. */
  expiresOf(number: number): number {
    const expires = (this.#rows.stateOf(number) & expiresBit) !== 0;
    return expires ? this.#rows.expiresOf(number) : Infinity;
  }

  /** The next entry, after `number`, whose key has this low half of the kernel's hash; 0 at the
   *  end. Begin with 0. */
  nextOf(hashLow: number, number: number): number {
    const rows = this.#rows;
    let next =
      number === 0 ? (this.#chains[this.#chainOf(hashLow)] as number) : rows.nextOf(number);
    while (next !== 0 && rows.hashLowOf(next) !== (hashLow | 0)) next = rows.nextOf(next);
    return next;
  }

  /** Whether the entry is of this key. */
  isSameKey(number: number, key: NearKey): boolean {
    return this.#rows.hasKey(number, key);
  }

  #chainOf(hashLow: number): number {
    return hashLow & (this.#chains.length - 1);
  }

  // ── State ───────────────────────────────────────────────────────────────────────────────────

  /** Notes a hit. */
  refer(number: number): void {
    const state = this.#rows.stateOf(number);
    if ((state & referencedBit) === 0) this.#rows.setState(number, state | referencedBit);
  }

  /** Whether the entry was hit since the last call; forgets it. */
  takeReference(number: number): boolean {
    const state = this.#rows.stateOf(number);
    this.#rows.setState(number, state & ~referencedBit);
    return (state & referencedBit) !== 0;
  }

  /** Whether the entry may answer without a look at its slot. */
  isTrusted(number: number): boolean {
    return this.#rows.stateOf(number) >> trustShift === this.#trust;
  }

  /** From now on the entry may answer without a look at its slot. */
  trust(number: number): void {
    if (this.isTrusted(number)) return;
    const bits = this.#rows.stateOf(number) & stateBits;
    this.#rows.setState(number, bits | (this.#trust << trustShift));
    this.trusted += 1;
  }

  /** Ends that. */
  distrust(number: number): void {
    if (!this.isTrusted(number)) return;
    this.#rows.setState(number, this.#rows.stateOf(number) & stateBits);
    this.trusted -= 1;
  }

  /** Ends it for all entries, in no time: their states name an older trust from now on. */
  distrustAll(): void {
    if (this.trusted === 0) return;
    this.trusted = 0;
    this.#trust += 1;
    if (this.#trust < trustMax) return;
    this.#trust = 1;
    const { end } = this.#rows;
    for (let number = 1; number < end; number++) {
      this.#rows.setState(number, this.#rows.stateOf(number) & stateBits);
    }
  }

  isInterned(number: number): boolean {
    return (this.#rows.stateOf(number) & internedBit) !== 0;
  }

  setInterned(number: number, isInterned: boolean): void {
    const state = this.#rows.stateOf(number) & ~internedBit;
    this.#rows.setState(number, isInterned ? state | internedBit : state);
  }

  // ── Adding ──────────────────────────────────────────────────────────────────────────────────

  /** Whether a value of so many encoded bytes may be kept at all. */
  takes(bytes: number): boolean {
    return bytes <= this.#bytesMax;
  }

  /** Whether it may be kept beside all others. */
  hasRoomFor(bytes: number): boolean {
    return this.count < this.#entriesMax && this.bytes + bytes <= this.#bytesMax;
  }

  /** Whether the table exceeds a bound. */
  get isOverfull(): boolean {
    return this.count > this.#entriesMax || this.bytes > this.#bytesMax;
  }

  /** An entry that must be removed before a key with this hash has a position: one that was not hit
   *  since the hand was there, if there is one. 0 for none. */
  obstacleOf(hash: number): number {
    const numbers = this.#index.obstacles(hash);
    const used = referencedBit | internedBit;
    const idle = numbers.find((number) => (this.#rows.stateOf(number) & used) === 0);
    return idle ?? numbers[hash >>> 29] ?? 0;
  }

  /** Adds a value and answers the entry's number. The key must have no entry and no obstacle. */
  put(key: NearKey, word: NearWord, value: unknown, expiresMs: number, bytes: number): number {
    const number = this.#free.pop() ?? this.#newNumber();
    const expires = expiresMs === Infinity ? 0 : expiresBit;
    const state = expires | (word.tagEpoch === null ? 0 : taggedBit);
    this.#rows.put(number, key, word, state, expiresMs, bytes);
    this.#index.put(number, value);
    this.#link(number);
    this.count += 1;
    this.bytes += bytes;
    return number;
  }

  #newNumber(): number {
    const number = this.#rows.end;
    if (number > this.#rows.capacity) this.#grow();
    return number;
  }

  /** Doubles what there is room for, up to one entry more than the bound: a value comes before
   *  another goes. */
  #grow(): void {
    const wanted = Math.max(firstCapacity, 2 * this.#rows.capacity);
    const capacity = Math.min(this.#entriesMax + 1, wanted);
    this.#rows.grow(capacity);
    // The one entry more is there for a moment: for it alone nothing is made twice as large.
    const lasting = Math.min(this.#entriesMax, capacity);
    this.#index.grow(lasting);
    this.#chains = new Int32Array(2 ** Math.ceil(Math.log2(lasting)));
    const { end } = this.#rows;
    // None is free, or there would be no need to grow.
    for (let number = 1; number < end; number++) this.#link(number);
  }

  #link(number: number): void {
    const chain = this.#chainOf(this.#rows.hashLowOf(number));
    this.#rows.setNext(number, this.#chains[chain] as number);
    this.#chains[chain] = number;
  }

  #unlink(number: number): void {
    const rows = this.#rows;
    const chain = this.#chainOf(rows.hashLowOf(number));
    let before = this.#chains[chain] as number;
    if (before === number) {
      this.#chains[chain] = rows.nextOf(number);
      return;
    }
    while (rows.nextOf(before) !== number) before = rows.nextOf(before);
    rows.setNext(before, rows.nextOf(number));
  }

  // ── Removing ────────────────────────────────────────────────────────────────────────────────

  /** The entry that the hand is at, 0 if there is none. The hand goes round the numbers. */
  entryAtHand(): number {
    const { end } = this.#rows;
    for (let step = 1; step < end; step++) {
      if (this.#hand >= end) this.#hand = 1;
      if (this.#rows.isUsed(this.#hand)) return this.#hand;
      this.#hand += 1;
    }
    return 0;
  }

  passHand(): void {
    this.#hand += 1;
  }

  /** Removes an entry. */
  remove(number: number): void {
    this.distrust(number);
    this.#unlink(number);
    this.#index.remove(number);
    this.#rows.remove(number);
    this.#free.push(number);
    this.count -= 1;
    this.bytes -= this.#rows.bytesOf(number);
  }

  /** Removes everything and gives the memory back. */
  clear(): void {
    this.#index.clear();
    this.#rows.clear();
    this.#chains = new Int32Array(1);
    this.#free.length = 0;
    this.#hand = 1;
    this.count = 0;
    this.bytes = 0;
    this.trusted = 0;
  }

  /** Bytes of the table, without values and long keys. */
  get heapBytes(): number {
    return this.#chains.length * 4 + this.#rows.heapBytes + this.#index.heapBytes;
  }
}
