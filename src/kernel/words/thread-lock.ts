// A lock that is one word of the control block: 0 = free, else the thread id + 1 of its owner. For what one thread at a time
// does and others can wait for or do without. A dead owner's lock is given back when its thread is recovered.
import type { Views } from "./views.js";

export class ThreadLock {
  readonly #i32: Int32Array;
  readonly #word: number;
  readonly #self: number;

  /** `offset` is the word's in bytes. */
  constructor(views: Views, offset: number, thread: number) {
    this.#i32 = views.i32;
    this.#word = offset / 4;
    this.#self = thread + 1;
  }

  /** Takes the lock, or answers false at once. */
  tryLock(): boolean {
    return Atomics.compareExchange(this.#i32, this.#word, 0, this.#self) === 0;
  }

  /** Takes the lock within `waits` waits of a millisecond; false if it could not be had. Blocks the thread meanwhile. */
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

  /** Does anybody have it? */
  isLocked(): boolean {
    return Atomics.load(this.#i32, this.#word) !== 0;
  }
}
