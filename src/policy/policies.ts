// The policies by name.
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

/** "auto" is a log policy whose setting a {@link Tuner} moves; the others keep theirs. "lru" is CLOCK. */
const settings = {
  auto: candidates[0] ?? lfuSetting,
  "s3-fifo": s3FifoSetting,
  lfu: lfuSetting,
  lru: clockSetting,
  sieve: sieveSetting,
  fifo: fifoSetting,
} as const satisfies Readonly<Record<string, Setting>>;

/** The order in which entries leave a full cache. */
export type PolicyName = keyof typeof settings;

/** Every policy there is. */
export const policyNames = Object.keys(settings) as readonly PolicyName[];

/** The setting with which a cache under the policy begins. */
export function settingOf(name: PolicyName): Setting {
  return settings[name];
}

/** The policy `name` with memory of its own for a cache of `capacity` bytes and about `entries` entries. */
export function policyOf(name: PolicyName, capacity: number, entries: number): LogPolicy {
  return LogPolicy.alone(settings[name], capacity, entries);
}
