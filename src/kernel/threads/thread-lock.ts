// A lock in one word of the control block: 0 = free, else its owner's thread id + 1. It guards work
// that one thread at a time does, and that others can wait for or skip. When its owner dies, the
// recovery of the thread releases it.
import type { Views } from "../words/views.js";

export class ThreadLock {
  readonly #i32: Int32Array;
  readonly #word: number;
  readonly #self: number;

  /** `offset` is the word's, in bytes. */
  constructor(views: Views, offset: number, thread: number) {
    this.#i32 = views.i32;
    this.#word = offset / 4;
    this.#self = thread + 1;
  }

  /** Takes the lock if it is free; never waits. */
  tryLock(): boolean {
    return Atomics.compareExchange(this.#i32, this.#word, 0, this.#self) === 0;
  }

  /** Takes the lock within `waits` waits of 1 ms, which block the thread; false if it stayed
   *  taken. */
  lock(waits: number): boolean {
    for (let wait = 0; wait < waits; wait++) {
      const owner = Atomics.compareExchange(this.#i32, this.#word, 0, this.#self);
      if (owner === 0) return true;
      Atomics.wait(this.#i32, this.#word, owner, 1);
    }
    return false;
  }

  unlock(): void {
    Atomics.store(this.#i32, this.#word, 0);
    Atomics.notify(this.#i32, this.#word);
  }

  /** Whether any thread has the lock. */
  isLocked(): boolean {
    return Atomics.load(this.#i32, this.#word) !== 0;
  }
}
