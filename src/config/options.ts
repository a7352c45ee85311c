// The options that users write, for a cache, a `set` and a `fetch`. Defaults are filled in by
// config.ts and operation-options.ts only.

import type { Clock } from "../base/mod.js";
import type { PolicyName } from "../policy/mod.js";
import type { EncryptionOptions } from "./disk/encryption-options.js";
import type { EvictionOptions } from "./retention/eviction-options.js";
import type { IsValid, RefreshOptions } from "./freshness-options.js";
import type { Duration, Size } from "./quantities.js";

/**
 * A codec of your own, for values that neither built-in codec stores as you want. Both methods run
 * on the calling thread. What `encode` throws, `set` throws. If `decode` throws, or returns
 * undefined or a promise, a cache's read is a miss: the event `error` tells it once (ERR_CODEC),
 * the entry is dropped, and `fetch` loads. `stats().codecErrors` counts. `SharedHashMap.get` throws
 * what `decode` throws.
 *
 * @example
 * ```ts
 * import { type CustomCodec, openCache } from "undercroft";
 *
 * const codec: CustomCodec<URL> = {
 *   name: "url",
 *   encode: (url) => Buffer.from(url.href),
 *   decode: (bytes) => new URL(Buffer.from(bytes).toString()),
 * };
 * const cache = await openCache<URL>({ codec, near: false });
 * cache.set("home", new URL("https://example.org/"));
 * console.log(cache.getSync("home")?.host); // example.org
 * await cache.close();
 * ```
 */
export interface CustomCodec<V> {
  /** 1 to 64 characters. A directory written under one codec name is not read under another. */
  readonly name: string;
  /** Returns the bytes of a value. They are copied before `encode` is called again. */
  encode(value: V): Uint8Array;
  /** Returns the value of bytes that `encode` made. It may keep the bytes: they are its own. */
  decode(bytes: Uint8Array): V;
}

/**
 * The disk tier.
 *
 * @example
 * ```ts
 * import { mkdtemp, rm } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { type DiskOptions, openCache } from "undercroft";
 *
 * const path = await mkdtemp(join(tmpdir(), "undercroft-"));
 * const disk: DiskOptions = { path, capacity: "64mb", admission: { minTtl: "1m" } };
 * const cache = await openCache({ disk });
 * console.log(cache.stats().disk?.limitBytes); // 67108864
 * await cache.close();
 * await rm(path, { recursive: true });
 * ```
 */
export interface DiskOptions {
  /** The directory; made if it is missing. A relative path starts at the working directory. */
  readonly path: string;
  /**
   * Most bytes that the files of the directory may take, at least 1 MiB. Default "1gb". With `now`
   * and `most` it is `now` at first, and `resize` may change it up to `most`, for which the index
   * is made.
   */
  readonly capacity?: Size | { readonly now?: Size; readonly most: Size };
  /** Which entries are written to disk. Default: all but those about to expire. */
  readonly admission?: AdmissionOptions;
  /**
   * The most bytes to bring back to memory after open, in the background, or `false` for none.
   * Those that were hit most in the last session come first, if it was closed; among others the
   * newest. It takes only room that is free. Default: a quarter of `memory`.
   */
  readonly preload?: Size | false;
  /**
   * What becomes of a `set` while memory is full of entries that the disk has not taken yet.
   * "refuse" (default): it is "overloaded", so what was "stored" before stays. "evict": it is
   * stored, and the oldest of those entries leave, counted in `stats().admissions.refusedQueue`.
   * `setAsync` and `warm` wait for the disk.
   */
  readonly whenBehind?: "refuse" | "evict";
  /**
   * Most of the directory's 4 to 128 segment files that are open at once, over all threads, 1 to
   * 128; a thread that finds no room opens one more. A read from a file that is not open takes some
   * 10 µs longer. Default 20, which makes 32 descriptors for a cache.
   */
  readonly openFiles?: number;
  /**
   * What to do while another cache, of this process or another, has the directory open.
   *
   * - "throw" (default): `openCache` rejects with ERR_DIRECTORY_LOCKED.
   * - `{ wait }`: it waits, at most so long, at least 0, `Infinity` for ever; then it rejects so.
   * - "memory": the cache begins in memory and takes the directory over when it is free. Until then
   *   the disk is a tier that is down ("tier-down" with ERR_DIRECTORY_LOCKED), and `flush` rejects;
   *   then come "recovered" and "tier-up". What was set, deleted, cleared or invalidated meanwhile
   *   counts: nothing older comes back from the directory, and `flush` writes what was set. It
   *   survives the end of the process from "tier-up" on.
   */
  readonly whenLocked?: "throw" | "memory" | { readonly wait: Duration };
  /**
   * Encrypts entries on disk: keys, values and tags, by AES-256-GCM. Memory stays plain. A
   * directory of entries that are not encrypted starts cold. Default: nothing is encrypted.
   */
  readonly encryption?: EncryptionOptions;
  /**
   * Whether the processes of a host share the directory. "none" (default): one cache has it.
   * "host": any number of processes open it with this option, in any order; none is refused. The
   * first has the directory (`stats().processes.role` is "owner"), the others reach it through that
   * one by a socket in it ("guest"), and when it ends or dies another takes its part. Each has half
   * of `memory` for itself, shared by its threads; the other half is the directory's, in the owner.
   *
   * What is set, deleted, cleared or invalidated in one process ends what others have in memory
   * within a millisecond or so, and always within a second; `await flush()` resolves when that is
   * so. Without an owner nothing is answered from memory.
   *
   * Not with `tiers`, `whenLocked` or `admission.filter`.
   */
  readonly share?: "none" | "host";
}

