export * from "./counters.js";
export {
  bucketOf,
  histogramDisk,
  histogramLoad,
  histogramMemory,
  histogramNear,
  latencyBucketCount,
  lowerBound,
  type Percentiles,
  percentiles,
} from "./histogram.js";
export { type CacheStats, makeSnapshot, type StatsGauges, type StatsInput } from "./snapshot.js";
