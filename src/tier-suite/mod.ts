// The entry "undercroft/tier-suite": what every tier must do, as checks for any test runner, and
// tiers in memory for tests.
export { type FaultyTier, faultyTier, type TierFault } from "./faulty-tier.js";
export { type MemoryStore, memoryStore, memoryTier } from "./memory-tier.js";
export { type TierCheck, tierSuite, type TierSuiteOptions } from "./tier-suite.js";
