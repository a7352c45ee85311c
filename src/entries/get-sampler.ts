// Times a sample of the gets: seldom, since to read the clock is to wait for all that is under way, which takes a microsecond.
import { counterNearHits, histogramMemory, histogramNear } from "../stats/mod.js";
import type { ThreadCore } from "./thread-core.js";

/** One in this many gets is timed. */
const sampleEvery = 1024;
/** The first samples come sooner, so that a cache that is asked little has some too. */
const earlySamples = 64;
const earlySampleEvery = 64;

export class GetSampler {
  readonly #core: ThreadCore;
  #samples = 0;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  /** Gets up to the next sample. The caller counts them down: a hit has no nanosecond to spare. */
  next(): number {
    return ++this.#samples < earlySamples ? earlySampleEvery : sampleEvery;
  }

  /** Runs a get that is one of the sample. */
  time<T>(get: () => T | undefined): T | undefined {
    const { counters } = this.#core.kernel;
    const nearBefore = counters.own(counterNearHits);
    const start = performance.now();
    const value = get();
    const nanoseconds = (performance.now() - start) * 1e6;
    if (value !== undefined) {
      const isNear = counters.own(counterNearHits) !== nearBefore;
      this.#core.sample(isNear ? histogramNear : histogramMemory, nanoseconds);
    }
    return value;
  }
}
