// The policies by name, for options, the state in shared memory and the simulator.
import { LogPolicy } from "./log-policy.js";
import {
  fifoSetting,
  lfuSetting,
  clockSetting,
  s3FifoSetting,
  type Setting,
  sieveSetting,
} from "./setting.js";
import { candidates } from "./tuner.js";

/** "auto" is a log policy whose setting a {@link Tuner} changes; the others keep theirs. "lru"
 *  is CLOCK. */
const settings = {
  auto: candidates[0] ?? lfuSetting,
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
export function settingOf(name: PolicyName): Setting {
  return settings[name];
}

/** The policy `name` with its own state, for `capacity` bytes and about `entries` entries. */
export function policyOf(name: PolicyName, capacity: number, entries: number): LogPolicy {
  return LogPolicy.alone(settings[name], capacity, entries);
}
