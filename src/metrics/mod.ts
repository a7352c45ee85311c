export { cacheMetrics } from "./cache-metrics.js";
export {
  cumulative,
  type HistogramMetric,
  type HistogramSample,
  type Labels,
  type Metric,
  type NumberMetric,
  type Sample,
} from "./metric.js";
export { CacheSet, type MetricsReading, type MetricsSource, sourcesOf } from "./cache-set.js";
