// The part of `stats()` that is measured now. The facade fills it in; compose.ts adds the counters.
import type { ProcessTotals } from "./process-totals.js";
import type { TierTotals } from "./tier-totals.js";

/** Values measured now, not counted since the start: entries, bytes, limits. */
export interface StatsGauges {
  readonly memory: {
    /** Gauge: live entries in memory. */
    readonly entries: number;
    /** Gauge: negative answers remembered; they are no entries, and their bytes are in `bytes`. */
    readonly negatives: number;
    /** Gauge: bytes of their records. */
    readonly bytes: number;
    /** Gauge: the option `memory`. */
    readonly limitBytes: number;
    /** Gauge: bytes of the index. */
    readonly indexBytes: number;
    /** Gauge: bytes of the segments that are not free, plus the index and tables. */
    readonly usedBytes: number;
  };
  /** `null` for a cache in memory only. */
  readonly disk: {
    /** Gauge: live entries that are on disk only. */
    readonly entries: number;
    /** Gauge: bytes of the segment files in use. */
    readonly bytes: number;
    /** Gauge: what the files may take: the option `disk.capacity`, or what `resize` made of it. */
    readonly limitBytes: number;
    /** Whether the disk tier works. */
    readonly state: "up" | "down";
    /** Gauge: segment files in use. */
    readonly segments: number;
  } | null;
  /** `null` without `tiers`. */
  readonly tiers: TierTotals | null;
  readonly processes: ProcessTotals | null;
  readonly near: {
    /** Gauge: values in the near cache of the calling thread. */
    readonly entries: number;
    /** Gauge: their bytes, as encoded. */
    readonly bytes: number;
    /** Gauge: the most values that it keeps. */
    readonly limitEntries: number;
    /** Gauge: the most bytes of values that it keeps, as encoded. */
    readonly limitBytes: number;
    /** Gauge: about the bytes of the thread's heap that it takes; values are taken for objects,
     *  which are four times as large there as encoded. */
    readonly heapBytes: number;
  };
  readonly tags: {
    /** Gauge: invalidated tags that the cache remembers. */
    readonly tracked: number;
    /** Gauge: the most that it can remember. */
    readonly capacity: number;
  };
  readonly segments: {
    /** Gauge: memory segments that are free. */
    readonly free: number;
    /** Gauge: memory segments. */
    readonly total: number;
  };
  readonly threads: {
    /** Gauge: thread ids taken, of 64: the opener and each attached thread. The workers of the
     *  pool have ids of their own. */
    readonly attached: number;
  };
}
