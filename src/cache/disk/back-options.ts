// How a process that shares its directory opens the two caches that it may have: its own memory,
// and the cache of the directory while it is the owner. Called by `openCache`.
import type { CacheOptions as ConfigOptions, Config } from "../../config/mod.js";
import type { CacheListeners, CacheOptions } from "../open-options.js";

const nameLengthMax = 64;

/** What each process has in its own memory: half of `memory`, without a disk. */
export function frontOf(config: Config): Config {
  return Object.freeze({
    ...config,
    disk: null,
    memoryBytes: Math.floor(config.memoryBytes / 2),
    memoryNowBytes: Math.floor(config.memoryNowBytes / 2),
  });
}

/** The options of the directory's cache, which has the other half. Its values are bytes. */
export function backOf(
  options: ConfigOptions<never>,
  config: Config,
  on: CacheListeners,
): CacheOptions<Uint8Array> {
  const { clock, disk } = options;
  const { share: _, whenLocked: __, ...kept } = disk ?? { path: "" };
  return {
    name: `directory of ${config.name}`.slice(0, nameLengthMax),
    memory: Math.floor(config.memoryBytes / 2),
    disk: kept,
    ...(options.eviction === undefined ? {} : { eviction: options.eviction }),
    near: false,
    ...(clock === undefined ? {} : { clock }),
    on,
  };
}
