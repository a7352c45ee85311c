// What is counted of the calls of users, for the cache and for each namespace alike. Called where
// either's numbers are composed.
import * as counters from "./counters.js";

/** The total of a counter. */
export type Total = (counter: number) => number;

/** Requests, and the loads that they made. */
export function requestCounts(total: Total) {
  const near = total(counters.counterNearHits);
  const memory = total(counters.counterMemoryHits);
  const disk = total(counters.counterDiskHits);
  const misses = total(counters.counterMisses);
  const hits = near + memory + disk;
  // Each request ends in exactly one of the four counters.
  const requests = hits + misses;
  return {
    requests,
    hits: { near, memory, disk, total: hits },
    misses,
    hitRatio: requests === 0 ? 0 : hits / requests,
    expiredHits: total(counters.counterExpiredHits),
    staleServed: total(counters.counterStaleServed),
    negativesServed: total(counters.counterNegativesServed),
    invalid: total(counters.counterInvalid),
    loads: total(counters.counterLoads),
    loadErrors: total(counters.counterLoadErrors),
    coalescedLoads: total(counters.counterLoadsCoalesced),
  } as const;
}

export function writeCounts(total: Total) {
  return {
    sets: {
      stored: total(counters.counterSetsStored),
      tooLarge: total(counters.counterSetsTooLarge),
      overloaded: total(counters.counterSetsOverloaded),
      bytes: total(counters.counterSetBytes),
    },
    deletes: total(counters.counterDeletes),
  } as const;
}
