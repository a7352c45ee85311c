// One policy for a log of segments, steered by a setting: S3-FIFO, W-TinyLFU, SIEVE, LRU and FIFO are points of it. The
// janitor and the simulator call it. Its state is one buffer of numbers; the setting lies in it too, so that the tuner
// can move it while the cache runs, and every thread that evicts sees it.
//
//   0 ┬ 16 × f64   the clock, the hand, the setting, the bar
//     └ cells      what is remembered of keys (history.ts)
//
// Threads write it without a lock: two that evict at the same time may lose one step of a number, which costs a decision
// that is a little off, and nothing else.
import { evict, type EvictionPolicy, type LogSituation, type LogName } from "./eviction-policy.js";
import { cellAge, cellFrequency, History, historyCells, historyFrequencyMax } from "./history.js";
import type { KeepRule, Setting, VictimRule } from "./setting.js";

// Words of the state. Written by whoever evicts, but for the setting, which the opener and the tuner write.
const stateClock = 0; // bytes that left the cache
const stateHand = 1; // seal order up to which the main log was behind the hand when it started over
const stateSmallBytes = 2; // in the small log, when a segment was last chosen
const stateThreshold = 3; // what an entry that competes has to be worth
const stateEpoch = 4; // half-lives that have passed for the bar
const stateMeanSize = 5; // of the entries that were decided on
const stateRandom = 6;
const stateVictim = 8;
const stateSmallShare = 9;
const stateKeep = 10;
const statePromoteAt = 11;
const stateGhostTurnovers = 12;
const stateSizePower = 13;
const stateWords = 16;

const victimRules: readonly VictimRule[] = ["share", "oldest", "hand"];
const [, ruleOldest, ruleHand] = [0, 1, 2];
const keepRules: readonly KeepRule[] = ["never", "count", "renew", "compete"];
const [, keepCount, keepRenew, keepCompete] = [0, 1, 2, 3];

/** Ticks of the history's clock in one turnover of the memory. */
const ticksPerTurnover = 32;
/** Turnovers after which a remembered frequency is worth half. */
const halfLife = 16 * ticksPerTurnover;
/** Keys that are remembered for each entry that the cache holds. */
const keysPerEntry = 4;

// How the bar moves, per turnover of what was decided on. It rises fast when main keeps all it has, so that room is
// found; it sinks when main gives entries up, and slowly while newcomers fail, so that it cannot stay too high.
const thresholdRise = 30;
const thresholdFall = 8;
const thresholdLeak = 0.2;
/** What a hit since it was last looked at adds to an entry of the main log, beside being counted. */
const hitBonus = 1;
/** A newcomer asked for this often that fails is let in all the same now and then, so that nobody who knows which keys
 *  are popular can keep others out for ever (as Caffeine does). */
const jitterFrequency = 6;
const jitterChance = 1 / 128;

/** Bytes of state for a cache of about `entries` entries: 16 for each. */
export function policyStateBytes(entries: number): number {
  return stateWords * 8 + historyCells(entries * keysPerEntry) * 4;
}

export interface PolicyRoom {
  /** The cache's bytes (or entries, where sizes are 1). */
  readonly capacity: number;
  /** Where the state is: `bytes` bytes, a multiple of 32, from `offset`, a multiple of 8. All zero at first. */
  readonly buffer: ArrayBufferLike;
  readonly offset: number;
  readonly bytes: number;
}

export class LogPolicy implements EvictionPolicy {
  readonly #state: Float64Array;
  readonly #history: History;
  readonly #capacity: number;
  readonly #tickBytes: number;

  constructor(room: PolicyRoom) {
    this.#state = new Float64Array(room.buffer, room.offset, stateWords);
    const cells = (room.bytes - stateWords * 8) / 4;
    this.#history = new History(new Uint32Array(room.buffer, room.offset + stateWords * 8, cells));
    this.#capacity = room.capacity;
    this.#tickBytes = room.capacity / ticksPerTurnover;
  }

  /** A policy with memory of its own. */
  static alone(setting: Setting, capacity: number, entries: number): LogPolicy {
    const bytes = policyStateBytes(entries);
    const policy = new LogPolicy({ capacity, buffer: new ArrayBuffer(bytes), offset: 0, bytes });
    policy.adopt(setting);
    return policy;
  }

  /** Goes on with another setting. What is in the cache stays, and so does what is remembered. */
  adopt(setting: Setting): void {
    const state = this.#state;
    state[stateVictim] = victimRules.indexOf(setting.victim);
    state[stateSmallShare] = setting.smallShare;
    state[stateKeep] = keepRules.indexOf(setting.keep);
    state[statePromoteAt] = setting.promoteAt;
    state[stateGhostTurnovers] = setting.ghostTurnovers;
    state[stateSizePower] = setting.sizePower;
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

  /** SIEVE's hand visits what main held when it started over, then the small log up to its head. */
  #underHand(situation: LogSituation): LogName {
    if (situation.oldestMain <= (this.#state[stateHand] as number)) return "main";
    if (situation.oldestSmall !== Infinity) return "small";
    this.#state[stateHand] = situation.newest;
    return "main";
  }

  decide(log: LogName, hash: number, size: number, frequency: number): number {
    const state = this.#state;
    const now = Math.floor((state[stateClock] as number) / this.#tickBytes);
    const cell = this.#history.find(hash);
    const past = cell === 0 ? 0 : cellFrequency(cell, now, halfLife);
    // An entry in the small log was written once since it was last noted.
    const total = Math.min(historyFrequencyMax, past + frequency + (log === "small" ? 1 : 0));
    let answer: number;
    if (state[stateKeep] === keepCompete) {
      this.#history.note(hash, total, now);
      answer = this.#compete(log, size, frequency, total, now);
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

  /** A time from which nothing counts as a ghost: only what left the small log is one. */
  #noGhost(now: number): number {
    return now - ((this.#state[stateGhostTurnovers] as number) + 1) * ticksPerTurnover - 1;
  }

  /** Was the key a ghost when its entry was written? The small log's bytes have left the cache since. */
  #hasReturned(cell: number, now: number): boolean {
    const turns = this.#state[stateGhostTurnovers] as number;
    if (turns === 0 || cell === 0) return false;
    const since = Math.floor((this.#state[stateSmallBytes] as number) / this.#tickBytes);
    return cellAge(cell, now) <= turns * ticksPerTurnover + since;
  }

  /** Entries compete by what they are worth: frequency, times a power of how much smaller than others they are. There is
   *  no queue of victims to compare with, since a log gives up whole segments; the bar stands for them. */
  #compete(log: LogName, size: number, frequency: number, total: number, now: number): number {
    const state = this.#state;
    const epoch = Math.floor(now / halfLife);
    let threshold = state[stateThreshold] as number;
    if (epoch !== state[stateEpoch]) {
      threshold /= 2;
      state[stateEpoch] = epoch;
    }
    const limit = threshold + this.#random();
    const step = size / this.#capacity;
    const bonus = log === "main" && frequency > 0 ? hitBonus : 0;
    const kept = (total + bonus) * this.#preference(size) > limit;
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

  /** A number in [0, 1), the same sequence for the same start. */
  #random(): number {
    const next = (Math.imul((this.#state[stateRandom] as number) | 0, 1664525) + 1013904223) >>> 0;
    this.#state[stateRandom] = next;
    return next / 2 ** 32;
  }
}
