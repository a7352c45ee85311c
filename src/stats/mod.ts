export * from "./counters.js";
export {
  bucketOf,
  bucketsPerDecade,
  histogramDisk,
  histogramLoad,
  histogramMemory,
  histogramNear,
  type HistogramTotals,
  latencyBoundsNs,
  latencyBucketCount,
  latencyHistogram,
  type LatencyHistogram,
  lowerBound,
  type Percentiles,
  percentiles,
} from "./histogram.js";
export type { CacheStats, StatsGauges, TierTotals } from "./cache-stats.js";
export { type NamespaceReading, type NamespaceStats, namespaceStatsOf } from "./namespace-stats.js";
export {
  type CounterSink,
  type RemovalCounter,
  removalCounters,
  SpaceCounters,
  spaceCountsBytes,
  spaceTotals,
  threadTotal,
} from "./space-counters.js";
export type { ProcessTotals } from "./process-totals.js";
export { makeSnapshot, processCounters, type StatsInput, tierCounters } from "./snapshot.js";
export { readRecentKeys, type RecentKey, RecentKeys, recentKeysBytes } from "./recent-keys.js";
export {
  type EntryFacts,
  recordingSeconds,
  type RequestEvent,
  requestEvents,
  RequestRing,
  requestRingBytes,
  RequestTaker,
  sizeAbsent,
  type TakenEvents,
} from "./request-ring.js";
