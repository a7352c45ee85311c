// One policy for a log of segments, steered by a setting: S3-FIFO, W-TinyLFU, SIEVE, LRU and FIFO are points of it. The
// janitor and the simulator call it. Its state is one buffer of numbers; the setting lies in it
// too, so that the tuner can move it while the cache runs, and every thread that evicts sees it.
import { evict, type EvictionPolicy, type LogSituation, type Pool } from "./eviction-policy.js";
import { cellAge, cellFrequency, History, historyCells } from "./history.js";
import type { KeepRule, Setting, VictimRule } from "./setting.js";

// Words of the state, each an f64. Written by the thread that evicts, but for the setting, which the opener and the
// tuner write.
const stateClock = 0; // bytes that left the cache
const stateHand = 1; // seal order up to which the main log was ahead of the hand when it started over
const stateVictim = 2;
const stateSmallShare = 3;
const statePromoteAt = 4;
const stateGhostTurns = 5;
const stateKeep = 6;
const stateCompete = 7;
const stateRandom = 8;
const stateSmallBytes = 9;
const stateCandidates = 16; // 16 × weight of recent candidates by frequency
const stateIncumbents = 32; // 16 × weight of recent incumbents of main by frequency
const stateWords = 64;

const victimRules: readonly VictimRule[] = ["share", "oldest", "hand"];
const keepRules: readonly KeepRule[] = ["never", "count", "renew"];
const [ruleOldest, ruleHand] = [1, 2];
const [keepCount, keepRenew] = [1, 2];

/** Ticks of the history's clock in one turnover of the memory. */
const ticksPerTurn = 32;

/** Bytes of state for a cache of about `entries` entries. */
export function policyStateBytes(entries: number): number {
  return stateWords * 8 + historyCells(entries * 2) * 4;
}

export interface PolicyRoom {
  /** The cache's bytes (or entries, where sizes are 1). */
  readonly capacity: number;
  /** `policyStateBytes` bytes, zero or left by an earlier thread, at a multiple of 8. */
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
    this.#tickBytes = room.capacity / ticksPerTurn;
  }

  /** A policy with memory of its own. */
  static alone(setting: Setting, capacity: number, entries: number): LogPolicy {
    const bytes = policyStateBytes(entries);
    const policy = new LogPolicy({ capacity, buffer: new ArrayBuffer(bytes), offset: 0, bytes });
    policy.adopt(setting);
    return policy;
  }

  /** Goes on with another setting. What is in the cache stays. */
  adopt(setting: Setting): void {
    const state = this.#state;
    state[stateVictim] = victimRules.indexOf(setting.victim);
    state[stateSmallShare] = setting.smallShare;
    state[statePromoteAt] = setting.promoteAt;
    state[stateGhostTurns] = setting.ghostTurns;
    state[stateKeep] = keepRules.indexOf(setting.keep);
    state[stateCompete] = setting.compete ? 1 : 0;
  }

  victim(situation: LogSituation): Pool {
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
  #underHand(situation: LogSituation): Pool {
    if (situation.oldestMain <= (this.#state[stateHand] as number)) return "main";
    if (situation.oldestSmall !== Infinity) return "small";
    this.#state[stateHand] = situation.newest;
    return "main";
  }

  decide(pool: Pool, hash: number, size: number, frequency: number): number {
    const answer =
      this.#state[stateCompete] === 1
        ? this.#compete(pool, hash, frequency)
        : this.#keepByHits(pool, hash, frequency);
    if (answer === evict) this.#state[stateClock] = (this.#state[stateClock] as number) + size;
    return answer;
  }

  #now(): number {
    return Math.floor((this.#state[stateClock] as number) / this.#tickBytes);
  }

  #keepByHits(pool: Pool, hash: number, frequency: number): number {
    const state = this.#state;
    if (pool === "main") {
      if (state[stateKeep] === keepCount) return frequency === 0 ? evict : frequency - 1;
      return state[stateKeep] === keepRenew && frequency > 0 ? 0 : evict;
    }
    if (frequency >= (state[statePromoteAt] as number)) return 0;
    const turns = state[stateGhostTurns] as number;
    if (turns === 0) return evict;
    const now = this.#now();
    const cell = this.#history.find(hash);
    if (cell !== 0) {
      // As old as it was when the entry was written: the small log's bytes have left since.
      const since = Math.floor((state[stateSmallBytes] as number) / this.#tickBytes);
      if (cellAge(cell, now) <= turns * ticksPerTurn + since) return 0;
    }
    this.#history.note(hash, 1, now);
    return evict;
  }

  #compete(pool: Pool, hash: number, frequency: number): number {
    const state = this.#state;
    const now = this.#now();
    const cell = this.#history.find(hash);
    const past =
      cell === 0 ? 0 : cellFrequency(cell, now, (state[stateGhostTurns] as number) * ticksPerTurn);
    // An entry in the small log is known to have been written once since it was last noted.
    const total = Math.min(15, past + frequency + (pool === "small" ? 1 : 0));
    this.#history.note(hash, total, now);
    if (pool === "small") {
      this.#weigh(stateCandidates, total);
      return total > this.#draw(stateIncumbents) ? 0 : evict;
    }
    if (frequency > 0) return 0;
    this.#weigh(stateIncumbents, total);
    return total >= this.#draw(stateCandidates) ? 0 : evict;
  }

  /** Counts a frequency among the recent ones, which lose a sixteenth of a percent of their weight with each. */
  #weigh(first: number, frequency: number): void {
    const state = this.#state;
    state[first + frequency] = (state[first + frequency] as number) + 1;
  }

  /** One of the recent frequencies by chance. */
  #draw(first: number): number {
    const state = this.#state;
    let sum = 0;
    for (let word = first; word < first + 16; word++) sum += state[word] as number;
    if (sum > 256)
      for (let word = first; word < first + 16; word++) state[word] = (state[word] as number) / 2;
    let point = this.#random() * Math.min(sum, sum > 256 ? sum / 2 : sum);
    for (let word = first; word < first + 15; word++) {
      point -= state[word] as number;
      if (point < 0) return word - first;
    }
    return sum === 0 ? 0 : 15;
  }

  /** A number in [0, 1), the same sequence for the same start. */
  #random(): number {
    const state = this.#state;
    const next = (Math.imul((state[stateRandom] as number) | 0, 1664525) + 1013904223) >>> 0;
    state[stateRandom] = next;
    return next / 2 ** 32;
  }
}
