// The main entry of the package: what users import from "undercroft".
export { type Clock, type ErrorCode, ManualClock, UndercroftError } from "./base/mod.js";
export type { WalkOptions, WarmOptions, WarmOutcome } from "./bulk/mod.js";
export {
  type AttachOptions,
  attachCache,
  Cache,
  type CacheEventMap,
  type CacheEventName,
  type CacheHandle,
  type CacheListener,
  type CacheListeners,
  type CacheOptions,
  type CacheRecovery,
  type Namespace,
  type NamespaceOptions,
  openCache,
  type WrapOptions,
} from "./cache/mod.js";
export { entry, type LoadedEntry, type Unchanged, unchanged } from "./config/mod.js";
export type {
  AdmissionFilter,
  AdmissionOptions,
  CustomCodec,
  DeleteOptions,
  DiskOptions,
  EncryptionOptions,
  Duration,
  EvictionOptions,
  FetchOptions,
  GetStreamOptions,
  IsValid,
  NearOptions,
  SetAsyncOptions,
  SetOptions,
  SetStreamOptions,
  Size,
  UpdateOptions,
  ValidityContext,
  WriteOptions,
} from "./config/mod.js";
export type { LoadTrace } from "./diagnostics/mod.js";
export type {
  ByteStream,
  CacheEntry,
  ResizeOutcome,
  SetOutcome,
  StreamOutcome,
  UpdateOutcome,
  ValueStream,
} from "./entries/mod.js";
export type { LoadContext, Loader, LoadManyContext, ManyLoader } from "./fetch/mod.js";
export type { Key } from "./kernel/mod.js";
export type {
  Tier,
  TierChange,
  TierEntry,
  TierInvalidation,
  TierKey,
  TierListener,
  TierRenewal,
  TierTurn,
} from "./outer-tiers/mod.js";
export type { PolicyName, Worth } from "./policy/mod.js";
export type { CacheStats, NamespaceStats } from "./stats/mod.js";