/**
 * Decides whether an entry may be written to disk. Called in the thread that sets or loads the
 * entry, before anything is changed; `size` is the bytes of the encoded value and the key. It must
 * return true or false synchronously and must not write to the cache. What it throws, `set` throws.
 *
 * @example
 * ```ts
 * import type { AdmissionFilter, CacheOptions } from "undercroft";
 *
 * const filter: AdmissionFilter = (key) => !String(key).startsWith("session:");
 * const options: CacheOptions = { disk: { path: "./cache", admission: { filter } } };
 * console.log(filter("session:7", 100), options.disk?.admission?.filter === filter); // false true
 * ```
 */
export type AdmissionFilter = (key: string | Uint8Array, size: number) => boolean;

/**
 * Which entries are worth a write to disk. An entry that is not written stays in memory until it is
 * evicted; an older copy on disk is dead in any case. `filter` and `maxSize` keep an entry off the
 * disk for good. The other rules only defer it: `flush` and `close` write it if it is still in
 * memory.
 *
 * @example
 * ```ts
 * import { mkdtemp, rm } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { type AdmissionOptions, openCache } from "undercroft";
 *
 * const admission: AdmissionOptions = { maxSize: "1kb", writeBudget: { perDay: "10gb" } };
 * const path = await mkdtemp(join(tmpdir(), "undercroft-"));
 * const cache = await openCache<string>({ disk: { path, capacity: "64mb", admission } });
 * cache.set("large", "x".repeat(2000));
 * await cache.flush();
 * console.log(cache.stats().admissions.refusedSize); // 1
 * await cache.close();
 * await rm(path, { recursive: true });
 * ```
 */
export interface AdmissionOptions {
  /**
   * Entries with less time to live than this, `staleFor` included, are not written. At least 0.
   * Default "1s".
   */
  readonly minTtl?: Duration;
  /** Entries whose encoded value and key take more are not written. At least 1. Default: none. */
  readonly maxSize?: Size;
  /** Writes only entries that were hit in memory or whose key was set recently. Default false. */
  readonly seenBefore?: boolean;
  /**
   * Most bytes to write in a second, and in a day, each at least 1. The day's budget is spread
   * evenly; an unused part can be made up for within an hour. What reclaim rewrites counts too, and
   * gives way first. Default: no bounds.
   */
  readonly writeBudget?: { readonly perSecond?: Size; readonly perDay?: Size };
  /** Asked for each entry. A thread that attaches must pass its own. Default: admits everything. */
  readonly filter?: AdmissionFilter;
}

/**
 * The near cache: decoded values that each thread keeps for itself.
 *
 * @example
 * ```ts
 * import { type NearOptions, openCache } from "undercroft";
 *
 * const near: NearOptions = { mode: "frozen", maxEntries: 1000, maxBytes: "1mb" };
 * const cache = await openCache<{ name: string }>({ near });
 * cache.set("user:7", { name: "Ada" });
 * console.log(Object.isFrozen(cache.getSync("user:7"))); // true
 * await cache.close();
 * ```
 */
