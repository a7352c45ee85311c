// The policy "auto": runs several settings in miniature caches on a sample of the keys and gives
// the live cache the best one. The janitor feeds it off the event loop; the simulator feeds it the
// same way. A cache of 1/2^n of the size under 1/2^n of the keys has about the miss ratio of the
// whole (Waldspurger et al., "Cache modeling and optimization using miniature simulations", ATC
// '17). Invariant: the same requests give the same settings.
import { KeyTable } from "./key-table.js";
import { LogPolicy } from "./log-policy.js";
import { SegmentedLog } from "./segmented-log.js";
import { lfuSetting, clockSetting, s3FifoSetting, type Setting, weighedFor } from "./setting.js";
import { loadClassUnknown, loadMsOf, type Worth } from "./worth.js";

/** Of the small log of candidates that promote what was hit. Between 0.1 and 0.4 little changes. */
const quietShare = 0.2;

/** The settings that are tried. A cache starts with the first: of those with a good mean it is the
 *  one that loses least where requests have just changed, as they have in a cold cache. */
export const candidates: readonly Setting[] = [
  { ...s3FifoSetting, ghostTurnovers: 1.5, quietShare },
  { ...s3FifoSetting, ghostTurnovers: 3, quietShare },
  { ...s3FifoSetting, smallShare: 0.3, quietShare },
  lfuSetting,
  { ...lfuSetting, smallShare: 0.01 },
  { ...lfuSetting, smallShare: 0.3 },
  clockSetting,
];

/** The settings that are tried where a hit is worth that. */
export function candidatesFor(worth: Worth): readonly Setting[] {
  if (worth === "hits") return candidates;
  const weighed = candidates.map((setting) => weighedFor(worth, setting));
  return worth === "bytes"
    ? weighed
    : [...weighed, { ...weighedFor(worth, lfuSetting), loadPower: 1 }];
}

/** A miniature cache has at least this many entries, and less than twice as many. A smaller
 *  cache is simulated whole. */
const miniatureEntries = 1000;
/** Settings are compared after each round. A window, as many requests as entries, has so many. */
const roundsPerWindow = 4;
/** Factor by which earlier misses shrink with each round: 0.8 with each window. */
const decay = 0.8 ** (1 / roundsPerWindow);
/** The best setting replaces the live one if it has fewer misses by this share of them, plus
 *  this many times their square root, which is about their noise. Without the noise term, caches
 *  of a hundred entries would switch all the time. */
const marginShare = 0.004;
const marginNoise = 0.5;

// A shift: the live setting misses by a share more than it did, and another misses clearly less.
// What was before a shift says nothing of what comes, so only the last rounds count.
const recentDecay = 0.7;
const shiftRise = 0.4;
const shiftMarginShare = 0.1;
const shiftMarginNoise = 2;

/** A window in which more requests were lost than this share of those heard proves little: keys are
 *  missing between two requests of a key, so the caches look larger than they are. */
const lostShareMax = 1 / 16;
/** So do the windows after it, while the miniature caches still hold what it left there: so many
 *  for as many lost requests as a window has, and at most so many. */
const windowsAfterLoss = 8;
/** The share of its misses by which a setting must be beaten in such windows. */
const lossyMarginShare = 0.25;

/** Weight of one request in the running means of sizes and load times. */
const meanShare = 1 / 1024;

class Candidate {
  readonly setting: Setting;
  readonly log: SegmentedLog;
  /** What the misses of the current round cost. A miss of the mean size and load time costs 1. */
  misses = 0;
  /** Of the rounds that prove something. */
  score = 0;
  /** Of the last of these. */
  recent = 0;
  /** Of all rounds, those with lost requests too. */
  heard = 0;

  constructor(setting: Setting, log: SegmentedLog) {
    this.setting = setting;
    this.log = log;
  }

  endRound(isProven: boolean): void {
    if (isProven) {
      this.score = this.score * decay + this.misses;
      this.recent = this.recent * recentDecay + this.misses;
    }
    this.heard = this.heard * decay + this.misses;
    this.misses = 0;
  }

  /** Whether a round now costs clearly more than it did. While few rounds are known it does. */
  get hasRisen(): boolean {
    return this.recent * (1 - recentDecay) >= (1 + shiftRise) * this.score * (1 - decay);
  }
}

export interface TunerOptions {
  /** The live cache's bytes (or entries, where sizes are 1). */
  readonly capacity: number;
  /** Entries it holds, as far as is known. */
  readonly entries: number;
  /** Settings to try instead of `candidates`. */
  readonly settings?: readonly Setting[];
  /** How often the sample of keys is halved beyond what the entries ask for, because the caller
   *  cannot hear more. */
  readonly thinning?: number;
  /** What a hit is worth; default "hits". */
  readonly worth?: Worth;
}

export class Tuner {
  /** The caller reports requests of a key if the low half of its hash has none of these bits
   *  set. The high half, which `observe` gets, must not depend on the low half. */
  readonly sampleMask: number;
  readonly #candidates: readonly Candidate[];
  readonly #table: KeyTable;
  readonly #window: number;
  readonly #round: number;
  #current = 0;
  #untilEnd: number;
  #roundsLeft = roundsPerWindow;
  readonly #worth: Worth;
  #meanSize = 0;
  #meanLoadMs = 0;
  #dropped = 0;
  #switches = 0;
  #lost = 0;
  #lossyWindows = 0;
  #unproven = 0;

