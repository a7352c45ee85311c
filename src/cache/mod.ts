export { Cache } from "./cache.js";
export type { CacheEventMap, CacheEventName, CacheListener, CacheRecovery } from "./events.js";
export type { CacheHandle } from "./handle.js";
export { Namespace } from "./spaces/namespace.js";
export type { NamespaceOptions } from "./spaces/namespace-options.js";
export { type AttachOptions, attachCache, openCache } from "./open.js";
export type { CacheListeners, CacheOptions } from "./open-options.js";
export type { WrapOptions } from "./wrap.js";
