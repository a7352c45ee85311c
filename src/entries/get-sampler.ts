// Chooses which gets are samples, and times those of getSync. Samples are rare, because reading the
// clock takes about a microsecond. Called by the entry reader.
import { elapsedMs } from "../base/mod.js";
import type { Key } from "../kernel/mod.js";
import { counterNearHits, histogramMemory, histogramNear } from "../stats/mod.js";
import type { ThreadCore } from "./thread-core.js";

/** One get in this many is a sample. */
const sampleEvery = 1024;
/** The first samples come sooner, so that a cache with few gets has some too. */
const earlySamples = 64;
export const earlySampleEvery = 64;

export class GetSampler {
  readonly #core: ThreadCore;
  #samples = 0;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  /** Notes the key of a sample for operators. Returns the gets until the next sample, at first
   *  earlySampleEvery. The caller counts down itself: a hit has no time for a call. */
  next(key: Key): number {
    this.#core.recentKeys?.note(this.#core.namespace?.id ?? 0, key);
    return ++this.#samples < earlySamples ? earlySampleEvery : sampleEvery;
  }

  /** Runs and times a get. Only hits enter the histograms. */
  time<T>(get: () => T | undefined): T | undefined {
    const { counters } = this.#core;
    const nearBefore = counters.own(counterNearHits);
    const start = elapsedMs();
    const value = get();
    const nanoseconds = (elapsedMs() - start) * 1e6;
    if (value !== undefined) {
      const isNear = counters.own(counterNearHits) !== nearBefore;
      this.#core.sample(isNear ? histogramNear : histogramMemory, nanoseconds);
    }
    return value;
  }
}
