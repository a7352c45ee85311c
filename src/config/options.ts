// What users may write: the options of a cache, of `set` and of `fetch`. Read by config.ts and operation-options.ts,
// which are the only places that give a missing option its value.

import type { Clock } from "../base/mod.js";
import type { PolicyName } from "../policy/mod.js";

/** A number of bytes, or a size such as "64kb", "256mb", "1.5gb" (1 kb = 1024 bytes). */
export type Size = number | string;

/** A number of milliseconds, or a duration such as "250ms", "30s", "5m", "1h", "7d". `Infinity` is for ever. */
export type Duration = number | string;

/** How values become bytes, where neither built-in codec will do. Both methods are called on the caller's thread. */
export interface CustomCodec<V> {
  /** Names the encoding, 1 to 64 characters: a directory written with one name is not read with another. */
  readonly name: string;
  /** The bytes of a value. They are copied before `encode` is called again. */
  encode(value: V): Uint8Array;
  /** The value of bytes that `encode` made. The bytes are the callee's own and may be kept. */
  decode(bytes: Uint8Array): V;
}

/** The disk tier. */
export interface DiskOptions {
  /** The directory, made if it is missing; relative paths are taken from the working directory at open. */
  readonly path: string;
  /** The most that the directory's files may take, at least 1 MiB. Default "1gb". */
  readonly capacity?: Size;
  /** Which entries are written there. Default: all but those about to expire. */
  readonly admission?: AdmissionOptions;
}

/**
 * Whether an entry may be written to disk. `size` is what its encoded value and key take, in bytes. Called in the thread
 * that sets or loads the entry, before anything is changed; what it throws, the `set` throws. It must answer at once,
 * with true or false, and must not write to the cache.
 */
export type AdmissionFilter = (key: string | Uint8Array, size: number) => boolean;

/**
 * Which entries are worth a write to disk. Refused ones live in memory only, and leave the cache when memory has no room
 * for them; an older copy on disk is dead all the same. `filter` and `maxSize` keep an entry off the disk for good; the
 * other rules put it off: `flush` and `close` write what they refused, if it is still in memory.
 */
export interface AdmissionOptions {
  /** An entry with less time to live (to be served stale included) is not written, >= 0. Default "1s". */
  readonly minTtl?: Duration;
  /** Entries whose encoded value and key take more are not written, >= 1. Default: no bound. */
  readonly maxSize?: Size;
  /** Writes only entries that were hit in memory, or whose key was set before not long ago. Default false. */
  readonly seenBefore?: boolean;
  /** The most bytes to write in a second, and in a day (spread over it: what was not used can be made up for within an
   *  hour), each >= 1. What reclaim writes again counts too, and gives way first. Default: no bounds. */
  readonly writeBudget?: { readonly perSecond?: Size; readonly perDay?: Size };
  /** Asked for each entry. A thread that attaches must bring its own. Default: all may be written. */
  readonly filter?: AdmissionFilter;
}

/** The near cache: decoded values of the calling thread. */
export interface NearOptions {
  /**
   * What a hit returns: "shared" (default) the same object each time, "frozen" the same object, deeply frozen,
   * "copy" a fresh one each time.
   */
  readonly mode?: "shared" | "frozen" | "copy";
  /** The most values kept, at least 1. Default 16,384. */
  readonly maxEntries?: number;
  /** The most encoded bytes that the kept values stand for, at least 1. Default "16mb". */
  readonly maxBytes?: Size;
}

/** The options of `openCache`. All may be left out; an unknown one is refused. */
export interface CacheOptions<V = unknown> {
  /** The label in metrics and errors, 1 to 64 characters. Default "default". */
  readonly name?: string;
  /** The whole memory budget, index and metadata included: 1 MiB to 4 GiB - 64 KiB. Default "64mb". */
  readonly memory?: Size;
  /** The disk tier; without it the cache is in memory only. */
  readonly disk?: DiskOptions;
  /** Time to live of an entry whose `set` gives none, > 0. Default: no expiry. */
  readonly ttl?: Duration;
  /** How long after its expiry an entry may still be served while it is loaded anew, >= 0. Default 0. */
  readonly staleFor?: Duration;
  /** Default "auto": tries several settings on a sample of the requests and goes on with the best. */
  readonly eviction?: PolicyName;
  /** The near cache, or `false` to decode at each hit. */
  readonly near?: NearOptions | false;
  /** Whether instances of classes are refused ("throw", the default) or stored as plain objects ("plain"). */
  readonly classInstances?: "throw" | "plain";
  /** "msgpack" (default) keeps every type exactly, "json" is what JSON makes of the value; or one of your own. */
  readonly codec?: "msgpack" | "json" | CustomCodec<V>;
  /** Where the time comes from; for tests. */
  readonly clock?: Clock;
}

/** The options of one `set`. */
export interface SetOptions {
  /** Time to live of this entry, > 0; `Infinity` is for ever. Default: the cache's. */
  readonly ttl?: Duration;
  /** How long after its expiry this entry may still be served stale, >= 0. Default: the cache's. */
  readonly staleFor?: Duration;
  /** Groups for `deleteByTag`: at most 16 names, together at most 1,024 bytes of UTF-8. */
  readonly tags?: readonly string[];
}

/** The options of one `fetch`: those of `set` for what is loaded, and how to load. */
export interface FetchOptions extends SetOptions {
  /**
   * How long a loader may take. A duration, or `hard`: then the loader is aborted. `soft`: then a stale value is
   * served, if there is one. Each > 0 and at most 2,147,483,647 ms, or `Infinity` for no limit (default).
   */
  readonly timeout?: Duration | { readonly soft?: Duration; readonly hard?: Duration };
  /** How long an answer of "nothing" (`undefined`) is remembered, >= 0. Default 0: not at all. */
  readonly negativeTtl?: Duration;
  /** Loads even if there is a fresh value. Default false. */
  readonly forceRefresh?: boolean;
  /** Ends this caller's wait; others waiting for the same load are left alone. */
  readonly signal?: AbortSignal;
}
