// The policies this version runs.
import { evict, type EvictionPolicy } from "./eviction-policy.js";

/** S3-FIFO (Yang et al., SOSP '23) over segments: a small log of a tenth of the memory that new entries must leave by a
 *  hit, and a main log where each hit counted buys another round. The disk index is the ghost queue: an entry demoted
 *  to disk that is hit twice comes back. */
export const s3Fifo: EvictionPolicy = {
  victim(smallSegments: number, mainSegments: number): "small" | "main" {
    const total = smallSegments + mainSegments;
    return mainSegments === 0 || smallSegments * 10 > total ? "small" : "main";
  },
  decide(pool: "small" | "main", frequency: number): number {
    if (frequency === 0) return evict;
    return pool === "small" ? 0 : frequency - 1;
  },
};

/** First in, first out: the oldest segment goes, hit or not. */
export const fifo: EvictionPolicy = {
  victim: () => "small",
  decide: () => evict,
};

export function policyOf(name: "s3-fifo" | "fifo"): EvictionPolicy {
  return name === "fifo" ? fifo : s3Fifo;
}
