// The policy "auto": finds the setting that suits the requests by running several of them in miniature caches on a
// sample of the keys, and has the live cache go on with the best. The janitor feeds it (off the event loop); the
// simulator feeds it the same way. Sampling by key keeps what matters: a cache of 1/2^n of the size under 1/2^n of the
// keys has about the miss ratio of the whole (Waldspurger et al., "Cache modeling and optimization using miniature
// simulations", ATC '17). Invariant: it decides by what it was told alone, so the same requests give the same settings.
import { KeyTable } from "./key-table.js";
import { LogPolicy } from "./log-policy.js";
import { SegmentedLog } from "./segmented-log.js";
import { lfuSetting, clockSetting, s3FifoSetting, type Setting } from "./setting.js";

/** The settings that are tried. The first is where a cache begins: it has the best mean, and what it remembers of keys
 *  serves the others. */
export const candidates: readonly Setting[] = [
  lfuSetting,
  { ...lfuSetting, smallShare: 0.01 },
  { ...lfuSetting, smallShare: 0.3 },
  s3FifoSetting,
  { ...s3FifoSetting, ghostTurnovers: 3 },
  { ...s3FifoSetting, smallShare: 0.3 },
  clockSetting,
];

/** Entries of a miniature cache: at least this, less than twice as many. A smaller cache is simulated whole. */
const miniatureEntries = 1000;
/** Misses of earlier windows count this much less with each window. A window is as many requests as entries. */
const decay = 0.8;
/** The best setting must have fewer misses than the live one by this share of them, and by this many times their square
 *  root, which is about their noise; else caches of a hundred entries would change settings all the time. */
const marginShare = 0.004;
const marginNoise = 0.5;

/** What one request counts in the running mean of sizes. */
const meanSizeShare = 1 / 1024;

class Candidate {
  readonly setting: Setting;
  readonly log: SegmentedLog;
  /** Misses of the running window, and of all, older ones counting less. A miss of an entry of the mean size counts 1,
   *  others half for the miss and half for their bytes, so that both hit ratios are served. */
  misses = 0;
  score = 0;

  constructor(setting: Setting, log: SegmentedLog) {
    this.setting = setting;
    this.log = log;
  }
}

export interface TunerOptions {
  /** The live cache's bytes (or entries, where sizes are 1). */
  readonly capacity: number;
  /** Entries it holds, as far as is known. */
  readonly entries: number;
  /** What is tried instead of `candidates`. */
  readonly settings?: readonly Setting[];
}

export class Tuner {
  /** Bits of the low half of a key's hash: the caller reports a key's requests if none of them is set. The high half,
   *  which `observe` gets, must not depend on the low one. */
  readonly sampleMask: number;
  readonly #candidates: readonly Candidate[];
  readonly #table: KeyTable;
  readonly #window: number;
  #current = 0;
  #untilEnd: number;
  #meanSize = 0;
  #dropped = 0;
  #switches = 0;

  constructor(options: TunerOptions) {
    const scale = 2 ** Math.max(0, Math.floor(Math.log2(options.entries / miniatureEntries)));
    const entries = Math.ceil(options.entries / scale);
    const settings = options.settings ?? candidates;
    // Each arm may hold other keys, and new ones come in between two turns of recycling.
    const keys = (settings.length + 2) * (entries + 16);
    this.sampleMask = scale - 1;
    this.#table = new KeyTable(keys);
    const geometry = { capacity: options.capacity / scale, keys, hashes: this.#table.hashes };
    this.#candidates = settings.map((setting) => {
      const policy = LogPolicy.alone(setting, geometry.capacity, entries);
      return new Candidate(setting, new SegmentedLog(policy, geometry));
    });
    this.#window = entries;
    this.#untilEnd = entries;
  }

  /** The setting that the live cache should have. */
  get setting(): Setting {
    return (this.#candidates[this.#current] as Candidate).setting;
  }

  /** Requests that were not taken note of, since the miniature caches held more entries than expected. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How often `setting` has changed. */
  get switches(): number {
    return this.#switches;
  }

  /** Takes note of a request for a sampled key. `hash` is the half of the key's hash that policies get, `size` the bytes
   *  of the entry, at least 1. Returns whether `setting` has changed. */
  observe(hash: number, size: number): boolean {
    let key = this.#table.numberOf(hash);
    if (key < 0) {
      this.#table.recycle((other) =>
        this.#candidates.some((candidate) => candidate.log.has(other)),
      );
      key = this.#table.numberOf(hash);
      if (key < 0) {
        this.#dropped += 1;
        return false;
      }
    }
    this.#meanSize += (size - this.#meanSize) * (this.#meanSize === 0 ? 1 : meanSizeShare);
    const cost = (1 + size / this.#meanSize) / 2;
    for (const candidate of this.#candidates) {
      if (candidate.log.hit(key)) continue;
      candidate.misses += cost;
      candidate.log.insert(key, size);
    }
    this.#untilEnd -= 1;
    return this.#untilEnd <= 0 && this.#endWindow();
  }

  #endWindow(): boolean {
    this.#untilEnd = this.#window;
    let best = this.#current;
    for (let index = 0; index < this.#candidates.length; index++) {
      const candidate = this.#candidates[index] as Candidate;
      candidate.score = candidate.score * decay + candidate.misses;
      candidate.misses = 0;
      if (candidate.score < (this.#candidates[best] as Candidate).score) best = index;
    }
    const score = (this.#candidates[this.#current] as Candidate).score;
    const gain = score - (this.#candidates[best] as Candidate).score;
    if (gain <= marginShare * score + marginNoise * Math.sqrt(score)) return false;
    this.#current = best;
    this.#switches += 1;
    return true;
  }
}
