// Whether callers look keys up with strings they keep, or with strings they build for each call. JavaScript does not say, but
// time does: a string's hash is computed the first time a Map is asked for it and kept in the string. So a first look
// that takes about as long as the second was made with a string that had been looked up before. Called by the near
// cache with a sample of the keys, the same keys again and again: that a kept string has a hash may be this look's doing.
// It compares with a string that it builds itself, so it needs no figure of the machine.

/** Keys whose times are taken for one verdict. The middle half of them counts, the others may be the scheduler's doing. */
const windowSize = 33;
/** The share of a hash's time below which keys are kept, and above which they are built; between them it stays. Kept keys
 *  take none to a third of it, built ones 0.7 to 1.4. */
const internedShare = 0.5;
const freshShare = 0.95;
/** Windows in a row that must find keys kept before they are taken for it: one may be wrong, and an index for nothing is
 *  dear. */
const windowsToTell = 2;
/** Calls from one sample to the next, once windows find what is known. A sample takes a microsecond. */
const intervalMax = 4;
/** An index of kept keys that has fewer of a window's keys costs more than it saves: a look there that finds nothing takes
 *  about half of what one that finds a value saves. */
const usefulHits = windowSize / 3;
/** Windows without an index after one that was of no use. */
const restWindows = 32;

export class KeyIdentityDetector {
  readonly #probe = new Map<string, true>([["probe", true]]);
  readonly #asked = new Float64Array(windowSize);
  readonly #built = new Float64Array(windowSize);
  #samples = 0;
  #hits = 0;
  /** Windows for which there has been an index; the first fills it. */
  #windows = 0;
  #rest = 0;
  #isInterned = false;
  #internedWindows = 0;
  #interval = 1;
  #skipped = 0;

  /** Adds a key to the sample, as it was given and before anything was looked up with it. `index` is that of kept keys, if
   *  there is one; returns whether there should be one. */
  observe(key: string, index: { has(key: string): boolean } | null): boolean {
    if (++this.#skipped < this.#interval) return index !== null;
    this.#skipped = 0;
    // What the measuring itself needs is in the processor's caches after the first of three.
    this.#hashTime(`${key}-`);
    this.#asked[this.#samples] = this.#hashTime(key);
    this.#built[this.#samples] = this.#hashTime(`${key}+`);
    // Not before: it computes the hash.
    if (index?.has(key) === true) this.#hits += 1;
    if (++this.#samples < windowSize) return index !== null;
    this.#judge(index !== null);
    this.#samples = 0;
    this.#hits = 0;
    return this.#isInterned && this.#rest === 0;
  }

  #judge(hasIndex: boolean): void {
    const asked = middleOf(this.#asked);
    const built = middleOf(this.#built);
    const wasInterned = this.#isInterned;
    this.#internedWindows = asked < built * internedShare ? this.#internedWindows + 1 : 0;
    if (this.#internedWindows >= windowsToTell) this.#isInterned = true;
    else if (asked > built * freshShare) this.#isInterned = false;
    const isSettled =
      this.#isInterned === wasInterned && (this.#isInterned || this.#internedWindows === 0);
    this.#interval = isSettled ? Math.min(2 * this.#interval, intervalMax) : 1;
    this.#windows = hasIndex ? this.#windows + 1 : 0;
    if (this.#windows > 1 && this.#hits < usefulHits) this.#rest = restWindows;
    else if (this.#rest > 0) this.#rest -= 1;
  }

  /** How many nanoseconds longer the first look with a string takes than the second. Each step waits for the one before:
   *  otherwise the compiler moves the looks out from between the times. */
  #hashTime(key: string): number {
    // Joins a string that was glued together, which is no part of hashing, and warms what both looks use.
    if (Number.isNaN(key.charCodeAt(key.length - 1)) || !this.#probe.has("probe")) return 0;
    const start = performance.now();
    if (this.#probe.has(key)) return 0;
    const middle = performance.now();
    if (this.#probe.has(key)) return 0;
    return (middle - start - (performance.now() - middle)) * 1e6;
  }
}

/** The mean of the middle half: the clock's steps are as long as a hash takes. */
function middleOf(times: Float64Array): number {
  const quarter = times.length >> 2;
  const middle = times.toSorted().subarray(quarter, times.length - quarter);
  return middle.reduce((sum, time) => sum + time, 0) / middle.length;
}
