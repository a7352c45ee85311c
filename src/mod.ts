// The package's door: what users import from "undercroft".
export { type Clock, type ErrorCode, ManualClock, UndercroftError } from "./base/mod.js";
export {
  type AttachOptions,
  attachCache,
  Cache,
  type CacheEntry,
  type CacheEventMap,
  type CacheEventName,
  type CacheHandle,
  type CacheListener,
  type Key,
  type LoadContext,
  type Loader,
  openCache,
  type SetOutcome,
  type WrapOptions,
} from "./cache/mod.js";
export type {
  AdmissionFilter,
  AdmissionOptions,
  CacheOptions,
  CustomCodec,
  DiskOptions,
  Duration,
  PolicyName,
  FetchOptions,
  NearOptions,
  SetOptions,
  Size,
} from "./config/mod.js";
export type { CacheStats } from "./stats/mod.js";
