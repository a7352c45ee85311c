// The settings of a log policy; a setting is what tells one policy from another. All fields are
// numbers, or words with a number, so that a setting fits in shared memory and can change while the
// cache runs.
import type { Worth } from "./worth.js";

/** Which log gives up a segment. `share`: the small log when it is above its share. `oldest`:
 *  the log with the older segment, so both form one queue. `hand`: a hand goes from the oldest
 *  entry to the newest, then starts over. */
export type VictimRule = "share" | "oldest" | "hand";

/** What a hit is worth in the main log. `never`: nothing. `count`: one more round for each hit.
 *  `renew`: one more round for any number of hits. `compete`: entries of both logs compete by
 *  frequency. */
export type KeepRule = "never" | "count" | "renew" | "compete";

export interface Setting {
  readonly victim: VictimRule;
  /** Share of memory for the small log, where `victim` is "share". */
  readonly smallShare: number;
  readonly keep: KeepRule;
  /** Hits that promote an entry from the small log to the main log; 4 = never. Ignored where
   *  entries compete. */
  readonly promoteAt: number;
  /** How long a key that left the small log is remembered, in turnovers of the memory; 0 = not
   *  at all. A key that is written again within that time is promoted. Ignored where entries
   *  compete. */
  readonly ghostTurnovers: number;
  /** Share of the small log, its newest part, in which hits do not count; 0 = none. Requests that
   *  follow each other closely say little of later ones: 2Q's correlated references (Johnson and
   *  Shasha, "2Q: a low overhead high performance buffer management replacement algorithm", VLDB
   *  '94). */
  readonly quietShare: number;
  /** How much small entries are preferred where entries compete. 0 = not at all, each hit counts
   *  the same; 1 = entries are worth their hits per byte. */
  readonly sizePower: number;
  /** How much entries are preferred that took long to load, where entries compete and the worth of
   *  a hit is its load time. 1 = they are worth their hits times that time. */
  readonly loadPower: number;
}

/** S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP '23) over
 *  segments. */
export const s3FifoSetting: Setting = {
  victim: "share",
  smallShare: 0.1,
  keep: "count",
  promoteAt: 1,
  ghostTurnovers: 1,
  quietShare: 0,
  sizePower: 0,
  loadPower: 0,
};

/** W-TinyLFU (Einziger et al., "TinyLFU: a highly efficient cache admission policy", ACM TOS
 *  '17) over segments. A slight preference for small entries saves a seventh of the misses and
 *  costs no bytes. */
export const lfuSetting: Setting = {
  ...s3FifoSetting,
  keep: "compete",
  ghostTurnovers: 0,
  sizePower: 0.25,
};

/** CLOCK, or second chance (Corbató, "A paging experiment with the Multics system", 1968): the
 *  part of LRU that a log can have without moving an entry at each hit. */
export const clockSetting: Setting = {
  victim: "oldest",
  smallShare: 1,
  keep: "renew",
  promoteAt: 1,
  ghostTurnovers: 0,
  quietShare: 0,
  sizePower: 0,
  loadPower: 0,
};

/** SIEVE (Zhang et al., "SIEVE is simpler than LRU", NSDI '24) over segments. */
export const sieveSetting: Setting = { ...clockSetting, victim: "hand" };

/** First in, first out. */
export const fifoSetting: Setting = { ...clockSetting, keep: "never", promoteAt: 4 };

/** What the worth of a hit makes of a setting in which entries compete. A value is as large as the
 *  room that it takes, so hits that are worth their bytes prefer no size. The root of a load time
 *  saved more time on traces than the time itself, since a time that is measured once says less of
 *  the next load than a frequency of the next request. */
export function weighedFor(worth: Worth, setting: Setting): Setting {
  if (setting.keep !== "compete") return setting;
  if (worth === "bytes") return { ...setting, sizePower: 0 };
  return worth === "load-time" ? { ...setting, loadPower: 0.5 } : setting;
}
