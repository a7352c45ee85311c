// The janitor's look at the other threads: who of them has died without detaching, and left a place, segments, flights, or
// a lock for which others wait. Called in each of its rounds. Where the system does not tell whether a thread lives, this
// finds nothing, and deaths are known by the exits of workers (cache/thread-exits.ts).
import {
  codes,
  deadHolderOf,
  holderOf,
  type Kernel,
  recoverThread,
  type TombstoneWriter,
} from "../kernel/mod.js";

/** Rounds may follow each other faster than anybody dies. */
const everyMs = 20;
/** Places looked at each time, at about 4 microseconds each: all 64 within 80 ms. */
const placesEach = 16;

export class ThreadWatch {
  readonly #kernel: Kernel;
  readonly #writeTombstone: TombstoneWriter;
  #dueMs = 0;
  #last = 0;

  /** `writeTombstone` writes the dead marks that a dead thread had announced. */
  constructor(kernel: Kernel, writeTombstone: TombstoneWriter) {
    this.#kernel = kernel;
    this.#writeTombstone = writeTombstone;
  }

  /** Looks at the next places that are held, and recovers those whose holder is dead. */
  look(): void {
    const now = performance.now();
    if (now < this.#dueMs) return;
    this.#dueMs = now + everyMs;
    const kernel = this.#kernel;
    let looked = 0;
    for (let step = 0; step < codes.threadsMax && looked < placesEach; step++) {
      this.#last = (this.#last + 1) % codes.threadsMax;
      if (this.#last === kernel.thread || holderOf(kernel, this.#last) === null) continue;
      // One of them exactly, which costs more: a thread may have got the number of a dead one.
      const holder = deadHolderOf(kernel, this.#last, looked === 0);
      if (holder !== null) recoverThread(kernel, holder, this.#writeTombstone);
      looked += 1;
    }
  }
}
