// Near entries by the very strings they are asked with, for callers that keep their key strings. Such a string carries its
// hash, so a look in a Map does not read its characters, and the slot is known from the last time: a hit reads four cache
// lines fewer than the kernel's look. Called by the near cache. Invariants: holds a part of the near cache's entries, so
// its bounds are the near cache's; an entry answers only while its slot shows the word it was made from.
//
// An entry is four elements of one array, side by side:
//
//   place + 0  slot     index of the slot's low word in shared memory; less than 0 (its complement) when the value expires
//         + 1  value
//         + 2  low      the slot's word, with its frequency at the maximum
//         + 3  high
//
// The two halves of a slot are loaded one after the other. Should the slot change between the loads, one half is of a
// word that was there before the other: if either word is the entry's, the value was current during this call. If
// neither is, the segment's generation has come round between the two loads, and the near epoch, which the near cache
// compares after this, has changed (layout.ts, controlNearEpoch).
import type { Clock } from "../base/mod.js";

const placeSize = 4;

export class KeptKeys {
  readonly #i32: Int32Array;
  readonly #places = new Map<string, number>();
  #table: unknown[] = [];
  #expires: number[] = [];
  readonly #free: number[] = [];

  constructor(i32: Int32Array) {
    this.#i32 = i32;
  }

  /** The value of a key, if it is here, its slot shows its word and it has not expired. */
  find(key: string, clock: Clock): unknown {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    const table = this.#table;
    let slot = table[place] as number;
    if (slot < 0) {
      if ((this.#expires[place / placeSize] as number) <= clock.now()) return undefined;
      slot = ~slot;
    }
    if (this.#i32[slot] !== table[place + 2] || this.#i32[slot + 1] !== table[place + 3]) {
      return undefined;
    }
    return table[place + 1];
  }

  /** Adds an entry or replaces the key's. */
  add(
    key: string,
    value: unknown,
    slot: number,
    low: number,
    high: number,
    expiresMs: number,
  ): void {
    let place = this.#places.get(key);
    if (place === undefined) {
      place = this.#free.pop() ?? this.#table.length;
      this.#places.set(key, place);
    }
    const table = this.#table;
    table[place] = expiresMs === Infinity ? slot : ~slot;
    table[place + 1] = value;
    table[place + 2] = low;
    table[place + 3] = high;
    this.#expires[place / placeSize] = expiresMs;
  }

  remove(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#places.delete(key);
    this.#table[place + 1] = undefined;
    this.#free.push(place);
  }

  clear(): void {
    this.#places.clear();
    this.#table = [];
    this.#expires = [];
    this.#free.length = 0;
  }
}
