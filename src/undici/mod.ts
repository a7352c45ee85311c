// The entry "undercroft/undici": a store for the cache of undici's HTTP client.
export { UndiciCacheStore, type UndiciCacheStoreOptions } from "./cache-store.js";
