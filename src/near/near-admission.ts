// Says whether a decoded value is worth keeping near. Called by the near cache, at each miss.
// Keeping one costs about as much as decoding it, most of that later, when the garbage collector
// moves it twice. So keeping is paid for: by hits, each of which saves more than it pays, and by
// misses, which pay a little. Whatever the order of requests, where few hit little is spent.
//
// What is paid goes to keys that were asked for before, or, while there is plenty and nothing has
// to leave, to any key.

/** What a hit and a miss pay, where keeping a value costs 1. */
const paidByHit = 1 / 2;
const paidByMiss = 1 / 32;
/** The most that is saved up, and what there is at first. */
const savingsMax = 1024;
const plenty = savingsMax / 2;
/** One miss in this many keeps nothing, once there were this many. If nearly all decoded objects
 *  live on, V8 allocates them where they do not have to be moved, and does so for ever; but those
 *  that are not kept would then wait for a collection of the whole heap. */
const dropEvery = 4;
const dropsAfter = 32;

export class NearAdmission {
  #savings = savingsMax;
  #misses = 0;

  /** Whether a value is worth keeping, after a miss and `hits` since the last one. `wasHit`: its
   *  key was asked for before. `hasRoom`: nothing has to leave for it. */
  admits(hits: number, wasHit: boolean, hasRoom: boolean): boolean {
    const savings = Math.min(savingsMax, this.#savings + paidByMiss + hits * paidByHit);
    this.#savings = savings;
    this.#misses += 1;
    if (this.#misses % dropEvery === 0 && this.#misses > dropsAfter) return false;
    return hasRoom && savings >= plenty ? true : wasHit && savings >= 1;
  }

  /** A value is kept. */
  pay(): void {
    this.#savings -= 1;
  }
}
