// The contract of an eviction policy: pure arithmetic over what the engine knows of an entry. The janitor (or a writer
// that assists it) asks it which log gives up its oldest segment, and then what becomes of each live record there.
// The trace simulator asks the same questions of the same code. A policy's state lies in one buffer, which may be shared
// memory: every bit pattern in it is valid, so that threads may write it at the same time and die in between.

/** The two logs of memory segments: new entries go to "small", entries that are kept move to "main". */
export type LogName = "small" | "main";

/** `evict`: the answer of `decide` for an entry that leaves. */
export const evict: number = -1;

/** Segments emptied in a row without room gained, before hits stop counting: all entries may be hot. With 8 instead of
 *  32 S3-FIFO loses 0.2 points of its reduction of misses, since hot entries lie together. */
export const fruitlessMax = 32;

/** What the two logs hold when a segment has to go. One object, filled anew for each question. */
export interface LogSituation {
  /** Bytes (or segments, as long as both use the same unit) in each log, open segments included. */
  small: number;
  main: number;
  /** Seal order of the oldest segment of each log that may be emptied; Infinity = there is none. */
  oldestSmall: number;
  oldestMain: number;
  /** Seal order of the newest sealed segment of both logs. */
  newest: number;
}

/** A situation to fill in: nothing in either log. */
export function emptyLogs(): LogSituation {
  return { small: 0, main: 0, oldestSmall: Infinity, oldestMain: Infinity, newest: 0 };
}

export interface EvictionPolicy {
  /** Which log gives up its oldest segment next. If that log has none, the caller takes the other's. */
  victim(situation: LogSituation): LogName;
  /** The frequency (0 to 3) with which an entry goes on in the main log, or `evict`. `hash` is 32 bits of the key's
   *  seeded hash, `size` the bytes of the record, `frequency` how often it was hit since it was written or last moved,
   *  counted to 3. Asked once for each live record of the segment that is being emptied. */
  decide(log: LogName, hash: number, size: number, frequency: number): number;
}
