// The objects met so far in one value: one that is met twice must be decoded as one. Called by the
// plain encoder and by the check of plain data, for each object. Most values have few, and then a
// list is faster than a Set.

const listedMax = 16;

export class SeenObjects {
  readonly #listed: (object | null)[] = Array.from({ length: listedMax }, () => null);
  #count = 0;
  #overflow: Set<object> | undefined;

  /** Adds an object; false if it was there. */
  add(value: object): boolean {
    if (this.#overflow !== undefined) {
      const before = this.#overflow.size;
      return this.#overflow.add(value).size > before;
    }
    for (let index = 0; index < this.#count; index++) {
      if (this.#listed[index] === value) return false;
    }
    if (this.#count < listedMax) {
      this.#listed[this.#count++] = value;
    } else {
      this.#overflow = new Set(this.#listed as object[]);
      this.#overflow.add(value);
    }
    return true;
  }

  /** Drops the references. A loop, because `fill` costs 40 ns even for one element. */
  clear(): void {
    while (this.#count > 0) this.#listed[--this.#count] = null;
    this.#overflow = undefined;
  }
}
