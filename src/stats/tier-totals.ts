// The numbers of the option `tiers`. Part of `stats()`.

/** What the tiers of the option `tiers` did, together. */
export interface TierTotals {
  /** Counter: keys that the tiers were asked for and had, also while a loader waited. */
  readonly hits: number;
  /** Counter: keys that they were asked for and did not have, or could not say. */
  readonly misses: number;
  /** Counter: calls of a tier that failed or took too long. */
  readonly errors: number;
  /** Counter: changes that the tiers have made: sets, deletes, invalidations. */
  readonly written: number;
  /** Counter: values that were not written, and changes lost, for want of room in a queue. */
  readonly dropped: number;
  /** Counter: entries of a tier that were damaged or did not decode; each was a miss. */
  readonly corrupt: number;
  /** Counter: keys that a tier was not asked for, since it was asked for too many; each was a
   *  miss. */
  readonly refused: number;
  /** Counter: changes that others made in a tier and that ended entries here: of a key, a tag, or
   *  all, also when the tier could not hear of others. */
  readonly ended: number;
  /** Counter: loads for which a tier gave this process the lease. */
  readonly leased: number;
  /** Counter: times that a load waited, or served stale, since another process had the lease. */
  readonly waited: number;
  /** Gauge: changes that a tier has yet to make. */
  readonly pending: number;
  /** Gauge: tiers that are down. */
  readonly down: number;
}

/** Those that only grow; the others are gauges. */
export const tierCounters = [
  "hits",
  "misses",
  "errors",
  "written",
  "dropped",
  "corrupt",
  "refused",
  "ended",
  "leased",
  "waited",
] as const satisfies readonly (keyof TierTotals)[];
