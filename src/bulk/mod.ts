export { BulkCalls, type Walked, type WalkOptions, type WarmSource } from "./bulk-calls.js";
export type { AnyLoader, BoundLoaders, WarmOptions, WarmOutcome } from "./warm/warm-options.js";
