export { cacheMetrics, namespaceMetrics } from "./cache-metrics.js";
export {
  boundsTold,
  type HistogramMetric,
  type Labels,
  type Metric,
  type NumberMetric,
  samplesBelow,
} from "./metric.js";
export {
  CacheSet,
  type MetricsReading,
  type MetricsSource,
  readCaches,
  type Reading,
  sourcesOf,
} from "./cache-set.js";
