// The words by which threads ask for a flush and hear that it is done. Who asks takes a ticket; the janitor answers with the
// newest ticket that is done. Tickets are wrapping 32-bit numbers.
import * as at from "../layout.js";
import type { Views } from "./views.js";
import type { WaitWord } from "./word-wait.js";

const requestedWord = at.controlFlushRequested / 4;
const doneWord = at.controlFlushDone / 4;
const failedWord = at.controlFlushFailed / 4;
const syncWord = at.controlFlushSync / 4;
const syncDoneWord = at.controlSyncDone / 4;
const syncFailedWord = at.controlSyncFailed / 4;

/** Has `ticket` been reached? */
export function hasReached(now: number, ticket: number): boolean {
  return ((now - ticket) | 0) >= 0;
}

export class FlushTickets {
  readonly #i32: Int32Array;

  constructor(views: Views) {
    this.#i32 = views.i32;
  }

  /** Takes the next ticket. */
  take(): number {
    return (Atomics.add(this.#i32, requestedWord, 1) + 1) | 0;
  }

  /** Says that this ticket wants an fsync too. */
  wantSync(ticket: number): void {
    this.#raise(syncWord, ticket);
  }

  /** The newest ticket taken. */
  requested(): number {
    return Atomics.load(this.#i32, requestedWord);
  }

  done(): number {
    return Atomics.load(this.#i32, doneWord);
  }

  /** Every ticket up to this one is done, well or not. */
  markDone(ticket: number): void {
    Atomics.store(this.#i32, doneWord, ticket);
    Atomics.notify(this.#i32, doneWord);
  }

  /** The newest ticket whose writes failed or were not tried. */
  failed(): number {
    return Atomics.load(this.#i32, failedWord);
  }

  markFailed(ticket: number): void {
    Atomics.store(this.#i32, failedWord, ticket);
  }

  /** The newest ticket that wants an fsync; 0 = nobody ever asked. */
  syncRequested(): number {
    return Atomics.load(this.#i32, syncWord);
  }

  syncDone(): number {
    return Atomics.load(this.#i32, syncDoneWord);
  }

  /** An fsync up to this ticket is over. */
  markSyncDone(ticket: number, hasFailed: boolean): void {
    Atomics.store(this.#i32, syncFailedWord, hasFailed ? 1 : 0);
    this.#raise(syncDoneWord, ticket);
    Atomics.notify(this.#i32, syncDoneWord);
  }

  hasSyncFailed(): boolean {
    return Atomics.load(this.#i32, syncFailedWord) === 1;
  }

  /** Wakes all who wait, without an answer: the cache has ended. */
  wakeAll(): void {
    Atomics.notify(this.#i32, doneWord);
    Atomics.notify(this.#i32, syncDoneWord);
  }

  /** What to wait on for `done` or `syncDone` to change. */
  word(which: "done" | "syncDone"): WaitWord {
    return { words: this.#i32, index: which === "done" ? doneWord : syncDoneWord };
  }

  /** Raises a word to a ticket, unless a later one stands there already: several threads ask, and answers may cross. */
  #raise(word: number, ticket: number): void {
    let seen = Atomics.load(this.#i32, word);
    while (((ticket - seen) | 0) > 0) {
      const was = Atomics.compareExchange(this.#i32, word, seen, ticket);
      if (was === seen) return;
      seen = was;
    }
  }
}
