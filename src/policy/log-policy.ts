// One policy for a log of segments, controlled by a setting: S3-FIFO, W-TinyLFU, SIEVE, LRU and
// FIFO are settings of it. Called by whoever evicts and by the simulator. Its state is one buffer
// of numbers that includes the setting, so the tuner can change the setting of a running cache and
// every thread that evicts sees it.
//
//   0 ┬ 20 × f64   clock, hand, threshold, setting and the rest of the state words below
//     └ cells      what is remembered of keys (history.ts)
//
// Threads write the state without a lock. Two that evict at the same time may lose one step of a
// number; that makes one decision slightly off and does no other harm.
import { evict, type EvictionPolicy, type LogSituation, type LogName } from "./eviction-policy.js";
import { cellAge, cellFrequency, History, historyCells, historyFrequencyMax } from "./history.js";
import type { KeepRule, Setting, VictimRule } from "./setting.js";
import { loadClassUnknown, type Worth, worths } from "./worth.js";

// State words. Whoever evicts writes them, except the setting, which the opener and the tuner
// write.
const stateClock = 0; // bytes that left the cache
const stateHand = 1; // newest seal order when the hand last started over
const stateSmallBytes = 2; // bytes of the small log when a segment was last chosen
const stateThreshold = 3; // worth above which a competing entry is kept
const stateEpoch = 4; // half-lives applied to the threshold
const stateMeanSize = 5; // mean size of the entries decided on
const stateRandom = 6;
const stateWorth = 7; // what a hit is worth: an index of worths
const stateVictim = 8;
const stateSmallShare = 9;
const stateKeep = 10;
const statePromoteAt = 11;
const stateGhostTurnovers = 12;
const stateSizePower = 13;
const stateLoadPower = 14;
const stateMeanLoad = 15; // mean class of the load times of the entries decided on
const stateQuietShare = 16;
const stateSettled = 17; // seal order of the newest small segment outside the quiet part
const stateWords = 20; // the rest is free: the cells begin at a multiple of 32 bytes

const victimRules: readonly VictimRule[] = ["share", "oldest", "hand"];
const [, ruleOldest, ruleHand] = [0, 1, 2];
const keepRules: readonly KeepRule[] = ["never", "count", "renew", "compete"];
const [, keepCount, keepRenew, keepCompete] = [0, 1, 2, 3];

/** Ticks of the history clock in one turnover of the memory. */
const ticksPerTurnover = 32;
/** Ticks after which a remembered frequency counts half: 16 turnovers. */
const halfLife = 16 * ticksPerTurnover;
/** Keys remembered for each entry that the cache holds. */
const keysPerEntry = 4;

// How the threshold moves, per turnover of the bytes decided on. It rises fast while the main log
// keeps all it has, so that room is found. It falls when the main log gives entries up, and slowly
// while new entries fail, so that it cannot stay too high.
const thresholdRise = 30;
const thresholdFall = 8;
const thresholdLeak = 0.2;
/** What an entry of the main log gains if it was hit since the last look, on top of the hits
 *  counted. */
const hitBonus = 1;
/** A new entry with at least this frequency that fails is admitted anyway now and then (as
 *  Caffeine does). Otherwise an attacker who knows which keys are popular could keep others out
 *  forever. */
const jitterFrequency = 6;
const jitterChance = 1 / 128;

/** Bytes of state for a cache of about `entries` entries: 16 bytes for each. */
export function policyStateBytes(entries: number): number {
  return stateWords * 8 + historyCells(entries * keysPerEntry) * 4;
}

export interface PolicyRoom {
  /** The cache's bytes (or entries, where sizes are 1). */
  readonly capacity: number;
  /** The state: `bytes` bytes, a multiple of 32, at `offset`, a multiple of 8. All zero at
   *  first. */
  readonly buffer: ArrayBufferLike;
  readonly offset: number;
  readonly bytes: number;
}

export class LogPolicy implements EvictionPolicy {
  readonly #state: Float64Array;
  readonly #history: History;
  #capacity: number;
  #tickBytes: number;

