// The policy "auto" in the engine: hands the sampled requests of all threads to the tuner, and the setting that it finds to
// the live policy. Runs in the janitor, between its other duties. Invariants: it never takes more than its share of the
// janitor's time; what it needs beyond the rings lies in this thread's heap (miniature caches of up to 2,000 entries for
// each setting, together 1 to 2 MiB) and is built anew by a janitor that takes over.
import { policyCapacityOf } from "../eviction/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";
import { candidates, type LogPolicy, type Setting, settingOf, Tuner } from "../policy/mod.js";
import * as counter from "../stats/mod.js";

/** The share of the janitor's thread that tuning may take; what it did not use it may make up for within a second. */
const timeShare = 0.02;
const savedMsMax = 1000 * timeShare;
/** Requests taken from one ring between two looks at the clock. */
const stride = 64;
/** How full the log must be for its entries to say how many it will hold: one part in so many. */
const knownAt = 8;
/** The tuner is built anew when the cache holds this many times more or fewer entries than it was built for. */
const drift = 2;
const entriesMin = 16;

export class Tuning {
  readonly #kernel: Kernel;
  readonly #policy: LogPolicy;
  #tuner: Tuner | undefined;
  #entries = 0;
  #live: Setting;
  #savedMs = savedMsMax;
  #seenMs = performance.now();

  /** `live`: the setting that the policy has now. */
  constructor(kernel: Kernel, policy: LogPolicy, live: Setting) {
    this.#kernel = kernel;
    this.#policy = policy;
    this.#live = live;
  }

  /** Takes note of what the rings hold, as far as its time allows. */
  run(): void {
    const now = performance.now();
    this.#savedMs = Math.min(savedMsMax, this.#savedMs + (now - this.#seenMs) * timeShare);
    this.#seenMs = now;
    if (this.#savedMs <= 0) return;
    this.#fit();
    if (this.#tuner === undefined) return;
    for (let thread = 0; thread < codes.threadsMax; thread++) this.#drain(thread, this.#tuner);
  }

  /** Builds the tuner for the number of entries that the log holds when it is full, as far as is known. */
  #fit(): void {
    const capacity = policyCapacityOf(this.#kernel.geometry);
    const bytes = this.#kernel.total(counter.counterMemoryBytes);
    const records = this.#kernel.total(counter.counterMemoryEntries);
    if (records < entriesMin || bytes < capacity / knownAt) return;
    const entries = Math.round((records / bytes) * capacity);
    const isFit = entries < this.#entries * drift && entries * drift > this.#entries;
    if (this.#tuner !== undefined && isFit) return;
    this.#entries = entries;
    const settings = [
      this.#live,
      ...candidates.filter((candidate) => !isSame(candidate, this.#live)),
    ];
    this.#tuner = new Tuner({ capacity, entries, settings });
    this.#kernel.control.setSampleMask(this.#tuner.sampleMask);
  }

  #drain(thread: number, tuner: Tuner): void {
    const observe = (hashHigh: number, size: number): void => {
      if (tuner.observe(hashHigh, (size + 7) & ~7)) this.#adopt(tuner.setting);
    };
    while (this.#savedMs > 0) {
      const taken = this.#kernel.samples.take(thread, stride, observe);
      if (taken === 0) return;
      this.#kernel.count(counter.counterSamples, taken);
      const now = performance.now();
      this.#savedMs -= now - this.#seenMs;
      this.#seenMs = now;
    }
  }

  #adopt(setting: Setting): void {
    this.#live = setting;
    this.#policy.adopt(setting);
    this.#kernel.count(counter.counterTunings, 1);
  }
}

/** A janitor that takes over goes back to the setting that a cache begins with: what its predecessor had learnt is gone. */
export function startTuning(kernel: Kernel, policy: LogPolicy): Tuning {
  const first = settingOf("auto");
  policy.adopt(first);
  return new Tuning(kernel, policy, first);
}

function isSame(left: Setting, right: Setting): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
