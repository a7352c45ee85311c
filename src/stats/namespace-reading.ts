// The numbers of a namespace, and what users see of them. Called where snapshots are made.
import { composeCounts } from "./compose.js";
import type { NamespaceStats } from "./namespace-stats.js";
import { removalCounters, spaceCounters } from "./space-counters.js";

/** The numbers behind a `NamespaceStats`. */
export interface NamespaceReading {
  readonly name: string;
  /** By the numbers of spaceCounters and removalCounters. */
  readonly totals: ReadonlyMap<number, number>;
  readonly memory: NamespaceStats["memory"];
  readonly disk: NamespaceStats["disk"];
}

/** The reading of an interval: what the counters have grown by, and the gauges now. */
export function readingBetween(
  before: NamespaceReading | undefined,
  now: NamespaceReading,
): NamespaceReading {
  const totals = new Map<number, number>();
  for (const [counter, total] of now.totals) {
    totals.set(counter, total - (before?.totals.get(counter) ?? 0));
  }
  return { ...now, totals };
}

/** What is left of the cache's numbers for its own key space. The cache's counters are sums of its
 *  own and of those that are given, so these are whole again: they never fall. */
export function ownReading(
  cache: (counter: number) => number,
  memory: { readonly entries: number; readonly bytes: number },
  namespaces: readonly NamespaceReading[],
  known: readonly number[],
): NamespaceReading {
  const sumOf = (read: (reading: NamespaceReading) => number): number =>
    namespaces.reduce((sum, reading) => sum + read(reading), 0);
  const totals = new Map(
    known.map((counter) => [
      counter,
      cache(counter) - sumOf((reading) => reading.totals.get(counter) ?? 0),
    ]),
  );
  const entries = Math.max(0, memory.entries - sumOf((reading) => reading.memory.entries));
  const bytes = Math.max(0, memory.bytes - sumOf((reading) => reading.memory.bytes));
  return { name: "", totals, memory: { entries, bytes, shareBytes: 0 }, disk: { shareBytes: 0 } };
}

const namespaceCounters: readonly number[] = [...spaceCounters, ...removalCounters];

/** A reading as users see it. */
export function namespaceStatsOf({ name, totals, memory, disk }: NamespaceReading): NamespaceStats {
  const own = new Map(namespaceCounters.map((counter) => [counter, totals.get(counter) ?? 0]));
  return { name, ...composeCounts(own, { memory, disk }) } as unknown as NamespaceStats;
}
