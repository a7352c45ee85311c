// Counters under the names that users read. Called for the cache and for each namespace alike.
import { reported } from "./cache-stats.js";
import { counterDiskHits, counterMemoryHits, counterMisses, counterNearHits } from "./counters.js";

interface Group {
  [name: string]: unknown;
}

/** The gauges with the counters among them, each at its path (`reported`). A group that is `null`
 *  stays so. What follows from the counters of requests is added. */
export function composeCounts(totals: ReadonlyMap<number, number>, gauges: object): Group {
  const stats: Group = {};
  for (const [name, group] of Object.entries(gauges)) {
    stats[name] = group === null ? null : { ...group };
  }
  for (const [counter, path] of reported) {
    const total = totals.get(counter);
    if (total !== undefined) put(stats, path.split("."), total);
  }
  const of = (counter: number): number => totals.get(counter) ?? 0;
  const hits = of(counterNearHits) + of(counterMemoryHits) + of(counterDiskHits);
  // Each request ends in exactly one of the four counters.
  const requests = hits + of(counterMisses);
  put(stats, ["hits", "total"], hits);
  return { ...stats, requests, hitRatio: requests === 0 ? 0 : hits / requests };
}

function put(stats: Group, path: readonly string[], total: number): void {
  const [name, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) stats[name] = total;
  else if (stats[name] !== null) put((stats[name] ??= {}) as Group, rest, total);
}
