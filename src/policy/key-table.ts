// Maps hashes to small dense numbers, so that several miniature caches find a key with one probe.
// Called by the tuner. Invariant: a number belongs to one hash until `recycle` takes it back.

const noKey = -1;

export class KeyTable {
  /** The hash of each number. */
  readonly hashes: Uint32Array;
  readonly #slots: Int32Array;
  readonly #free: Int32Array;
  #freeCount = 0;

  /** Hands out at most `keys` numbers. */
  constructor(keys: number) {
    this.hashes = new Uint32Array(keys);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(keys * 2))).fill(noKey);
    this.#free = new Int32Array(keys);
    for (let key = keys - 1; key >= 0; key--) this.#free[this.#freeCount++] = key;
  }

  /** The hash's number, assigned now if it has none; -1 if all are taken. */
  numberOf(hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = Math.imul(hash, 0x9e3779b1) & mask;
    for (;;) {
      const key = this.#slots[slot] as number;
      if (key === noKey) break;
      if (this.hashes[key] === hash) return key;
      slot = (slot + 1) & mask;
    }
    if (this.#freeCount === 0) return noKey;
    const key = this.#free[--this.#freeCount] as number;
    this.hashes[key] = hash;
    this.#slots[slot] = key;
    return key;
  }

  /** Takes back all unused numbers. */
  recycle(isUsed: (key: number) => boolean): void {
    const held = this.#slots.filter((key) => key !== noKey);
    this.#slots.fill(noKey);
    const mask = this.#slots.length - 1;
    for (const key of held) {
      if (!isUsed(key)) {
        this.#free[this.#freeCount++] = key;
        continue;
      }
      let slot = Math.imul(this.hashes[key] as number, 0x9e3779b1) & mask;
      while (this.#slots[slot] !== noKey) slot = (slot + 1) & mask;
      this.#slots[slot] = key;
    }
  }
}
