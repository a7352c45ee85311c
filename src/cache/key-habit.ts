// Whether callers look keys up with strings they keep, or with strings they build for each call. JavaScript does not say, but
// time does: a string's hash is computed the first time a Map is asked for it and kept in the string. So a first look
// that takes about as long as the second was made with a string that had been looked up before. Called by the near
// cache with a sample of the keys. It compares with a string that it builds itself, so it needs no figure of the machine.

/** Keys whose times are taken for one verdict. Their medians count: half of them may be the scheduler's doing. */
const windowSize = 33;
/** The share of a hash's time below which keys are kept, and above which they are built; between them it stays. */
const keptShare = 0.65;
const builtShare = 0.95;
/** Windows in a row that must say "built" before an index that was filled hit by hit is thrown away. */
const builtWindows = 3;

export class KeyHabit {
  readonly #probe = new Map<string, true>([["probe", true]]);
  #samples = 0;
  #builtInARow = 0;
  readonly #asked = new Float64Array(windowSize);
  readonly #built = new Float64Array(windowSize);
  #isKept = false;

  /** Adds a key to the sample, as it was given and before anything was looked up with it. Returns whether keys are kept,
   *  as far as is known. */
  observe(key: string): boolean {
    this.#asked[this.#samples] = this.#hashTime(key);
    this.#built[this.#samples] = this.#hashTime(`${key}+`);
    if (++this.#samples < windowSize) return this.#isKept;
    this.#samples = 0;
    const asked = medianOf(this.#asked);
    const built = medianOf(this.#built);
    this.#builtInARow = asked > built * builtShare ? this.#builtInARow + 1 : 0;
    if (asked < built * keptShare) this.#isKept = true;
    else if (this.#builtInARow >= builtWindows) this.#isKept = false;
    return this.#isKept;
  }

  /** How many nanoseconds longer the first look with a string takes than the second. */
  #hashTime(key: string): number {
    // Joins a string that was glued together, which is no part of hashing, and warms what both looks use.
    key.charCodeAt(key.length - 1);
    const isWarm = this.#probe.has("probe");
    const start = performance.now();
    const first = this.#probe.has(key);
    const middle = performance.now();
    const second = this.#probe.has(key);
    const end = performance.now();
    // What the looks found is used, or the compiler would leave them out.
    if (!isWarm || first || second) return 0;
    return (middle - start - (end - middle)) * 1e6;
  }
}

function medianOf(times: Float64Array): number {
  return times.toSorted()[times.length >> 1] as number;
}
