// Finds threads that died without detaching, and recovers the thread id, segments, flights and
// locks that they left. The janitor calls it in each round: 50 times a second while something
// changes or a thread has loads under way, else every half second to two. Where the system cannot
// prove deaths this finds none; the exit of a worker proves them there (cache/thread-exits.ts).
import { elapsedMs } from "../base/mod.js";
import {
  codes,
  deadHolderOf,
  holderOf,
  type Kernel,
  recoverThread,
  type TombstoneWriter,
} from "../kernel/mod.js";

/** Milliseconds between two looks. The janitor's rounds may follow each other much faster. */
const everyMs = 20;
/** Thread ids checked for each of these, about 4 microseconds each: all 68 within 100 ms, or at
 *  every look if they are rarer. */
const idsPerLook = 16;

export class ThreadWatch {
  readonly #kernel: Kernel;
  readonly #writeTombstone: TombstoneWriter;
  #dueMs = 0;
  #last = 0;

  /** `writeTombstone` writes the pending tombstones of a dead thread. */
  constructor(kernel: Kernel, writeTombstone: TombstoneWriter) {
    this.#kernel = kernel;
    this.#writeTombstone = writeTombstone;
  }

  /** Checks the next thread ids that are held, and recovers those whose holder is dead. */
  look(): void {
    const now = elapsedMs();
    if (now < this.#dueMs) return;
    const most = idsPerLook * (1 + Math.floor((now - this.#dueMs) / everyMs));
    this.#dueMs = now + everyMs;
    const kernel = this.#kernel;
    let looked = 0;
    for (let step = 0; step < codes.threadsMax && looked < most; step++) {
      this.#last = (this.#last + 1) % codes.threadsMax;
      if (this.#last === kernel.thread || holderOf(kernel, this.#last) === null) continue;
      // Only the first check is exact, since that costs more. The other checks miss a death if the
      // system has given the dead thread's number to a new thread.
      const holder = deadHolderOf(kernel, this.#last, looked === 0);
      if (holder !== null) recoverThread(kernel, holder, this.#writeTombstone);
      looked += 1;
    }
  }
}
