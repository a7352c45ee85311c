// Says whether a decoded value is worth keeping near. Called by the near cache, at each miss.
// Keeping one costs about two decodes, most of that later, when the garbage collector moves it
// twice. So keeping is paid for: by hits, each of which saves more than it pays, and by misses,
// which pay a little. Whatever the order of requests, where few hit little is spent.
//
// What there is goes to keys that come again (recent-misses.ts), and to any key while there is
// plenty and nothing has to leave.
import { RecentMisses } from "./recent-misses.js";

/** What keeping a value costs, and what a hit and a miss pay. */
const cost = 64;
const paidByHit = 8;
const paidByMiss = 1;
/** The most that is saved up, and what there is at first. */
const savingsMax = 16_384 * cost;
const plenty = 1024 * cost;
/** One miss in this many keeps nothing, once there were this many. If nearly all decoded objects
 *  live on, V8 allocates them where they do not have to be moved, and does so for ever; but those
 *  that are not kept would then wait for a collection of the whole heap. */
const dropEvery = 4;
const dropsAfter = 64;

export class NearAdmission {
  readonly #recent = new RecentMisses();
  #savings = savingsMax;
  #misses = 0;

  /** Whether a value is worth keeping, after a miss and `hits` since the last one. `hashLow` is of
   *  its key, and `hasRoom` says that nothing has to leave for it. */
  admits(hits: number, hashLow: number, hasRoom: boolean): boolean {
    const savings = Math.min(savingsMax, this.#savings + paidByMiss + hits * paidByHit);
    this.#savings = savings;
    this.#misses = (this.#misses + 1) | 0;
    const isAgain = this.#recent.noteAgain(hashLow);
    if (this.#misses % dropEvery === 0 && this.#misses > dropsAfter) return false;
    return savings >= (isAgain ? cost : plenty) && (isAgain || hasRoom);
  }

  /** A value is kept. */
  pay(): void {
    this.#savings -= cost;
  }
}
