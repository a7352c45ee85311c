// What a thread needs to attach to a cache. Made at open, returned by `Cache.handle`. Plain data
// that can be structured-cloned; the memory is shared by reference.
import { assertHandle, type Config } from "../config/mod.js";
import type { WorkerHandle } from "../eviction/mod.js";
import type { CacheRecovery } from "./events.js";

/**
 * What `Cache.handle` returns: a cache as it travels between threads of one process. Post it and
 * pass it to `attachCache`; its properties are not for users.
 *
 * @example
 * ```ts
 * import { attachCache, type CacheHandle, openCache } from "undercroft";
 *
 * const cache = await openCache<string>();
 * cache.set("a", "shared");
 * const handle: CacheHandle = cache.handle(); // usually posted to a worker
 * const attached = attachCache<string>(structuredClone(handle));
 * console.log(attached.getSync("a")); // shared
 * await attached.close();
 * await cache.close();
 * ```
 */
export interface CacheHandle {
  readonly kind: "undercroft-handle";
  readonly version: 1;
  /** Unique in the process. */
  readonly id: string;
  readonly config: Config;
  readonly worker: WorkerHandle;
  /** Null for a cache in memory only. */
  readonly recovery: CacheRecovery | null;
  /** The shared words of the tiers; null without tiers. */
  readonly tiers: SharedArrayBuffer | null;
  /** The shared words of a process that shares its directory; null if it does not. */
  readonly processes: SharedArrayBuffer | null;
}

const kind = "undercroft-handle";
const version = 1;

/** Whether `value` says that it is a cache's handle, made by this version of the package. */
export function isCacheHandle(value: unknown): value is CacheHandle {
  const handle = value as Partial<CacheHandle> | null;
  return typeof handle === "object" && handle?.kind === kind && handle.version === version;
}

/** Throws TypeError unless `value` is a cache's handle, made by this version of the package. */
export function assertCacheHandle(value: unknown): asserts value is CacheHandle {
  assertHandle(value, {
    of: "a cache",
    kind,
    version,
    from: "cache.handle()",
    partsOf: (handle) => handle["worker"],
  });
}
