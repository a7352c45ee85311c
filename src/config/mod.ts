export { type AdmissionConfig, assertFilter } from "./retention/admission.js";
export {
  type Config,
  diskBytesMin,
  diskBytesOf,
  memoryBytesMax,
  memoryBytesMin,
  memoryBytesOf,
  nameLengthMax,
  nearEntriesMax,
  resolveConfig,
  type WhenLocked,
} from "./config.js";
export type { EvictionConfig, EvictionOptions } from "./retention/eviction-options.js";
export {
  type EncryptionKeys,
  encryptionKeysOf,
  type EncryptionOptions,
} from "./disk/encryption-options.js";
export type { IsValid, RefreshOptions, ValidityContext } from "./freshness-options.js";
export { entry, LoadedEntry, type Unchanged, unchanged } from "./loaded-entry.js";
export {
  checkedSignal,
  isOptions,
  optionRangeError,
  optionsOf,
  optionTypeError,
} from "./option-error.js";
export { assertHandle } from "./attach-handle.js";
export { assertKey, checkedKeys, keyBytesMax } from "./key.js";
export { revisionFor, type RevisionOf } from "./writes/revision.js";
export {
  type GetStreamOptions,
  type ResolvedGetStreamOptions,
  resolveGetStreamOptions,
  type ResolvedSetStreamOptions,
  resolveSetStreamOptions,
  type SetStreamOptions,
} from "./writes/stream-options.js";
export {
  type DeleteOptions,
  resolveDeleteOptions,
  resolveUpdateOptions,
  type ResolvedUpdateOptions,
  resolveWriteOptions,
  type UpdateOptions,
  type WriteOptions,
} from "./writes/write-options.js";
export {
  type MapConfig,
  type MapOptions,
  resolveMapCodec,
  resolveMapConfig,
} from "./map-options.js";
export { type NamespaceConfig, resolveNamespaceConfig } from "./namespace-config.js";
export {
  checkedTags,
  type EntryTimes,
  type OperationDefaults,
  resolveEntryOptions,
  resolveFetchOptions,
  type ResolvedFetchOptions,
  resolveSetOptions,
  type ResolvedSetOptions,
  resolveTags,
  tagBytesMax,
  tagCountMax,
  timeoutMsMax,
} from "./operation-options.js";
export type {
  AdmissionFilter,
  AdmissionOptions,
  CacheOptions,
  CustomCodec,
  DiskOptions,
  FetchOptions,
  NearOptions,
  SetAsyncOptions,
  SetOptions,
} from "./options.js";
export type { Duration, Size } from "./quantities.js";
