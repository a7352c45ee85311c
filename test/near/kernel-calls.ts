// Shows whether a call on a cache asked the kernel for a key: the kernel writes the key's hash to
// the result words of its thread, so a mark put there before the call is overwritten. Called by the
// tests of the two near indexes, whose hits ask no kernel.

import * as at from "../../dist/src/kernel/layout.js";
import type { Cache } from "../../dist/src/mod.js";

/** No key of these tests has this low half of a hash. */
const mark = 0x5a17_c0de;

export class KernelCalls {
  readonly #words: Int32Array;
  readonly #hashWord: number;

  constructor(cache: Cache<number>) {
    this.#words = new Int32Array(cache.handle().worker.memory.buffer);
    this.#hashWord = this.#hashWordOf(cache);
  }

  /** Runs a synchronous call; returns its value and whether it asked the kernel. */
  during<T>(call: () => T): { readonly value: T; readonly isAsked: boolean } {
    this.#words[this.#hashWord] = mark;
    const value = call();
    return { value, isAsked: this.#words[this.#hashWord] !== mark };
  }

  /** Finds the result word of the cache's thread: the one that each lookup changes. The janitor's
   *  may change meanwhile too, hence the repetition. */
  #hashWordOf(cache: Cache<number>): number {
    let found = Array.from(
      { length: at.threadsMax },
      (_, thread) => (at.threadTable + thread * at.threadBlockSize + at.resultHashLow) / 4,
    );
    for (let lookup = 0; found.length > 1 && lookup < 10_000; lookup++) {
      for (const word of found) this.#words[word] = mark;
      cache.has(`nobody:${lookup}`);
      found = found.filter((word) => this.#words[word] !== mark);
    }
    const [word] = found;
    if (word === undefined || found.length > 1) throw new Error("the thread's words are not found");
    return word;
  }
}
