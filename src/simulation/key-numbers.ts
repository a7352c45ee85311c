// Numbers 64-bit keys from 0 in order of first appearance. An open-addressing table over typed
// arrays, at most half full. Called by the binary trace.

export class KeyNumbers {
  #low = new Uint32Array(1 << 12);
  #high = new Uint32Array(1 << 12);
  /** Number + 1; 0 = free. */
  #number = new Int32Array(1 << 12);
  #count = 0;

  numberOf(low: number, high: number): number {
    if (this.#count * 2 === this.#number.length) this.#grow();
    const slot = this.#slotOf(low, high);
    if (this.#number[slot] === 0) this.#put(slot, low, high, ++this.#count);
    return (this.#number[slot] as number) - 1;
  }

  #slotOf(low: number, high: number): number {
    const mask = this.#number.length - 1;
    let hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
    hash ^= hash >>> 15;
    let slot = hash & mask;
    while (this.#number[slot] !== 0 && (this.#low[slot] !== low || this.#high[slot] !== high)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #put(slot: number, low: number, high: number, number: number): void {
    this.#low[slot] = low;
    this.#high[slot] = high;
    this.#number[slot] = number;
  }

  #grow(): void {
    const [low, high, number] = [this.#low, this.#high, this.#number];
    const length = number.length * 2;
    this.#low = new Uint32Array(length);
    this.#high = new Uint32Array(length);
    this.#number = new Int32Array(length);
    for (let slot = 0; slot < number.length; slot++) {
      if (number[slot] === 0) continue;
      const [keyLow, keyHigh] = [low[slot] as number, high[slot] as number];
      this.#put(this.#slotOf(keyLow, keyHigh), keyLow, keyHigh, number[slot] as number);
    }
  }
}
