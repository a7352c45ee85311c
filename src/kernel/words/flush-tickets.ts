// The words by which threads request a flush and learn that it is done. A thread takes a ticket;
// the janitor publishes the newest ticket that is done. Tickets are wrapping 32-bit numbers.
import * as at from "../layout.js";
import type { Views } from "./views.js";
import type { WaitWord } from "../threads/word-wait.js";

const requestedWord = at.controlFlushRequested / 4;
const doneWord = at.controlFlushDone / 4;
const failedWord = at.controlFlushFailed / 4;
const syncWord = at.controlFlushSync / 4;
const syncDoneWord = at.controlSyncDone / 4;
const syncFailedWord = at.controlSyncFailed / 4;
/** Bits of that word. */
const [lastFailed, isLost] = [1, 2];

/** Whether `now` is at `ticket` or past it. */
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

  /** Requests an fsync for this ticket too. */
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

  /** Marks every ticket up to this one done, whether its flush failed or not. */
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

  /** The newest ticket that requested an fsync; 0 = none ever did. */
  syncRequested(): number {
    return Atomics.load(this.#i32, syncWord);
  }

  syncDone(): number {
    return Atomics.load(this.#i32, syncDoneWord);
  }

  /** Marks an fsync up to this ticket done. The failure is written first, so a waiter reads it. */
  markSyncDone(ticket: number, hasFailed: boolean): void {
    if (hasFailed) Atomics.or(this.#i32, syncFailedWord, lastFailed);
    else Atomics.and(this.#i32, syncFailedWord, ~lastFailed);
    this.#raise(syncDoneWord, ticket);
    Atomics.notify(this.#i32, syncDoneWord);
  }

  hasSyncFailed(): boolean {
    return (Atomics.load(this.#i32, syncFailedWord) & lastFailed) !== 0;
  }

  /** A sync of a file has failed, in the opener or the janitor: the system may have dropped what
   *  was written, and tells of it once. Holds until the cache closes. */
  noteSyncLost(): void {
    Atomics.or(this.#i32, syncFailedWord, isLost);
  }

  /** Whether a sync of a file has ever failed: the next open starts empty. */
  isSyncLost(): boolean {
    return (Atomics.load(this.#i32, syncFailedWord) & isLost) !== 0;
  }

  /** Wakes all waiters without an answer: the cache has ended. */
  wakeAll(): void {
    Atomics.notify(this.#i32, doneWord);
    Atomics.notify(this.#i32, syncDoneWord);
  }

  /** The word to wait on for `done` or `syncDone` to change. */
  word(which: "done" | "syncDone"): WaitWord {
    return { words: this.#i32, index: which === "done" ? doneWord : syncDoneWord };
  }

  /** Raises a word to a ticket unless a later one is there: several threads request, and answers
   *  may arrive out of order. */
  #raise(word: number, ticket: number): void {
    let seen = Atomics.load(this.#i32, word);
    while (((ticket - seen) | 0) > 0) {
      const was = Atomics.compareExchange(this.#i32, word, seen, ticket);
      if (was === seen) return;
      seen = was;
    }
  }
}
