// Decoded values of one thread. An entry holds the word of the slot it was decoded from: while the slot still shows that
// word the value is current, so no message ever has to reach this thread. Called by the facade only. Invariants: at most
// `maxEntries` values standing for at most `maxBytes` encoded bytes; when the near epoch has changed (a clear, or segment
// generations coming round) everything goes before anything is looked up.
import type { Config } from "../config/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { counterNearEvictions } from "../stats/mod.js";

/** One decoded value. A class, so that all entries have one shape. */
export class NearEntry {
  readonly key: string | Uint8Array;
  readonly value: unknown;
  readonly low: number;
  readonly high: number;
  /** Wall-clock milliseconds, Infinity = never. */
  readonly expiresMs: number;
  readonly bytes: number;
  isUsed = false;

  constructor(
    key: string | Uint8Array,
    value: unknown,
    low: number,
    high: number,
    expiresMs: number,
    bytes: number,
  ) {
    this.key = key;
    this.value = value;
    this.low = low;
    this.high = high;
    this.expiresMs = expiresMs;
    this.bytes = bytes;
  }
}

export class NearCache {
  readonly #kernel: Kernel;
  readonly #i32: Int32Array;
  readonly #lowWord: number;
  readonly #highWord: number;
  readonly #table: (NearEntry | undefined)[];
  readonly #mask: number;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #epoch: number;
  #hand = 0;
  count = 0;
  bytes = 0;

  constructor(kernel: Kernel, near: NonNullable<Config["near"]>) {
    this.#kernel = kernel;
    this.#i32 = kernel.views.i32;
    this.#lowWord = (kernel.block + at.resultSlotLow) / 4;
    this.#highWord = (kernel.block + at.resultSlotHigh) / 4;
    this.#maxEntries = near.maxEntries;
    this.#maxBytes = near.maxBytes;
    // Twice as many places as entries, so that two hot entries rarely want the same; never more than there are slots.
    const slots = kernel.geometry.bucketCount * 8;
    const places = 2 ** Math.ceil(Math.log2(Math.min(slots, near.maxEntries * 2)));
    this.#table = Array.from({ length: places }, () => undefined);
    this.#mask = places - 1;
    this.#epoch = this.#i32[at.controlNearEpoch / 4] as number;
  }

  /** The entry made from what `slot` shows now (the kernel's last result), if it is kept and of this key. */
  find(slot: number, key: string | Uint8Array): NearEntry | undefined {
    if (this.#i32[at.controlNearEpoch / 4] !== this.#epoch) this.#drop();
    const entry = this.#table[slot & this.#mask];
    if (entry !== undefined && this.#isOf(entry, key)) return entry;
    const other = this.#table[this.#otherPlace(slot)];
    return other !== undefined && this.#isOf(other, key) ? other : undefined;
  }

  #isOf(entry: NearEntry, key: string | Uint8Array): boolean {
    if (entry.low !== this.#i32[this.#lowWord] || entry.high !== this.#i32[this.#highWord]) {
      return false;
    }
    if (entry.key !== key) return false;
    if (!entry.isUsed) entry.isUsed = true;
    return true;
  }

  #otherPlace(slot: number): number {
    return (Math.imul(slot, 0x9e3779b1) >>> 7) & this.#mask;
  }

  /** Keeps a value decoded from the record of the kernel's last `find`, whose slot word is (low, high). */
  keep(
    slot: number,
    low: number,
    high: number,
    key: string | Uint8Array,
    value: unknown,
    expiresMs: number,
    bytes: number,
  ): void {
    if (bytes > this.#maxBytes) return;
    const entry = new NearEntry(key, value, low | 0, high | 0, expiresMs, bytes);
    let place = slot & this.#mask;
    const holder = this.#table[place];
    // An entry of the same slot is an older value; another's moves on to its second choice only by being decoded again.
    if (holder?.isUsed === true) {
      const other = this.#otherPlace(slot);
      if (this.#table[other]?.isUsed !== true) place = other;
      holder.isUsed = false;
    }
    this.#remove(place);
    this.#table[place] = entry;
    this.count += 1;
    this.bytes += bytes;
    while (this.count > this.#maxEntries || this.bytes > this.#maxBytes) this.#evict(place);
  }

  #remove(place: number): void {
    const entry = this.#table[place];
    if (entry === undefined) return;
    this.#table[place] = undefined;
    this.count -= 1;
    this.bytes -= entry.bytes;
  }

  /** Second chance: the hand passes over an entry used since it came by last. Two turns find one at the latest. */
  #evict(newest: number): void {
    for (let step = 0; step <= 2 * this.#table.length; step++) {
      this.#hand = (this.#hand + 1) & this.#mask;
      const entry = this.#table[this.#hand];
      if (entry === undefined || this.#hand === newest) continue;
      if (entry.isUsed) {
        entry.isUsed = false;
        continue;
      }
      this.#remove(this.#hand);
      this.#kernel.count(counterNearEvictions, 1);
      return;
    }
  }

  #drop(): void {
    this.#table.fill(undefined);
    this.count = 0;
    this.bytes = 0;
    this.#epoch = this.#i32[at.controlNearEpoch / 4] as number;
  }
}