export interface NearOptions {
  /**
   * What hits return: "shared" (default) the same object each time, "copy" a new object each time.
   *
   * "frozen": what no caller can change for another. Plain objects and arrays are frozen, however
   * deep. If they are the whole value, hits return the same object each time. A value that holds
   * anything else that is an object (a Map, Set, Date, RegExp, Error, typed array, Buffer or
   * ArrayBuffer, or what a custom codec makes) cannot be frozen whole: each hit returns a new
   * object, which takes as long as with "copy".
   */
  readonly mode?: "shared" | "frozen" | "copy";
  /** Most values kept, 1 to 16,777,216. Default: one for each KiB of `memory`, at most 524,288. */
  readonly maxEntries?: number;
  /**
   * Most bytes of values kept, counted as encoded, at least 1; objects take 2 to 5 times as many.
   * Default: a quarter of `memory`, at most 64 MiB.
   */
  readonly maxBytes?: Size;
}

/**
 * The options of `openCache`. All are optional; an unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import { type CacheOptions, openCache } from "undercroft";
 *
 * const options: CacheOptions<string> = { name: "pages", memory: "16mb", ttl: "1h" };
 * const cache = await openCache(options);
 * console.log(cache.name); // pages
 * await cache.close();
 * ```
 */
export interface CacheOptions<V = unknown> extends RefreshOptions {
  /** The name in statistics and errors, 1 to 64 characters. Default "default". */
  readonly name?: string;
  /**
   * The whole memory budget, index and metadata included: 1 MiB to 4 GiB - 64 KiB. The near cache
   * comes on top. Default "64mb". With `now` and `most` it is `now` at first, and `resize` may
   * change it up to `most`, for which index and tables are made: some tenths of it.
   */
  readonly memory?: Size | { readonly now?: Size; readonly most: Size };
  /** The disk tier. Default: none, the cache is in memory only. */
  readonly disk?: DiskOptions;
  /** Time to live of entries whose `set` gives none, more than 0. Default: no expiry. */
  readonly ttl?: Duration;
  /**
   * How long after its expiry an entry may still be served while it is loaded again, at least 0.
   * Default 0.
   */
  readonly staleFor?: Duration;
  /**
   * How long a loader's `undefined` is remembered, at least 0. Default 0: it is not remembered. See
   * `FetchOptions`.
   */
  readonly negativeTtl?: Duration;
  /**
   * How long a loader may take, more than 0 and at most 2,147,483,647 ms, or `Infinity` (default)
   * for no limit: a duration, or `soft` and `hard`. See `FetchOptions`.
   */
  readonly timeout?: Duration | { readonly soft?: Duration; readonly hard?: Duration };
  /**
   * The version of what is stored, 1 to 64 characters, such as that of the program. What a
   * directory holds of another version, or of none, is dropped at open (`CacheRecovery.reason`) and
   * never served. Default: none.
   */
  readonly version?: string;
  /**
   * The eviction policy, or the policy and what a hit is worth to it. Default "auto": tries
   * settings on a sample of requests, uses the best. See `EvictionOptions`.
   */
  readonly eviction?: PolicyName | EvictionOptions;
  /** The near cache, or `false` to decode at each hit. */
  readonly near?: NearOptions | false;
  /**
   * Class instances: "throw" (default) refuses them, "plain" stores their own properties as plain
   * objects. Built-ins that keep their state elsewhere (URL, Headers, Intl objects, streams) are
   * refused in both; private members of your classes are not stored.
   */
  readonly classInstances?: "throw" | "plain";
  /**
   * "msgpack" (default) keeps every type, "json" keeps what `JSON.stringify` does, and an object is
   * a codec of your own.
   */
  readonly codec?: "msgpack" | "json" | CustomCodec<V>;
  /**
   * Whether processes of this user, and no others, may ask what the cache does, as `npx undercroft
   * top` does: over the socket in its directory or, without a disk, over one in a folder of the
   * user's, where it is found by its name. Default: true with a disk, else false.
   */
  readonly operators?: boolean;
  /** The source of time, for tests. Default: the machine's clock, made monotonic. */
  readonly clock?: Clock;
}

