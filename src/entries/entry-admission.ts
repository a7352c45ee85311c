// Admission rules that need the key or the whole value: the user's filter, a function that cannot
// cross threads, and the size limit. Each thread's writer asks before it makes a record. A refused
// record has no room for a disk location, so nothing can put it on disk later. Runs under no lock.
import { describe } from "../base/mod.js";
import type { AdmissionConfig, AdmissionFilter } from "../config/mod.js";
import type { Kernel, Key } from "../kernel/mod.js";
import { counterRefusedFilter, counterRefusedSize } from "../stats/mod.js";

export class EntryAdmission {
  readonly #kernel: Kernel;
  readonly #maxBytes: number;
  readonly #filter: AdmissionFilter | undefined;
  #isAsking = false;

  constructor(kernel: Kernel, rules: AdmissionConfig, filter: AdmissionFilter | undefined) {
    this.#kernel = kernel;
    this.#maxBytes = rules.maxBytes;
    this.#filter = filter;
  }

  /** Throws TypeError if the filter is running: a nested set would overwrite the codec's scratch,
   *  which holds the value of the outer set. */
  assertNotAsking(key: Key): void {
    if (!this.#isAsking) return;
    throw new TypeError(
      `Cannot store key ${describe(key)}: ` +
        `disk.admission.filter is running; it must not write to the cache`,
    );
  }

  /** Whether an entry may be written to disk. Throws TypeError if the filter returns no boolean. */
  admits(key: Key, valueBytes: number): boolean {
    const filter = this.#filter;
    if (filter === undefined && this.#maxBytes === Infinity) return true;
    const size = valueBytes + (typeof key === "string" ? Buffer.byteLength(key) : key.length);
    if (size > this.#maxBytes) {
      this.#kernel.count(counterRefusedSize, 1);
      return false;
    }
    if (filter === undefined || this.#ask(filter, key, size)) return true;
    this.#kernel.count(counterRefusedFilter, 1);
    return false;
  }

  #ask(filter: AdmissionFilter, key: Key, size: number): boolean {
    this.#isAsking = true;
    let answer: unknown;
    try {
      answer = filter(key, size);
    } finally {
      this.#isAsking = false;
    }
    if (typeof answer === "boolean") return answer;
    throw new TypeError(
      `Cannot store key ${describe(key)}: ` +
        `disk.admission.filter returned ${describe(answer)}; it must return true or false`,
    );
  }
}
