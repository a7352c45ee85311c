// The rules of admission to disk that need the key or the whole value: the user's filter, which is a function and cannot
// cross threads, and the largest size. Asked by the writer of each thread before a record is made; a record that is
// refused has no room for a place on disk, so nothing later can put it there. Runs under no lock.
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

  /** Throws TypeError inside the filter: the value under way is in a scratch that a second set would overwrite. */
  assertNotAsking(key: Key): void {
    if (!this.#isAsking) return;
    throw new TypeError(
      `Cannot store key ${describe(key)}: disk.admission.filter is running; it must not write to the cache`,
    );
  }

  /** Whether an entry may be written to disk. Throws what the filter throws, TypeError if it answers no boolean. */
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
      `Cannot store key ${describe(key)}: disk.admission.filter answered ${describe(answer)}; it must answer true or false`,
    );
  }
}
