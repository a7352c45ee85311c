// Which keys were set recently: two Bloom filters over key hashes. When the newer is full, the
// older is emptied and becomes the newer (CacheLib's "reject first" admission). Only the janitor
// reads and writes them. They are in shared memory, so a new janitor continues with them. Every bit
// pattern is valid.

/** Bits set per key. With bitsPerKey, about 1 in 40 new keys looks known to a full filter. */
const probes = 4;
const bitsPerKey = 8;

export class SeenKeys {
  readonly #state: Uint32Array;
  readonly #filters: readonly [Uint32Array, Uint32Array];
  readonly #bitMask: number;
  readonly #keysMax: number;

  /** `offset` is a multiple of 4, `bytes` at least 72. */
  constructor(buffer: ArrayBufferLike, offset: number, bytes: number) {
    const words = 2 ** Math.floor(Math.log2((bytes - 8) / 8));
    this.#state = new Uint32Array(buffer, offset, 2);
    this.#filters = [
      new Uint32Array(buffer, offset + 8, words),
      new Uint32Array(buffer, offset + 8 + words * 4, words),
    ];
    this.#bitMask = words * 32 - 1;
    this.#keysMax = (words * 32) / bitsPerKey;
  }

  /** Notes a key. True if it was noted before, within the last one to two fillings of a filter. */
  note(hashLow: number, hashHigh: number): boolean {
    const newer = (this.#state[0] as number) & 1;
    const isOld = this.#has(1 - newer, hashLow, hashHigh);
    if (this.#has(newer, hashLow, hashHigh)) return true;
    this.#add(newer, hashLow, hashHigh);
    const count = (this.#state[1] as number) + 1;
    this.#state[1] = count;
    if (count >= this.#keysMax) {
      this.#filters[(1 - newer) as 0 | 1].fill(0);
      this.#state[0] = 1 - newer;
      this.#state[1] = 0;
    }
    return isOld;
  }

  #has(filter: number, low: number, high: number): boolean {
    const words = this.#filters[filter as 0 | 1];
    for (let probe = 0; probe < probes; probe++) {
      const bit = (low + Math.imul(probe, high | 1)) & this.#bitMask;
      if (((words[bit >>> 5] as number) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  #add(filter: number, low: number, high: number): void {
    const words = this.#filters[filter as 0 | 1];
    for (let probe = 0; probe < probes; probe++) {
      const bit = (low + Math.imul(probe, high | 1)) & this.#bitMask;
      words[bit >>> 5] = (words[bit >>> 5] as number) | (1 << (bit & 31));
    }
  }
}
