// The settings of a log policy: what tells one policy from another. All of them are numbers or words with a number, so
// that they can lie in shared memory and be changed while the cache runs.

/** Which log gives up a segment. `share`: the small log when it is above its share; `oldest`: whichever has the oldest
 *  segment, so both are one queue; `hand`: a hand that goes from the oldest entry to the newest and then starts over. */
export type VictimRule = "share" | "oldest" | "hand";

/** What a hit is worth in the main log. `never`: nothing; `count`: one more round for each; `renew`: one more round;
 *  `compete`: entries of both logs compete by frequency. */
export type KeepRule = "never" | "count" | "renew" | "compete";

export interface Setting {
  readonly victim: VictimRule;
  /** Of the memory, for the small log, where `victim` is "share". */
  readonly smallShare: number;
  readonly keep: KeepRule;
  /** Hits by which an entry leaves the small log for the main log; 4 = never. Nothing where entries compete. */
  readonly promoteAt: number;
  /** How long, in turnovers of the memory, a key that left the small log is remembered: if it is written again by then,
   *  it is promoted. 0 = not at all. Nothing where entries compete. */
  readonly ghostTurnovers: number;
  /** How much small entries are preferred where entries compete: 0 = not at all, so that each hit counts the same;
   *  1 = hits for each byte kept. */
  readonly sizePower: number;
}

/** S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP '23) over segments. */
export const s3FifoSetting: Setting = {
  victim: "share",
  smallShare: 0.1,
  keep: "count",
  promoteAt: 1,
  ghostTurnovers: 1,
  sizePower: 0,
};

/** W-TinyLFU (Einziger et al., "TinyLFU: a highly efficient cache admission policy", ACM TOS '17) over segments. A little
 *  preference for small entries saves a seventh of the misses and costs no bytes. */
export const lfuSetting: Setting = {
  ...s3FifoSetting,
  keep: "compete",
  ghostTurnovers: 0,
  sizePower: 0.25,
};

/** Second chance (Corbató, "A paging experiment with the Multics system", 1968): what a log has of LRU without moving
 *  an entry at each hit. */
export const clockSetting: Setting = {
  victim: "oldest",
  smallShare: 1,
  keep: "renew",
  promoteAt: 1,
  ghostTurnovers: 0,
  sizePower: 0,
};

/** SIEVE (Zhang et al., "SIEVE is simpler than LRU", NSDI '24) over segments. */
export const sieveSetting: Setting = { ...clockSetting, victim: "hand" };

/** First in, first out. */
export const fifoSetting: Setting = { ...clockSetting, keep: "never", promoteAt: 4 };
