export { Cache } from "./cache.js";
export type { CacheEventMap, CacheEventName, CacheListener } from "./events.js";
export type { CacheHandle } from "./handle.js";
export { type AttachOptions, attachCache, openCache } from "./open.js";
export type { WrapOptions } from "./wrap.js";
