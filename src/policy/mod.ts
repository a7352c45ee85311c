export {
  emptyLogs,
  evict,
  type EvictionPolicy,
  fruitlessMax,
  type LogSituation,
  type LogName,
} from "./eviction-policy.js";
export { LogPolicy, type PolicyRoom, policyStateBytes } from "./log-policy.js";
export { type PolicyName, policyNames, policyOf, settingOf, weighsWorth } from "./policies.js";
export { type ModelGeometry, modelSegments, SegmentedLog } from "./segmented-log.js";
export type { KeepRule, Setting, VictimRule } from "./setting.js";
export { candidates, candidatesFor, Tuner, type TunerOptions } from "./tuner.js";
export {
  loadClasses,
  loadClassOf,
  loadClassUnknown,
  loadMsOf,
  type Worth,
  worths,
} from "./worth.js";
