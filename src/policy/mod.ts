export { evict, type EvictionPolicy, type Pool } from "./eviction-policy.js";
export { fifo, policyOf, s3Fifo } from "./policies.js";
