export {
  type Config,
  diskBytesMin,
  memoryBytesMax,
  memoryBytesMin,
  nameLengthMax,
  nearEntriesMax,
  resolveConfig,
} from "./config.js";
export { assertKey, keyBytesMax } from "./key.js";
export {
  resolveFetchOptions,
  type ResolvedFetchOptions,
  resolveSetOptions,
  type ResolvedSetOptions,
  tagBytesMax,
  tagCountMax,
  timeoutMsMax,
} from "./operation-options.js";
export type {
  CacheOptions,
  CustomCodec,
  DiskOptions,
  Duration,
  EvictionPolicy,
  FetchOptions,
  NearOptions,
  SetOptions,
  Size,
} from "./options.js";
