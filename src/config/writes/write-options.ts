// The options of `delete`, `update` and the guarded `write`, and their checks. Called by the
// facade.
import { parseDuration } from "../../base/mod.js";
import { optionsOf } from "../option-error.js";
import {
  checkedTags,
  type OperationDefaults,
  parseTtl,
  type ResolvedSetOptions,
} from "../operation-options.js";
import type { SetOptions } from "../options.js";
import type { Duration } from "../quantities.js";
import { checkedRevision, revisionOption } from "./revision.js";

/**
 * The options of one `delete`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import { type DeleteOptions, openCache } from "undercroft";
 *
 * const options: DeleteOptions = { revision: 7 };
 * const cache = await openCache<string>();
 * cache.delete("user:7", options);
 * console.log(cache.set("user:7", "from before", { revision: 6 })); // outdated
 * await cache.close();
 * ```
 */
export interface DeleteOptions {
  /**
   * The caller's own order of writes, as in `SetOptions`. An entry with a newer revision stays. The
   * delete is remembered for an hour, in memory, and for so long no value with this revision or an
   * older one is stored. When memory is short it is forgotten like an entry that is hit often; a
   * restart forgets it.
   */
  readonly revision?: number;
}

/**
 * The options of one `update`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import { openCache, type UpdateOptions } from "undercroft";
 *
 * const options: UpdateOptions<number> = { absent: 1, ttl: "1h" };
 * const cache = await openCache<number>();
 * for (let hit = 0; hit < 3; hit++) cache.update("hits", (count) => count + 1, options);
 * console.log(cache.getSync("hits")); // 3
 * await cache.close();
 * ```
 */
export interface UpdateOptions<V = unknown> {
  /** What is stored if the key has no entry; the function is not called then. Default: nothing. */
  readonly absent?: V;
  /** Time to live from now on. Default: what is left of the entry's. */
  readonly ttl?: Duration;
  /** How long it may be served stale after that. Default: as long as the entry might be. */
  readonly staleFor?: Duration;
  /** Default: the entry's. */
  readonly tags?: readonly string[];
}

/**
 * The options of one guarded `write`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import { openCache, type WriteOptions } from "undercroft";
 *
 * const options: WriteOptions<{ version: number }> = { revision: ({ version }) => version };
 * const cache = await openCache<{ version: number }>();
 * await cache.write("row:1", async () => ({ version: 2 }), options);
 * console.log(cache.set("row:1", { version: 1 }, { revision: 1 })); // outdated
 * await cache.close();
 * ```
 */
export interface WriteOptions<V = unknown> extends Omit<SetOptions, "revision"> {
  /** The revision of what was written (`SetOptions`). Default: none. */
  revision?(this: void, value: V): number;
}

/** The options of one `update`: undefined where the entry's own count. */
export interface ResolvedUpdateOptions {
  /** Undefined: nothing is stored where nothing is. */
  readonly absent: unknown;
  readonly ttlMs: number | undefined;
  readonly staleForMs: number | undefined;
  readonly tags: readonly string[] | undefined;
}

const updateOptionNames = ["absent", "ttl", "staleFor", "tags"] as const;
const writeOptionNames = ["ttl", "staleFor", "tags", "revision"] as const;
const keepsAll: ResolvedUpdateOptions = {
  absent: undefined,
  ttlMs: undefined,
  staleForMs: undefined,
  tags: undefined,
};

/** The revision in the options of `delete`, if any. */
export function resolveDeleteOptions(options: unknown): number | undefined {
  const { revision } = optionsOf("", options, ["revision"]);
  return revision === undefined ? undefined : checkedRevision(revision);
}

/**
 * Checks the options of one `update`.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function resolveUpdateOptions(options: unknown): ResolvedUpdateOptions {
  if (options === undefined) return keepsAll;
  const { absent, ttl, staleFor, tags } = optionsOf("", options, updateOptionNames);
  return {
    absent,
    ttlMs: ttl === undefined ? undefined : parseTtl("ttl", ttl),
    staleForMs: staleFor === undefined ? undefined : parseDuration("staleFor", staleFor),
    tags: tags === undefined ? undefined : checkedTags(tags),
  };
}

/**
 * Checks the options of one `write`.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function resolveWriteOptions(
  options: unknown,
  { setDefaults }: OperationDefaults,
): ResolvedSetOptions {
  if (options === undefined) return setDefaults;
  const { ttl, staleFor, tags, revision } = optionsOf("", options, writeOptionNames);
  return {
    ttlMs: ttl === undefined ? setDefaults.ttlMs : parseTtl("ttl", ttl),
    staleForMs:
      staleFor === undefined ? setDefaults.staleForMs : parseDuration("staleFor", staleFor),
    tags: tags === undefined ? setDefaults.tags : checkedTags(tags),
    revisionOf: revisionOption(revision) ?? setDefaults.revisionOf,
  };
}
