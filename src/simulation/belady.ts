// Belady's bound: what leaves is what will be asked for latest (Belady, "A study of replacement algorithms", 1966). With
// sizes it is no longer the least possible, but still what nobody who cannot see the future reaches. Called by the replay.
import type { Trace } from "./trace.js";

const notHeld = -1;

/** For each request, the number of the next request for its key; `requests` if there is none. */
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

/** The held keys as a heap, the one asked for latest on top. */
export class Belady {
  readonly #capacity: number;
  readonly #next: Uint32Array;
  readonly #heap: Int32Array;
  readonly #place: Int32Array;
  /** When each held key is asked for again. */
  readonly #due: Uint32Array;
  readonly #sizes: Float64Array;
  #count = 0;
  #bytes = 0;
  #request = -1;

  constructor(capacity: number, trace: Trace) {
    this.#capacity = capacity;
    this.#next = nextUses(trace);
    this.#heap = new Int32Array(trace.keys);
    this.#place = new Int32Array(trace.keys).fill(notHeld);
    this.#due = new Uint32Array(trace.keys);
    this.#sizes = new Float64Array(trace.keys);
  }

  /** Called once for each request of the trace, in order. */
  hit(key: number): boolean {
    this.#request += 1;
    if (this.#place[key] === notHeld) return false;
    this.#due[key] = this.#next[this.#request] as number;
    this.#rise(this.#place[key] as number);
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
    const place = this.#place[key] as number;
    this.#place[key] = notHeld;
    this.#bytes -= this.#sizes[key] as number;
    this.#count -= 1;
    if (place === this.#count) return;
    this.#put(place, this.#heap[this.#count] as number);
    this.#rise(place);
    this.#sink(place);
  }

  #put(place: number, key: number): void {
    this.#heap[place] = key;
    this.#place[key] = place;
  }

  #dueAt(place: number): number {
    return this.#due[this.#heap[place] as number] as number;
  }

  #rise(from: number): void {
    let place = from;
    const key = this.#heap[place] as number;
    const due = this.#due[key] as number;
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      if (this.#dueAt(parent) >= due) break;
      this.#put(place, this.#heap[parent] as number);
      place = parent;
    }
    this.#put(place, key);
  }

  #sink(from: number): void {
    let place = from;
    const key = this.#heap[place] as number;
    const due = this.#due[key] as number;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= this.#count) break;
      if (child + 1 < this.#count && this.#dueAt(child + 1) > this.#dueAt(child)) child += 1;
      if (this.#dueAt(child) <= due) break;
      this.#put(place, this.#heap[child] as number);
      place = child;
    }
    this.#put(place, key);
  }
}
