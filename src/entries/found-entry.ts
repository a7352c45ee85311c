// What reads of an entry give: the entry with its metadata for users, and what read-through needs
// to know of it. Called by the entry reader.
import type { HashedKey } from "../kernel/mod.js";
import type { RecordReader } from "../record/mod.js";

/**
 * What `getEntry` resolves to: a value with its metadata. Times are wall-clock milliseconds since
 * 1970; `Infinity` means never.
 *
 * @example
 * ```ts
 * import { type CacheEntry, openCache } from "undercroft";
 *
 * const cache = await openCache<string>();
 * cache.set("a", "text", { ttl: 60_000, tags: ["letters"] });
 * const entry: CacheEntry<string> | undefined = await cache.getEntry("a");
 * if (entry !== undefined) {
 *   console.log(entry.value, entry.expiresAt - entry.createdAt, entry.tags.length); // text 60000 1
 * }
 * await cache.close();
 * ```
 */
export interface CacheEntry<V> {
  readonly value: V;
  /** "tier": from one of `tiers`. */
  readonly source: "near" | "memory" | "disk" | "tier";
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Until then `fetch` may serve the expired value; equals `expiresAt` if it may not. */
  readonly staleUntil: number;
  readonly tags: readonly string[];
  /** Bytes of key, value and metadata as stored. */
  readonly size: number;
}

/** What the cache has for a key: a value, fresh, or expired but within its staleFor; or
 *  `undefined`, always fresh, if it remembers that the source has none. */
export interface FoundValue<V> {
  readonly value: V | undefined;
  readonly stale: boolean;
  /** Of the record: another one has another. -1: the value has none, since it was not stored. */
  readonly sequence: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly tags: readonly string[];
  readonly revision?: number | undefined;
}

/** What `peekEntry` found in memory: a value with where it was, or what `peek` says without one. */
export type PeekedEntry<V> =
  | { readonly kind: "entry"; readonly found: FoundValue<V>; readonly source: "near" | "memory" }
  | { readonly kind: "disk" | "negative" | "absent" };

/** What `peek` found in memory: a value, or that the key may be on disk, or a negative answer, or
 *  nothing. */
export type Peek<V> =
  | { readonly kind: "fresh"; readonly value: V }
  | { readonly kind: "stale"; readonly value: V; readonly sequence: number }
  | { readonly kind: "disk" | "negative" | "absent" };

/** An entry as a read of the disk found it. */
export interface FoundEntry<V> {
  readonly entry: CacheEntry<V>;
  readonly sequence: number;
  readonly revision: number | undefined;
}

interface Times {
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly staleUntil: number;
}

/** Metadata of an entry. A copy: it survives the next use of the record reader. */
interface Metadata {
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly staleUntil: number;
  readonly tags: readonly string[];
  readonly size: number;
}

/** The metadata of the record that was just read. */
export function metadataOf(record: RecordReader): Metadata {
  return {
    createdAt: record.createdMs,
    expiresAt: record.expiresMs,
    staleUntil: record.staleUntilMs,
    tags: record.tags(),
    size: record.size,
  };
}

/** An entry with its times by a clock that is behind the cache's by `aheadMs`, as the wall clock
 *  may be. */
export function byWallClock<E extends Times>(entry: E, aheadMs: number): E {
  if (aheadMs === 0) return entry;
  const { createdAt, expiresAt, staleUntil } = entry;
  return {
    ...entry,
    createdAt: createdAt - aheadMs,
    expiresAt: expiresAt - aheadMs,
    staleUntil: staleUntil - aheadMs,
  };
}

/** What a look finds that has no value. */
export const noValue = {
  disk: { kind: "disk" },
  absent: { kind: "absent" },
  negative: { kind: "negative" },
} as const;

/** Takes a key that may be on disk, and its location there. */
export type OnDisk = (key: HashedKey, location: number) => undefined;
