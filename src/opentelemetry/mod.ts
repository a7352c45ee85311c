export { type MetricsMeter, observe } from "./observe.js";
export type { MetricsSource } from "../metrics/mod.js";