  constructor(room: PolicyRoom) {
    this.#state = new Float64Array(room.buffer, room.offset, stateWords);
    const cells = (room.bytes - stateWords * 8) / 4;
    this.#history = new History(new Uint32Array(room.buffer, room.offset + stateWords * 8, cells));
    this.#capacity = room.capacity;
    this.#tickBytes = room.capacity / ticksPerTurnover;
  }

  /** A policy with its own state, outside shared memory. */
  static alone(setting: Setting, capacity: number, entries: number): LogPolicy {
    const bytes = policyStateBytes(entries);
    const policy = new LogPolicy({ capacity, buffer: new ArrayBuffer(bytes), offset: 0, bytes });
    policy.adopt(setting);
    return policy;
  }

  /** The cache has another size. What is remembered of keys that left counts as older or newer
   *  then; it is forgotten within two turnovers. */
  resize(capacity: number): void {
    this.#capacity = capacity;
    this.#tickBytes = capacity / ticksPerTurnover;
  }

  /** Switches to another setting. The entries of the cache and the remembered keys stay. */
  adopt(setting: Setting): void {
    const state = this.#state;
    state[stateVictim] = victimRules.indexOf(setting.victim);
    state[stateSmallShare] = setting.smallShare;
    state[stateKeep] = keepRules.indexOf(setting.keep);
    state[statePromoteAt] = setting.promoteAt;
    state[stateGhostTurnovers] = setting.ghostTurnovers;
    state[stateQuietShare] = setting.quietShare;
    state[stateSizePower] = setting.sizePower;
    state[stateLoadPower] = setting.loadPower;
  }

  /** The setting in force. A reader beside one that adopts may see parts of both. */
  get setting(): Setting {
    const state = this.#state;
    return {
      victim: victimRules[state[stateVictim] as number] ?? "share",
      smallShare: state[stateSmallShare] as number,
      keep: keepRules[state[stateKeep] as number] ?? "count",
      promoteAt: state[statePromoteAt] as number,
      ghostTurnovers: state[stateGhostTurnovers] as number,
      quietShare: state[stateQuietShare] as number,
      sizePower: state[stateSizePower] as number,
      loadPower: state[stateLoadPower] as number,
    };
  }

  get quietShare(): number {
    return this.#state[stateQuietShare] as number;
  }

  get settled(): number {
    return this.#state[stateSettled] as number;
  }

  set settled(order: number) {
    this.#state[stateSettled] = order;
  }

  victim(situation: LogSituation): LogName {
    const state = this.#state;
    const total = situation.small + situation.main;
    state[stateSmallBytes] = total === 0 ? 0 : (situation.small / total) * this.#capacity;
    const rule = state[stateVictim];
    if (rule === ruleOldest)
      return situation.oldestSmall <= situation.oldestMain ? "small" : "main";
    if (rule === ruleHand) return this.#underHand(situation);
    return situation.small > (state[stateSmallShare] as number) * total ? "small" : "main";
  }

