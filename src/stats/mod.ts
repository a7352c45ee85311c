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
export type { CacheStats } from "./cache-stats.js";
export type { StatsGauges } from "./gauges.js";
export { type NamespaceReading, namespaceStatsOf } from "./namespace-reading.js";
export type { NamespaceStats } from "./namespace-stats.js";
export {
  type CounterSink,
  type RemovalCounter,
  removalCounters,
  SpaceCounters,
  spaceCountsBytes,
  spaceTotals,
  threadTotal,
} from "./space-counters.js";
export { processCounters, type ProcessTotals } from "./process-totals.js";
export { makeSnapshot, type StatsInput } from "./snapshot.js";
export { tierCounters, type TierTotals } from "./tier-totals.js";
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
