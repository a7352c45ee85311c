// Every metric of a cache. Called by the exporters. Invariant: every number of stats() is here,
// except those that others give (ratios, sums, percentiles); a test checks it.
import { callMetrics } from "./call-metrics.js";
import type { Metric } from "./metric.js";
import { tierMetrics } from "./tier-metrics.js";

export const cacheMetrics: readonly Metric[] = [...callMetrics, ...tierMetrics];
