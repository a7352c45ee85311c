// The settings of a log policy: what tells one policy from another. All of them are numbers, so that they can lie in
// shared memory and be changed while the cache runs.

/** Which log gives up a segment. `share`: the small log when it is above its share; `oldest`: whichever has the oldest
 *  segment, so both are one queue; `hand`: a hand that goes from the oldest entry to the newest and then starts over. */
export type VictimRule = "share" | "oldest" | "hand";

/** What a hit is worth in the main log. `never`: nothing; `count`: one more round for each; `renew`: one more round. */
export type KeepRule = "never" | "count" | "renew";

export interface Setting {
  readonly victim: VictimRule;
  /** Of the memory, for the small log, where `victim` is "share". */
  readonly smallShare: number;
  /** Hits by which an entry leaves the small log for the main log. 0: all do; 4: none. */
  readonly promoteAt: number;
  /** How long, in turnovers of the memory, a key that left is remembered; if it returns by then, it is promoted. */
  readonly ghostTurns: number;
  readonly keep: KeepRule;
  /** Entries compete by frequency (W-TinyLFU): one that leaves the small log enters main only if it was asked for more
   *  often than those that main would give up. */
  readonly compete: boolean;
}

/** S3-FIFO (Yang et al., SOSP '23) over segments. */
export const s3FifoSetting: Setting = {
  victim: "share",
  smallShare: 0.1,
  promoteAt: 1,
  ghostTurns: 1,
  keep: "count",
  compete: false,
};

/** Second chance (CLOCK): LRU as a log without list moves can have it. */
export const lruSetting: Setting = {
  victim: "oldest",
  smallShare: 1,
  promoteAt: 1,
  ghostTurns: 0,
  keep: "renew",
  compete: false,
};

/** SIEVE (Zhang et al., NSDI '24) over segments. */
export const sieveSetting: Setting = { ...lruSetting, victim: "hand" };

/** First in, first out. */
export const fifoSetting: Setting = { ...lruSetting, promoteAt: 4, keep: "never" };

/** W-TinyLFU (Einziger et al., TOS '17) over segments. */
export const lfuSetting: Setting = {
  victim: "share",
  smallShare: 0.01,
  promoteAt: 0,
  ghostTurns: 8,
  keep: "renew",
  compete: true,
};
