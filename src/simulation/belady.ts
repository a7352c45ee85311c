// Belady's bound: evicts the key whose next use is farthest away (Belady, "A study of replacement
// algorithms", 1966). With sizes it is not the optimum, but no policy that cannot see the future
// reaches it. Called by the replay.
import type { Trace } from "./trace.js";

const notHeld = -1;

/** For each request, the index of the next request for its key; `requests` if there is none. */
function nextUses(trace: Trace): Uint32Array {
  const { key, requests } = trace;
  const next = new Uint32Array(requests);
  const upcoming = new Uint32Array(trace.keys).fill(requests);
  for (let index = requests - 1; index >= 0; index--) {
    const number = key[index] as number;
    next[index] = upcoming[number] as number;
    upcoming[number] = index;
  }
  return next;
}

/** The cached keys as a heap; the one with the farthest next use is on top. */
export class Belady {
  readonly #capacity: number;
  readonly #next: Uint32Array;
  readonly #heap: Int32Array;
  readonly #positions: Int32Array;
  /** The next use of each cached key. */
  readonly #due: Uint32Array;
  readonly #sizes: Float64Array;
  #count = 0;
  #bytes = 0;
  #request = -1;

  constructor(capacity: number, trace: Trace) {
    this.#capacity = capacity;
    this.#next = nextUses(trace);
    this.#heap = new Int32Array(trace.keys);
    this.#positions = new Int32Array(trace.keys).fill(notHeld);
    this.#due = new Uint32Array(trace.keys);
    this.#sizes = new Float64Array(trace.keys);
  }

  /** Called once for each request of the trace, in order. */
  hit(key: number): boolean {
    this.#request += 1;
    if (this.#positions[key] === notHeld) return false;
    this.#due[key] = this.#next[this.#request] as number;
    this.#rise(this.#positions[key] as number);
    return true;
  }

  insert(key: number, size: number): boolean {
    if (size > this.#capacity) return false;
    while (this.#bytes + size > this.#capacity) this.drop(this.#heap[0] as number);
    this.#due[key] = this.#next[this.#request] as number;
    this.#sizes[key] = size;
    this.#bytes += size;
    this.#put(this.#count, key);
    this.#count += 1;
    this.#rise(this.#count - 1);
    return true;
  }

  drop(key: number): void {
    const position = this.#positions[key] as number;
    this.#positions[key] = notHeld;
    this.#bytes -= this.#sizes[key] as number;
    this.#count -= 1;
    if (position === this.#count) return;
    this.#put(position, this.#heap[this.#count] as number);
    this.#rise(position);
    this.#sink(position);
  }

  #put(position: number, key: number): void {
    this.#heap[position] = key;
    this.#positions[key] = position;
  }

  #dueAt(position: number): number {
    return this.#due[this.#heap[position] as number] as number;
  }

  #rise(from: number): void {
    let position = from;
    const key = this.#heap[position] as number;
    const due = this.#due[key] as number;
    while (position > 0) {
      const parent = (position - 1) >>> 1;
      if (this.#dueAt(parent) >= due) break;
      this.#put(position, this.#heap[parent] as number);
      position = parent;
    }
    this.#put(position, key);
  }

  #sink(from: number): void {
    let position = from;
    const key = this.#heap[position] as number;
    const due = this.#due[key] as number;
    for (;;) {
      let child = position * 2 + 1;
      if (child >= this.#count) break;
      if (child + 1 < this.#count && this.#dueAt(child + 1) > this.#dueAt(child)) child += 1;
      if (this.#dueAt(child) <= due) break;
      this.#put(position, this.#heap[child] as number);
      position = child;
    }
    this.#put(position, key);
  }
}
