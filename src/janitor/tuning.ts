// The policy "auto" in the live cache: feeds the sampled requests of all threads to the tuner, and
// gives the setting it finds to the live policy. Runs in the janitor, between its other duties.
// Invariants: tuning never takes more than its share of the janitor's time. Its memory beyond the
// rings is in this thread's heap (miniature caches of up to 2,000 entries for each setting, 1 to 2
// MiB in all); a new janitor builds it anew.
import { elapsedMs } from "../base/mod.js";
import { policyCapacityOf, usedGeometryOf } from "../eviction/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";
import { candidatesFor, type LogPolicy, type Setting, settingOf, Tuner } from "../policy/mod.js";
import * as counter from "../stats/mod.js";

/** Share of the janitor's time that tuning may take. It may save up the share of ten seconds, so
 *  that the first requests, and a burst, are heard whole: with requests missing, the keys between
 *  two requests of a key are fewer, and every setting looks as if the cache were larger. */
const timeShare = 0.02;
const savedMsMax = 10_000 * timeShare;
/** The most of it in one round, since the janitor has other duties. */
const roundMsMax = 4;
/** Requests taken from one ring between two looks at the clock. */
const stride = 64;
/** The log must be at least 1/8 full before its entries predict how many it will hold. */
const knownAt = 8;
/** The tuner is rebuilt when the number of entries has grown or shrunk by this factor. */
const drift = 2;
const entriesMin = 16;
/** After so many windows in a row with too many requests lost, half as many keys are sampled, down
 *  to miniature caches of thinnedEntriesMin entries. A smaller cache whose requests come too fast
 *  keeps its setting until they come slower. */
const lossyWindowsMax = 4;
const thinnedEntriesMin = 500;

export class Tuning {
  readonly #kernel: Kernel;
  readonly #policy: LogPolicy;
  #tuner: Tuner | undefined;
  #entries = 0;
  #thinning = 0;
  /** Requests lost so far, over all threads. */
  #lost = 0;
  #live: Setting;
  /** Whether the last run has taken a request. */
  hasHeard = false;
  #savedMs = savedMsMax;
  #seenMs = elapsedMs();

  /** `live`: the policy's current setting. */
  constructor(kernel: Kernel, policy: LogPolicy, live: Setting) {
    this.#kernel = kernel;
    this.#policy = policy;
    this.#live = live;
  }

  /** Feeds the tuner from the rings, as far as its time allows. True if there is more to do at
   *  once. */
  run(): boolean {
    const now = elapsedMs();
    this.#savedMs = Math.min(savedMsMax, this.#savedMs + (now - this.#seenMs) * timeShare);
    this.#seenMs = now;
    this.hasHeard = false;
    if (this.#savedMs <= 0) return false;
    this.#fit();
    if (this.#tuner === undefined) return false;
    const lost = this.#kernel.total(counter.counterSamplesDropped);
    this.#tuner.noteLost(lost - this.#lost);
    this.#lost = lost;
    const end = now + Math.min(roundMsMax, this.#savedMs);
    for (let thread = 0; thread < codes.threadsMax; thread++) {
      this.#drain(thread, this.#tuner, end);
    }
    this.#savedMs -= this.#seenMs - now;
    return this.#seenMs >= end && this.#savedMs > 0;
  }

  /** Builds the tuner for the number of entries that a full log will hold, once that is known. */
  #fit(): void {
    const capacity = policyCapacityOf(usedGeometryOf(this.#kernel));
    const bytes = this.#kernel.total(counter.counterMemoryBytes);
    const records = this.#kernel.total(counter.counterMemoryEntries);
    if (records < entriesMin || bytes < capacity / knownAt) return;
    const entries = Math.round((records / bytes) * capacity);
    const isFit = entries < this.#entries * drift && entries * drift > this.#entries;
    const isHeard = (this.#tuner?.lossyWindows ?? 0) < lossyWindowsMax;
    const mayThin = entries >= 2 ** (this.#thinning + 1) * thinnedEntriesMin;
    if (this.#tuner !== undefined && isFit && (isHeard || !mayThin)) return;
    if (isFit && !isHeard) this.#thinning += 1;
    else this.#thinning = 0;
    this.#entries = entries;
    const { worth } = this.#policy;
    const others = candidatesFor(worth).filter((candidate) => !isSame(candidate, this.#live));
    const settings = [this.#live, ...others];
    const thinning = this.#thinning;
    this.#tuner = new Tuner({ capacity, entries, settings, thinning, worth });
    this.#kernel.control.setSampleMask(this.#tuner.sampleMask);
  }

  #drain(thread: number, tuner: Tuner, end: number): void {
    const observe = (hashHigh: number, size: number, loadClass: number): void => {
      if (tuner.observe(hashHigh, size, loadClass)) this.#adopt(tuner.setting);
    };
    while (this.#seenMs < end) {
      const taken = this.#kernel.samples.take(thread, stride, observe);
      if (taken === 0) return;
      this.hasHeard = true;
      this.#kernel.count(counter.counterSamples, taken);
      this.#seenMs = elapsedMs();
    }
  }

  #adopt(setting: Setting): void {
    this.#live = setting;
    this.#policy.adopt(setting);
    this.#kernel.count(counter.counterTunings, 1);
  }
}

/** A new janitor starts from the first setting: what its predecessor learned is lost. */
export function startTuning(kernel: Kernel, policy: LogPolicy): Tuning {
  const first = settingOf("auto", policy.worth);
  policy.adopt(first);
  return new Tuning(kernel, policy, first);
}

function isSame(left: Setting, right: Setting): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