  /** SIEVE's hand visits what the main log held when it started over, then the small log up to
   *  its head. */
  #underHand(situation: LogSituation): LogName {
    if (situation.oldestMain <= (this.#state[stateHand] as number)) return "main";
    if (situation.oldestSmall !== Infinity) return "small";
    this.#state[stateHand] = situation.newest;
    return "main";
  }

  decide(
    log: LogName,
    hash: number,
    size: number,
    frequency: number,
    loadClass: number = loadClassUnknown,
  ): number {
    const state = this.#state;
    const now = Math.floor((state[stateClock] as number) / this.#tickBytes);
    const cell = this.#history.find(hash);
    const past = cell === 0 ? 0 : cellFrequency(cell, now, halfLife);
    // An entry in the small log was written once since the history last noted its key.
    const total = Math.min(historyFrequencyMax, past + frequency + (log === "small" ? 1 : 0));
    let answer: number;
    if (state[stateKeep] === keepCompete) {
      this.#history.note(hash, total, now);
      const bonus = log === "main" && frequency > 0 ? hitBonus : 0;
      const worth = (total + bonus) * this.#preference(size) * this.#loadPreference(loadClass);
      answer = this.#compete(log, size, total, worth, now);
    } else if (log === "main") {
      if (frequency > 0) this.#history.note(hash, total, this.#noGhost(now));
      answer = this.#keepInMain(frequency);
    } else {
      const promoted =
        frequency >= (state[statePromoteAt] as number) || this.#hasReturned(cell, now);
      this.#history.note(hash, total, promoted ? this.#noGhost(now) : now);
      answer = promoted ? 0 : evict;
    }
    if (answer === evict) state[stateClock] = (state[stateClock] as number) + size;
    return answer;
  }

  #keepInMain(frequency: number): number {
    const keep = this.#state[stateKeep];
    if (frequency === 0 || (keep !== keepCount && keep !== keepRenew)) return evict;
    return keep === keepCount ? frequency - 1 : 0;
  }

  /** A time so long ago that the key does not count as a ghost: only keys that left the small
   *  log are ghosts. */
  #noGhost(now: number): number {
    return now - ((this.#state[stateGhostTurnovers] as number) + 1) * ticksPerTurnover - 1;
  }

  /** Was the key a ghost when its entry was written? About the small log's bytes have left the
   *  cache since then. */
  #hasReturned(cell: number, now: number): boolean {
    const turnovers = this.#state[stateGhostTurnovers] as number;
    if (turnovers === 0 || cell === 0) return false;
    const since = Math.floor((this.#state[stateSmallBytes] as number) / this.#tickBytes);
    return cellAge(cell, now) <= turnovers * ticksPerTurnover + since;
  }

  /** Entries compete by worth: frequency, times a power of mean size over size and of load time
   *  over its mean. A log gives up whole segments, so there is no queue of victims to compare with;
   *  the threshold stands in for it. */
  #compete(log: LogName, size: number, total: number, worth: number, now: number): number {
    const state = this.#state;
    const epoch = Math.floor(now / halfLife);
    let threshold = state[stateThreshold] as number;
    if (epoch !== state[stateEpoch]) {
      threshold /= 2;
      state[stateEpoch] = epoch;
    }
    const limit = threshold + this.#random();
    const step = size / this.#capacity;
    const kept = worth > limit;
    if (log === "main") threshold += step * (kept ? thresholdRise : -thresholdFall);
    else if (!kept) threshold -= step * thresholdLeak;
    state[stateThreshold] = Math.max(0, Math.min(historyFrequencyMax, threshold));
    if (kept) return 0;
    return log === "small" && total >= jitterFrequency && this.#random() < jitterChance ? 0 : evict;
  }

  #preference(size: number): number {
    const state = this.#state;
    const power = state[stateSizePower] as number;
    const mean = state[stateMeanSize] as number;
    state[stateMeanSize] = mean === 0 ? size : mean + (size - mean) / 1024;
    return power === 0 || mean === 0 ? 1 : (mean / size) ** power;
  }

  /** By the mean of the classes, not of the times: a few long ones do not make all others cheap. */
  #loadPreference(loadClass: number): number {
    const state = this.#state;
    const power = state[stateLoadPower] as number;
    if (power === 0 || loadClass === loadClassUnknown) return 1;
    const mean = state[stateMeanLoad] as number;
    state[stateMeanLoad] = mean === 0 ? loadClass : mean + (loadClass - mean) / 1024;
    return mean === 0 ? 1 : 4 ** ((loadClass - mean) * power);
  }

  /** What a hit is worth to this cache. */
  get worth(): Worth {
    return worths[this.#state[stateWorth] as number] ?? "hits";
  }

  /** Says what a hit is worth, once, before anything is decided. */
  setWorth(worth: Worth): void {
    this.#state[stateWorth] = worths.indexOf(worth);
  }

  /** A pseudorandom number in [0, 1). The sequence depends only on the state. */
  #random(): number {
    const next = (Math.imul((this.#state[stateRandom] as number) | 0, 1664525) + 1013904223) >>> 0;
    this.#state[stateRandom] = next;
    return next / 2 ** 32;
  }
}
