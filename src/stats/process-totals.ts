// The numbers of a process that shares its directory with others. Part of `stats()`.

/** What a process does that shares its directory with others (`disk.share`). */
export interface ProcessTotals {
  /** Whether this process has the directory, is a guest of the one that has, or has none at the
   *  moment: then nothing is answered from memory. */
  readonly role: "owner" | "guest" | "none";
  /** Gauge: other processes that are attached to this one; 0 unless it is the owner. */
  readonly guests: number;
  /** Counter: requests to the owner, of a process to itself too. */
  readonly requests: number;
  /** Counter: those that failed, or were not answered in time. */
  readonly failures: number;
  /** Counter: milliseconds that answered requests took, but those that wait for other processes. */
  readonly requestMs: number;
  /** Counter: what other processes set, deleted or invalidated, as this one was told. */
  readonly ended: number;
  /** Counter: times that this process was attached to an owner. */
  readonly attached: number;
  /** Counter: processes that were cut off since they did not follow. */
  readonly cutOff: number;
  /** Counter: connections that were refused. */
  readonly refused: number;
}

/** Those that only grow; the others are gauges. */
export const processCounters = [
  "requests",
  "failures",
  "requestMs",
  "ended",
  "attached",
  "cutOff",
  "refused",
] as const satisfies readonly (keyof ProcessTotals)[];
