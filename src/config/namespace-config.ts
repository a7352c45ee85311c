// The part of a namespace's options that is plain data, checked: its shares, and the defaults of
// its operations. What is not given is the cache's.
import { parseDuration, parseSize } from "../base/mod.js";
import { checkedName, type Config } from "./config.js";
import { optionRangeError } from "./option-error.js";
import {
  checkedTags,
  fetchDefaultsOf,
  type OperationDefaults,
  parseTtl,
} from "./operation-options.js";
import { revisionOption } from "./writes/revision.js";

export interface NamespaceConfig extends OperationDefaults {
  /** Bytes of memory that are kept for it; undefined if the options do not say. */
  readonly memoryBytes: number | undefined;
  readonly diskBytes: number | undefined;
  /** Undefined if the options do not say. */
  readonly version: string | undefined;
}

/**
 * Checks options whose names are checked already, and fills in the cache's defaults.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function resolveNamespaceConfig(
  given: Readonly<Record<string, unknown>>,
  cache: Config,
): NamespaceConfig {
  const { ttl, staleFor, tags } = given;
  const { setDefaults, fetchDefaults } = cache;
  const own = Object.freeze({
    ttlMs: ttl === undefined ? setDefaults.ttlMs : parseTtl("ttl", ttl),
    staleForMs:
      staleFor === undefined ? setDefaults.staleForMs : parseDuration("staleFor", staleFor),
    tags: tags === undefined ? setDefaults.tags : checkedTags(tags),
    revisionOf: revisionOption(given["revision"]),
  });
  return Object.freeze({
    memoryBytes: shareOf("memory", given["memory"], cache.memoryBytes),
    diskBytes: shareOf("disk", given["disk"], cache.disk?.capacityBytes ?? null),
    version: given["version"] === undefined ? undefined : checkedName("version", given["version"]),
    setDefaults: own,
    fetchDefaults: fetchDefaultsOf(own, given, fetchDefaults),
  });
}

/** Bytes of a share: a size, or a fraction of what the cache has; null if it has none. */
function shareOf(option: string, share: unknown, whole: number | null): number | undefined {
  if (share === undefined) return undefined;
  if (whole === null) throw optionRangeError(option, share, "left out: the cache has no disk");
  const isFraction = typeof share === "number" && share > 0 && share <= 1;
  const bytes = isFraction ? Math.floor(share * whole) : parseSize(option, share);
  if (bytes >= 1 && bytes <= whole) return bytes;
  const allowed = `a size of 1 to ${whole} bytes, the cache's own, or a fraction of it up to 1`;
  throw optionRangeError(option, share, allowed);
}
