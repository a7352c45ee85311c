// An exact LRU, to compare the policies with: a doubly linked list in typed arrays, one move per
// hit. Called by the replay.

const nobody = -1;

export class ExactLru {
  readonly #capacity: number;
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  readonly #sizes: Float64Array;
  readonly #held: Uint8Array;
  #newest = nobody;
  #oldest = nobody;
  #bytes = 0;

  constructor(capacity: number, keys: number) {
    this.#capacity = capacity;
    this.#newer = new Int32Array(keys);
    this.#older = new Int32Array(keys);
    this.#sizes = new Float64Array(keys);
    this.#held = new Uint8Array(keys);
  }

  hit(key: number): boolean {
    if (this.#held[key] === 0) return false;
    if (key !== this.#newest) {
      this.#unlink(key);
      this.#link(key);
    }
    return true;
  }

  insert(key: number, size: number): boolean {
    if (size > this.#capacity) return false;
    while (this.#bytes + size > this.#capacity) this.drop(this.#oldest);
    this.#held[key] = 1;
    this.#sizes[key] = size;
    this.#bytes += size;
    this.#link(key);
    return true;
  }

  drop(key: number): void {
    this.#unlink(key);
    this.#held[key] = 0;
    this.#bytes -= this.#sizes[key] as number;
  }

  #link(key: number): void {
    this.#older[key] = this.#newest;
    this.#newer[key] = nobody;
    if (this.#newest === nobody) this.#oldest = key;
    else this.#newer[this.#newest] = key;
    this.#newest = key;
  }

  #unlink(key: number): void {
    const [newer, older] = [this.#newer[key] as number, this.#older[key] as number];
    if (newer === nobody) this.#newest = older;
    else this.#older[newer] = older;
    if (older === nobody) this.#oldest = newer;
    else this.#newer[older] = newer;
  }
}