  constructor(options: TunerOptions) {
    const halvings = Math.max(0, Math.floor(Math.log2(options.entries / miniatureEntries)));
    const scale = 2 ** (halvings + (options.thinning ?? 0));
    const entries = Math.ceil(options.entries / scale);
    this.#worth = options.worth ?? "hits";
    const settings = options.settings ?? candidatesFor(this.#worth);
    // Candidates may hold different keys, and new keys arrive between two calls of `recycle`.
    const keys = (settings.length + 2) * (entries + 16);
    this.sampleMask = scale - 1;
    this.#table = new KeyTable(keys);
    const geometry = { capacity: options.capacity / scale, keys, hashes: this.#table.hashes };
    this.#candidates = settings.map((setting) => {
      const policy = LogPolicy.alone(setting, geometry.capacity, entries);
      return new Candidate(setting, new SegmentedLog(policy, geometry));
    });
    this.#round = Math.ceil(entries / roundsPerWindow);
    this.#window = this.#round * roundsPerWindow;
    this.#untilEnd = this.#round;
  }

  /** The setting that the live cache should have. */
  get setting(): Setting {
    return (this.#candidates[this.#current] as Candidate).setting;
  }

  /** Requests dropped because the miniature caches held more entries than expected. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Number of changes of `setting`. */
  get switches(): number {
    return this.#switches;
  }

  /** Windows in a row that proved little, because too many requests were lost. */
  get lossyWindows(): number {
    return this.#lossyWindows;
  }

  /** Notes requests for sampled keys that the caller could not hear. */
  noteLost(requests: number): void {
    this.#lost += requests;
  }

  /** Notes a request for a sampled key. `hash` is the half of the key's hash that policies get,
   *  `size` the bytes of the entry, at least 1, `loadClass` how long its loader took. Returns
   *  whether `setting` has changed. */
  observe(hash: number, size: number, loadClass: number = loadClassUnknown): boolean {
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
    const cost = this.#costOf(size, loadClass);
    for (const candidate of this.#candidates) {
      if (candidate.log.hit(key)) continue;
      candidate.misses += cost;
      candidate.log.insert(key, size, loadClass);
    }
    this.#untilEnd -= 1;
    return this.#untilEnd <= 0 && this.#endRound();
  }

  /** What a miss of such an entry costs, by what hits are worth. Half for the miss and half for its
   *  bytes serves both hit ratio and byte hit ratio. A load of unknown time took the mean one. */
  #costOf(size: number, loadClass: number): number {
    this.#meanSize += (size - this.#meanSize) * (this.#meanSize === 0 ? 1 : meanShare);
    if (this.#worth === "hits") return (1 + size / this.#meanSize) / 2;
    if (this.#worth === "bytes") return size / this.#meanSize;
    if (loadClass === loadClassUnknown) return 1;
    const ms = loadMsOf(loadClass);
    this.#meanLoadMs += (ms - this.#meanLoadMs) * (this.#meanLoadMs === 0 ? 1 : meanShare);
    return ms / this.#meanLoadMs;
  }

  #endRound(): boolean {
    this.#untilEnd = this.#round;
    this.#roundsLeft -= 1;
    if (this.#roundsLeft === 0) this.#endWindow();
    const isProven = this.#unproven === 0 && this.#lost <= lostShareMax * this.#round;
    for (const candidate of this.#candidates) candidate.endRound(isProven);
    if (!isProven) return this.#choose("heard", lossyMarginShare, marginNoise);
    return this.#followShift() || this.#choose("score", marginShare, marginNoise);
  }

  /** Notes whether too many requests of a window were lost for it to prove something. */
  #endWindow(): void {
    this.#roundsLeft = roundsPerWindow;
    const lostShare = this.#lost / this.#window;
    const isLossy = lostShare > lostShareMax;
    this.#lost = 0;
    this.#lossyWindows = isLossy ? this.#lossyWindows + 1 : 0;
    const after = isLossy ? 1 + Math.ceil(Math.min(1, lostShare) * windowsAfterLoss) : 0;
    this.#unproven = Math.max(after, this.#unproven - 1);
  }

  /** Changes the setting after a shift, and forgets what was before it. */
  #followShift(): boolean {
    if (!this.#candidates[this.#current]?.hasRisen) return false;
    if (!this.#choose("recent", shiftMarginShare, shiftMarginNoise)) return false;
    for (const candidate of this.#candidates) candidate.score = candidate.recent;
    return true;
  }

  /** Changes the setting if another has clearly fewer misses. */
  #choose(by: "score" | "recent" | "heard", share: number, noise: number): boolean {
    let best = this.#current;
    for (let index = 0; index < this.#candidates.length; index++) {
      const candidate = this.#candidates[index] as Candidate;
      if (candidate[by] < (this.#candidates[best] as Candidate)[by]) best = index;
    }
    const score = (this.#candidates[this.#current] as Candidate)[by];
    const gain = score - (this.#candidates[best] as Candidate)[by];
    if (gain <= share * score + noise * Math.sqrt(score)) return false;
    this.#current = best;
    this.#switches += 1;
    return true;
  }
}
