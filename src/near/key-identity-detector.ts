// Detects whether callers use interned or fresh keys, by timing: V8 computes a string's hash at its
// first Map lookup and stores it in the string. A first lookup that takes about as long as the
// second was made with a string that was looked up before. The near cache calls it with a sample of
// few keys, again and again, since an interned key may have its hash only from an earlier lookup
// here. The yardstick is a string we build ourselves, so no constant depends on the machine.
import { elapsedMs } from "../base/mod.js";

/** Keys timed for one verdict. Only the middle half counts: the scheduler may distort the rest. */
const windowSize = 33;
/** Shares of the time of one hash: keys are interned below the first and fresh above the second; in
 *  between the verdict stays. Interned keys measure 0 to 0.33, fresh keys 0.7 to 1.4. */
const internedShare = 0.5;
const freshShare = 0.95;
/** Windows in a row that must find keys interned before we believe it: one may be wrong, and an
 *  index for nothing is expensive. */
const windowsToTell = 2;
/** Calls from one sample to the next once windows confirm the verdict. A sample takes 1 µs. */
const intervalMax = 4;
/** An identity index that has fewer of a window's keys costs more than it saves: a miss there costs
 *  about half of what a hit saves. */
const usefulHits = windowSize / 3;
/** Windows without an index after one that was of no use. */
const restWindows = 32;

export class KeyIdentityDetector {
  readonly #probe = new Map<string, true>([["probe", true]]);
  readonly #asked = new Float64Array(windowSize);
  readonly #fresh = new Float64Array(windowSize);
  #samples = 0;
  #hits = 0;
  /** Windows during which there was an index; the first one fills it. */
  #windows = 0;
  #rest = 0;
  #isInterned = false;
  #internedWindows = 0;
  #interval = 1;
  #skipped = 0;

  /** Adds a key to the sample, as the caller gave it and before anything looked it up. `index` is
   *  the identity index, null if there is none. Answers whether there should be one. */
  observe(key: string, index: { has(key: string): boolean } | null): boolean {
    if (++this.#skipped < this.#interval) return index !== null;
    this.#skipped = 0;
    // The first of the three calls warms the processor's caches for the measurement itself.
    this.#hashTime(`${key}-`);
    this.#asked[this.#samples] = this.#hashTime(key);
    this.#fresh[this.#samples] = this.#hashTime(`${key}+`);
    // Only now: this lookup computes the hash.
    if (index?.has(key) === true) this.#hits += 1;
    if (++this.#samples < windowSize) return index !== null;
    this.#judge(index !== null);
    this.#samples = 0;
    this.#hits = 0;
    return this.#isInterned && this.#rest === 0;
  }

  #judge(hasIndex: boolean): void {
    const asked = middleOf(this.#asked);
    const fresh = middleOf(this.#fresh);
    const wasInterned = this.#isInterned;
    this.#internedWindows = asked < fresh * internedShare ? this.#internedWindows + 1 : 0;
    if (this.#internedWindows >= windowsToTell) this.#isInterned = true;
    else if (asked > fresh * freshShare) this.#isInterned = false;
    const isSettled =
      this.#isInterned === wasInterned && (this.#isInterned || this.#internedWindows === 0);
    this.#interval = isSettled ? Math.min(2 * this.#interval, intervalMax) : 1;
    this.#windows = hasIndex ? this.#windows + 1 : 0;
    if (this.#windows > 1 && this.#hits < usefulHits) this.#rest = restWindows;
    else if (this.#rest > 0) this.#rest -= 1;
  }

  /** How many nanoseconds longer the first lookup with a string takes than the second. Each step
   *  depends on the one before; otherwise the compiler moves the lookups out from between the clock
   *  reads. */
  #hashTime(key: string): number {
    // Flattens a concatenated string, which is no part of hashing, and warms what both lookups use.
    if (Number.isNaN(key.charCodeAt(key.length - 1)) || !this.#probe.has("probe")) return 0;
    const start = elapsedMs();
    if (this.#probe.has(key)) return 0;
    const middle = elapsedMs();
    if (this.#probe.has(key)) return 0;
    return (middle - start - (elapsedMs() - middle)) * 1e6;
  }
}

/** The mean of the middle half: one tick of the clock is as long as a hash takes. */
function middleOf(times: Float64Array): number {
  const quarter = times.length >> 2;
  const middle = times.toSorted().subarray(quarter, times.length - quarter);
  return middle.reduce((sum, time) => sum + time, 0) / middle.length;
}
