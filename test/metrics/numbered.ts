// Stats in which every number is another one, so that a test sees where each has gone.
import * as stats from "../../dist/src/stats/mod.js";
import {
  type CacheStats,
  latencyBucketCount,
  makeSnapshot,
  type StatsGauges,
} from "../../dist/src/stats/mod.js";

export interface Numbers {
  readonly name?: string;
  /** Added to every number. */
  readonly offset?: number;
  readonly isOnDisk?: boolean;
}

/** Stats of a cache whose counters begin at 1,000,000, and gauges at 2,000; those of its namespace
 *  "a" begin at 300,000. */
export function numberedStats({
  name = "numbered",
  offset = 0,
  isOnDisk = true,
}: Numbers = {}): CacheStats {
  let gauge = 2000 + offset;
  const next = (): number => (gauge += 7);
  const disk: StatsGauges["disk"] = {
    entries: next(),
    bytes: next(),
    limitBytes: next(),
    state: "up",
    segments: next(),
  };
  const memory = {
    entries: next(),
    negatives: next(),
    bytes: next(),
    limitBytes: next(),
    indexBytes: next(),
    usedBytes: next(),
  };
  const counters = Object.values(stats).filter((value) => typeof value === "number");
  return makeSnapshot({
    name,
    namespaces: [
      {
        name: "a",
        totals: new Map(counters.map((counter) => [counter, 300_000 + counter * 19 + offset])),
        memory: { entries: next() - 2000, bytes: next() - 2000, shareBytes: next() },
        disk: { shareBytes: next() },
      },
    ],
    total: (counter) => 1_000_000 + counter * 17 + offset,
    histogram: (histogram) => ({
      counts: Array.from(
        { length: latencyBucketCount },
        (_, bucket) => 900 + histogram + bucket + offset,
      ),
      sumNs: (histogram + 1) * 1e9 + offset,
    }),
    gauges: {
      memory,
      disk: isOnDisk ? disk : null,
      tiers: {
        hits: next(),
        misses: next(),
        errors: next(),
        written: next(),
        dropped: next(),
        corrupt: next(),
        refused: next(),
        ended: next(),
        leased: next(),
        waited: next(),
        pending: next(),
        down: next(),
      },
      processes: {
        role: "owner",
        guests: next(),
        requests: next(),
        failures: next(),
        requestMs: next(),
        ended: next(),
        attached: next(),
        cutOff: next(),
        refused: next(),
      },
      tags: { tracked: next(), capacity: next() },
      near: {
        entries: next(),
        bytes: next(),
        limitEntries: next(),
        limitBytes: next(),
        heapBytes: next(),
      },
      segments: { free: next(), total: gauge * 3 },
      threads: { attached: next() },
    },
  });
}

/** The number of a counter in numberedStats. */
export function counterIn(name: string): number {
  const counter: unknown = Object.fromEntries(Object.entries(stats))[name];
  if (typeof counter !== "number") throw new Error(`there is no ${name}`);
  return 1_000_000 + counter * 17;
}
