// The contract of an eviction policy: pure arithmetic over what the engine knows of an entry.
// Whoever evicts (the janitor, a writer in a foreground reclaim, the trace simulator) asks it which
// log gives up its oldest segment, then what becomes of each live record there. A policy's state is
// one buffer, which may be shared memory. Every bit pattern in it must be valid, since threads
// write it concurrently and may die in between.

/** The two logs of memory segments. New entries go to the small log; entries that are kept move
 *  to the main log. */
export type LogName = "small" | "main";

/** The answer of `decide` for an entry that leaves. */
export const evict: number = -1;

/** Segments emptied in a row without gaining room before hits stop counting, since all entries
 *  may be hot. Hot entries lie together: with 8 instead of 32, S3-FIFO loses 0.2 points of its
 *  miss reduction. */
export const fruitlessMax = 32;

/** What the two logs hold when a segment has to go. Callers refill one object for each question. */
export interface LogSituation {
  /** Bytes (or segments, if both use the same unit) in each log, open segments included. */
  small: number;
  main: number;
  /** Seal order of the oldest segment of each log that may be emptied; Infinity if there is
   *  none. */
  oldestSmall: number;
  oldestMain: number;
  /** Seal order of the newest sealed segment of both logs. */
  newest: number;
}

/** A situation to fill in; both logs are empty. */
export function emptyLogs(): LogSituation {
  return { small: 0, main: 0, oldestSmall: Infinity, oldestMain: Infinity, newest: 0 };
}

export interface EvictionPolicy {
  /** Share of the small log, its newest part, in which hits do not count. */
  readonly quietShare: number;
  /** Seal order of the newest segment of the small log that has left that part; 0 at first. Whoever
   *  evicts keeps it here, for all who do. */
  settled: number;
  /** Which log gives up its oldest segment next. If that log has none, the caller takes the
   *  other's. */
  victim(situation: LogSituation): LogName;
  /** The frequency (0 to 3) with which an entry goes on in the main log, or `evict`. Asked once
   *  for each live record of the segment being emptied. `hash` is 32 bits of the key's seeded
   *  hash, `size` the record's bytes, `frequency` the hits since the record was written or last
   *  moved, at most 3; `loadClass` says how long its loader took (worth.ts), 0 = unknown. */
  decide(log: LogName, hash: number, size: number, frequency: number, loadClass?: number): number;
}
