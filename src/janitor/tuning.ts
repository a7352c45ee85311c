// The policy "auto" in the live cache: feeds the sampled requests of all threads to the tuner, and
// gives the setting it finds to the live policy. Runs in the janitor, between its other duties.
// Invariants: tuning never takes more than its share of the janitor's time. Its memory beyond the
// rings is in this thread's heap (miniature caches of up to 2,000 entries for each setting, 1 to 2
// MiB in all); a new janitor builds it anew.
import { elapsedMs } from "../base/mod.js";
import { policyCapacityOf } from "../eviction/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";
import { candidates, type LogPolicy, type Setting, settingOf, Tuner } from "../policy/mod.js";
import * as counter from "../stats/mod.js";

/** Share of the janitor's time that tuning may take. It may save up the share of one second. */
const timeShare = 0.02;
const savedMsMax = 1000 * timeShare;
/** Requests taken from one ring between two looks at the clock. */
const stride = 64;
/** The log must be at least 1/8 full before its entries predict how many it will hold. */
const knownAt = 8;
/** The tuner is rebuilt when the number of entries has grown or shrunk by this factor. */
const drift = 2;
const entriesMin = 16;

export class Tuning {
  readonly #kernel: Kernel;
  readonly #policy: LogPolicy;
  #tuner: Tuner | undefined;
  #entries = 0;
  #live: Setting;
  #savedMs = savedMsMax;
  #seenMs = elapsedMs();

  /** `live`: the policy's current setting. */
  constructor(kernel: Kernel, policy: LogPolicy, live: Setting) {
    this.#kernel = kernel;
    this.#policy = policy;
    this.#live = live;
  }

  /** Feeds the tuner from the rings, as far as its time allows. */
  run(): void {
    const now = elapsedMs();
    this.#savedMs = Math.min(savedMsMax, this.#savedMs + (now - this.#seenMs) * timeShare);
    this.#seenMs = now;
    if (this.#savedMs <= 0) return;
    this.#fit();
    if (this.#tuner === undefined) return;
    for (let thread = 0; thread < codes.threadsMax; thread++) this.#drain(thread, this.#tuner);
  }

  /** Builds the tuner for the number of entries that a full log will hold, once that is known. */
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
      const now = elapsedMs();
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

/** A new janitor starts from the first setting: what its predecessor learned is lost. */
export function startTuning(kernel: Kernel, policy: LogPolicy): Tuning {
  const first = settingOf("auto");
  policy.adopt(first);
  return new Tuning(kernel, policy, first);
}

function isSame(left: Setting, right: Setting): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
