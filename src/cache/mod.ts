export { Cache, type WrapOptions } from "./cache.js";
export type { CacheEntry } from "./entry-reader.js";
export type { SetOutcome } from "./entry-writer.js";
export type { CacheEventMap, CacheEventName, CacheListener } from "./events.js";
export type { Key, LoadContext, Loader } from "./fill-store.js";
export type { CacheHandle } from "./handle.js";
export { type AttachOptions, attachCache, openCache } from "./open.js";
