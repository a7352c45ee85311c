// Every metric of a cache, and of its namespaces. Called by the exporters. Invariant: every number
// of stats() is here, except those that others give (ratios, sums, percentiles); a test checks it.
import { callMetrics } from "./call-metrics.js";
import type { Metric } from "./metric.js";
import { processMetrics } from "./process-metrics.js";
import { spaceMetrics } from "./space-metrics.js";
import { tierMetrics } from "./tier-metrics.js";

export const cacheMetrics: readonly Metric[] = [
  ...spaceMetrics,
  ...callMetrics,
  ...tierMetrics,
  ...processMetrics,
];

export { namespaceMetrics } from "./space-metrics.js";
