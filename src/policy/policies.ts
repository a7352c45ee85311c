// The policies by name.
import { LogPolicy, type PolicyRoom } from "./log-policy.js";
import {
  fifoSetting,
  lfuSetting,
  lruSetting,
  s3FifoSetting,
  type Setting,
  sieveSetting,
} from "./setting.js";

export type PolicyName = "s3-fifo" | "lfu" | "lru" | "sieve" | "fifo";

export const policyNames: readonly PolicyName[] = ["s3-fifo", "lfu", "lru", "sieve", "fifo"];

const settings: Readonly<Record<PolicyName, Setting>> = {
  "s3-fifo": s3FifoSetting,
  lfu: lfuSetting,
  lru: lruSetting,
  sieve: sieveSetting,
  fifo: fifoSetting,
};

export function settingOf(name: PolicyName): Setting {
  return settings[name];
}

/** The policy `name` with memory of its own for a cache of `capacity` bytes and about `entries` entries. */
export function policyOf(name: PolicyName, capacity: number, entries: number): LogPolicy {
  return LogPolicy.alone(settings[name], capacity, entries);
}

/** The policy over state that other threads use too; whoever made the memory calls `adopt(settingOf(name))` first. */
export function sharedPolicy(room: PolicyRoom): LogPolicy {
  return new LogPolicy(room);
}
