export { type CollectOptions, collect, contentTypes, type TextFormat } from "./collect.js";
export { type MetricsRegistry, register } from "./register.js";
export type { MetricsSource } from "../metrics/mod.js";
