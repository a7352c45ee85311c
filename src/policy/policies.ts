// The policies by name, for options, the state in shared memory and the simulator.
import { LogPolicy } from "./log-policy.js";
import {
  fifoSetting,
  lfuSetting,
  clockSetting,
  s3FifoSetting,
  type Setting,
  sieveSetting,
  weighedFor,
} from "./setting.js";
import { candidates } from "./tuner.js";
import type { Worth } from "./worth.js";

/** "auto" is a log policy whose setting a {@link Tuner} changes; the others keep theirs. "lru"
 *  is CLOCK. */
const settings = {
  auto: candidates[0] ?? s3FifoSetting,
  "s3-fifo": s3FifoSetting,
  lfu: lfuSetting,
  lru: clockSetting,
  sieve: sieveSetting,
  fifo: fifoSetting,
} as const satisfies Readonly<Record<string, Setting>>;

/**
 * The name of an eviction policy, which decides in what order entries leave a full cache: "auto"
 * (tries settings on a sample of requests and uses the best), "s3-fifo", "lfu", "lru" (by second
 * chance, CLOCK), "sieve" or "fifo".
 *
 * @example
 * ```ts
 * import { openCache, type PolicyName } from "undercroft";
 *
 * const eviction: PolicyName = "s3-fifo";
 * const cache = await openCache({ eviction });
 * await cache.close();
 * ```
 */
export type PolicyName = keyof typeof settings;

export const policyNames = Object.keys(settings) as readonly PolicyName[];

/** The setting that a cache with this policy starts with. */
export function settingOf(name: PolicyName, worth: Worth = "hits"): Setting {
  return weighedFor(worth, settings[name]);
}

/** Whether a policy weighs what a hit is worth. */
export function weighsWorth(name: PolicyName): boolean {
  return name === "auto" || settings[name].keep === "compete";
}

/** The policy `name` with its own state, for `capacity` bytes and about `entries` entries. */
export function policyOf(
  name: PolicyName,
  capacity: number,
  entries: number,
  worth: Worth = "hits",
): LogPolicy {
  return LogPolicy.alone(settingOf(name, worth), capacity, entries);
}