/**
 * The options of one `set`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import { openCache, type SetOptions } from "undercroft";
 *
 * const options: SetOptions = { ttl: "5m", staleFor: "1h", tags: ["user:7"] };
 * const cache = await openCache<string>();
 * cache.set("cart:7", "3 mugs", options);
 * console.log((await cache.getEntry("cart:7"))?.tags); // [ 'user:7' ]
 * await cache.close();
 * ```
 */
export interface SetOptions {
  /** Time to live, more than 0; `Infinity` means for ever. Default: the cache's. */
  readonly ttl?: Duration;
  /** How long after its expiry the entry may be served stale, at least 0. Default: the cache's. */
  readonly staleFor?: Duration;
  /** Groups for `deleteByTag`: at most 16 names, together at most 1,024 bytes of UTF-8. */
  readonly tags?: readonly string[];
  /**
   * The caller's own order of writes of a key, a whole number of at least 0: a row's version, or
   * the time of its last change. A value is stored unless the entry there has a newer revision, or
   * a delete that carried this revision or a newer one came: then the outcome is "outdated". It
   * stays with the entry, also on disk and over restarts; a write without one ends it. Default:
   * none, so that the order of the calls counts.
   */
  readonly revision?: number;
}

/**
 * The options of one `setAsync`: those of `set`, and a signal. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import { openCache, type SetAsyncOptions } from "undercroft";
 *
 * const options: SetAsyncOptions = { ttl: "5m", signal: AbortSignal.timeout(10_000) };
 * const cache = await openCache<string>();
 * console.log(await cache.setAsync("page", "x".repeat(100_000), options)); // stored
 * await cache.close();
 * ```
 */
export interface SetAsyncOptions extends SetOptions {
  /** Ends this caller's wait, not the set: the value is stored all the same. */
  readonly signal?: AbortSignal;
}

/**
 * The options of one `fetch`: those of `set` for the loaded value, and how to load it. An unknown
 * option throws RangeError.
 *
 * @example
 * ```ts
 * import { type FetchOptions, openCache } from "undercroft";
 *
 * const options: FetchOptions = { ttl: "5m", timeout: { hard: "10s" }, negativeTtl: "30s" };
 * const cache = await openCache<string>();
 * console.log(await cache.fetch("user:8", async () => "Grace", options)); // Grace
 * await cache.close();
 * ```
 */
export interface FetchOptions<V = unknown, K = string | Uint8Array>
  extends Omit<SetOptions, "revision">, RefreshOptions {
  /**
   * Asked about each cached value before the fetch returns it, fresh or stale. If it answers false,
   * the value is loaded anew as if it had expired, one load over all threads, and given to the
   * loader as `stale`; the fetch never returns it, not even if the loader fails, and counts in
   * `stats().invalid`. What the fetch's own loader gives is not asked about. What a load gives that
   * was under way is asked about once: if it is refused the fetch looks again, and takes what the
   * next load gives. What `isValid` throws, the fetch rejects with.
   */
  readonly isValid?: IsValid<V, K>;
  /**
   * The revision of a loaded value (`SetOptions`). A value that is older than the entry there is
   * answered and not stored. Default: none.
   */
  revision?(this: void, value: V): number;
  /**
   * How long a loader may take, more than 0 and at most 2,147,483,647 ms, or `Infinity` (default)
   * for no limit. A duration, or `hard`: the loader is aborted and the fetch rejects with
   * ERR_LOADER_TIMEOUT, unless there is a value to serve; a fetch's wait until its loader may run
   * counts too. `soft`: a stale value is served, if there is one. What is not given, `soft` or
   * `hard`, is the cache's.
   */
  readonly timeout?: Duration | { readonly soft?: Duration; readonly hard?: Duration };
  /**
   * How long a loader's `undefined` is remembered, at least 0; 0: it is not remembered. Every
   * thread's fetch resolves to undefined for so long, unless the key is set or deleted, one of
   * `tags` invalidated, or the cache cleared, by any thread. It replaces an older value of the key.
   * Default: the cache's.
   */
  readonly negativeTtl?: Duration;
  /**
   * Loads even if there is a fresh value, which the loader gets as `stale`. Never joins a load that
   * has begun. Default false.
   */
  readonly forceRefresh?: boolean;
  /** Ends this caller's wait. Other callers that wait for the same load are not affected. */
  readonly signal?: AbortSignal;
}
