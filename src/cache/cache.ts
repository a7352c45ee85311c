// The class that users call: one cache, as one thread has it. Methods check that the cache is open
// and delegate to the entry reader, the entry writer and read-through (`fetch/`).
import { rejecting } from "../base/mod.js";
import {
  type FetchOptions,
  type ResolvedFetchOptions,
  type SetAsyncOptions,
  type SetOptions,
  assertKey,
  checkedKeys,
  resolveFetchOptions,
} from "../config/mod.js";
import {
  type CacheEntry,
  EntryReader,
  EntryWriter,
  flush,
  type SetOutcome,
  type ThreadCore,
  ValueDecoder,
} from "../entries/mod.js";
import type { Fetched, Loadable, LoadContext, Loader, ReadThrough } from "../fetch/mod.js";
import type { Key } from "../kernel/mod.js";
import type { CacheStats } from "../stats/mod.js";
import { fsyncOf, setEach, signalOf, splitSignal } from "./call-options.js";
import type { CacheEventName, CacheEvents, CacheListener, CacheRecovery } from "./events.js";
import type { CacheHandle } from "./handle.js";
import type { OpenerSide } from "./opener-side.js";
import { readThroughOf } from "./read-through-parts.js";
import { snapshotOf } from "./statistics.js";
import type { ThreadRegistration } from "./thread-registration.js";
import { assertNotAborted, withSignal } from "./with-signal.js";
import { memoised, type Wrapped, type WrapOptions, type WrappedFunction } from "./wrap.js";

/** What a cache is made of. Made by `openCache` and `attachCache`. */
export interface CacheParts {
  readonly core: ThreadCore;
  readonly events: CacheEvents;
  readonly handle: CacheHandle;
  /** Null in an attached thread. */
  readonly opener: OpenerSide | null;
  readonly registration: ThreadRegistration;
}

/**
 * One cache, as one thread has it. Other threads attach with `handle` and `attachCache`; a `set`,
 * `delete` or `clear` in one thread is visible to all when it returns.
 *
 * After `close`, every method but `off` and `close` fails with ERR_CACHE_CLOSED. A wrong key, value
 * or option throws TypeError or RangeError. Methods that return a promise reject instead.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 *
 * const cache = await openCache<{ name: string }>({ memory: "16mb", ttl: "1h" });
 * console.log(cache.set("user:7", { name: "Ada" })); // stored
 * console.log(cache.getSync("user:7")); // { name: 'Ada' }
 * console.log(cache.delete("user:7")); // true
 * console.log(await cache.get("user:7")); // undefined
 * await cache.close();
 * ```
 */
export class Cache<V = unknown> {
  readonly #core: ThreadCore;
  readonly #reader: EntryReader<V>;
  readonly #writer: EntryWriter<V>;
  readonly #readThrough: ReadThrough<V>;
  readonly #events: CacheEvents;
  readonly #handle: CacheHandle;
  readonly #opener: OpenerSide | null;
  readonly #registration: ThreadRegistration;
  #closing: Promise<void> | undefined;

  /** Internal: call `openCache` or `attachCache` instead. */
  constructor(parts: CacheParts) {
    const { core, events, handle, opener, registration } = parts;
    this.#core = core;
    this.#events = events;
    this.#handle = handle;
    this.#opener = opener;
    this.#registration = registration;
    const decoder = new ValueDecoder<V>(core);
    this.#reader = new EntryReader(core, decoder);
    this.#writer = new EntryWriter(core, this.#reader, decoder, handle.id, opener?.pool);
    this.#readThrough = readThroughOf(core, this.#reader, this.#writer, events, handle.id);
  }

  /** The `name` option of `openCache`; "default" if none was given. */
  get name(): string {
    return this.#core.config.name;
  }

  /** What was recovered from the directory at open; null for a cache in memory only. */
  get recovery(): CacheRecovery | null {
    return this.#handle.recovery;
  }

  /**
   * Returns the value if the near cache or shared memory has it, else undefined. Does no I/O and
   * never blocks. It does not find an entry that is only on disk; `get` does.
   */
  getSync(key: Key): V | undefined {
    return this.#reader.getSync(key);
  }

  /**
   * Resolves to the value from memory or disk, or to undefined. Concurrent reads of one key in a
   * thread share one disk read.
   *
   * When `signal` aborts, rejects with the signal's reason. Any number of calls may share a signal:
   * all those that wait have one listener on it together, and none that finds the value in memory.
   */
  async get(key: Key, options?: { readonly signal?: AbortSignal }): Promise<V | undefined> {
    if (options === undefined) return this.#reader.get(key);
    const signal = signalOf(options);
    assertNotAborted(signal);
    const found = this.#reader.get(key);
    const waits = signal !== undefined && found instanceof Promise;
    return waits ? withSignal(signal, found) : found;
  }

  /**
   * Resolves to the values found in memory or on disk, by key. Absent keys are left out. `signal`
   * as for `get`.
   */
  async getMany(
    keys: Iterable<Key>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Map<Key, V>> {
    this.#core.assertOpen();
    const signal = options === undefined ? undefined : signalOf(options);
    assertNotAborted(signal);
    const wanted = checkedKeys<Key>(keys);
    const looks = wanted.map((key) => this.#reader.get(key));
    const waits = signal !== undefined && looks.some((look) => look instanceof Promise);
    // What is in memory is no promise.
    const all = Promise.all(looks.map(async (look) => look));
    const values = await (waits ? withSignal(signal, all) : all);
    const found = new Map<Key, V>();
    for (const [index, value] of values.entries()) {
      if (value !== undefined) found.set(wanted[index] as Key, value);
    }
    return found;
  }

  /** Like `get`, but resolves to the value with its source, times, tags and size. */
  async getEntry(key: Key): Promise<CacheEntry<V> | undefined> {
    return this.#reader.getEntry(key);
  }

  /**
   * Returns whether the key is present. Exact for memory. For disk it checks only the index, which
   * reports about one absent key in 9,000 as present.
   */
  has(key: Key): boolean {
    return this.#reader.has(key);
  }

  /**
   * Stores a value, which every thread sees when `set` returns.
   *
   * @returns "stored"; "too-large" if the value takes more than a quarter of the segments or
   *   the key does not fit a segment; "overloaded" if no memory could be freed in time. In all
   *   three cases an older value of the key is removed.
   * @throws TypeError if `value` is undefined or the codec cannot store it.
   */
  set(key: Key, value: V, options?: SetOptions): SetOutcome {
    const outcome = this.#writer.set(key, value, options);
    this.#readThrough.forget(key);
    return outcome;
  }

  /**
   * Calls `set` for each pair, with the same options. Returns the outcomes in order. At an entry
   * that cannot be set it stops, and the error says how many were set before.
   */
  setMany(entries: Iterable<readonly [Key, V]>, options?: SetOptions): SetOutcome[] {
    this.#core.assertOpen();
    return setEach(entries, options, (key, value) => this.set(key, value, options));
  }

  /**
   * Like `set`, for large values: a worker compresses and publishes the value. The older value is
   * removed at once; the new one is visible when the promise resolves. A `set`, `delete` or `clear`
   * of the key in the meantime wins, and the promise still resolves to "stored".
   *
   * A Uint8Array that spans its whole ArrayBuffer is transferred, not copied: the caller's array is
   * empty afterwards. In an attached thread this is `set`: it neither compresses nor uses a worker.
   *
   * When `signal` aborts, rejects with the signal's reason. The value is stored all the same,
   * unless the signal had aborted before the call.
   */
  async setAsync(key: Key, value: V, options?: SetAsyncOptions): Promise<SetOutcome> {
    this.#core.assertOpen();
    const { signal, rest } = splitSignal(options);
    assertNotAborted(signal);
    assertKey(key);
    this.#readThrough.forget(key);
    const outcome = this.#writer.setAsync(key, value, rest);
    return signal === undefined ? outcome : withSignal(signal, outcome);
  }

  /**
   * Removes a key for every thread, now and after a restart. Returns true if it was present and not
   * expired.
   */
  delete(key: Key): boolean {
    const wasThere = this.#writer.delete(key);
    this.#readThrough.forget(key);
    return wasThere;
  }

  /** Calls `delete` for each key, once all are checked. Returns how many were present. */
  deleteMany(keys: Iterable<Key>): number {
    this.#core.assertOpen();
    let deleted = 0;
    for (const key of checkedKeys<Key>(keys)) if (this.delete(key)) deleted += 1;
    return deleted;
  }

  /**
   * Removes every entry for every thread, now and after a restart. Takes the same time however many
   * entries there are.
   */
  clear(): void {
    this.#writer.clear();
    this.#readThrough.forgetAll();
  }

  /**
   * Removes every entry that has the tag, or one of the tags, for every thread, now and after a
   * restart, and no other entry. Takes the same time however many entries there are, so it cannot
   * say how many it removed. A load under way with such a tag is not stored. If tags come faster
   * than sweeps make room for them, it waits, at most a second (`stats().tags`).
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache<string>();
   * cache.set("cart:7", "3 mugs", { tags: ["user:7"] });
   * cache.set("cart:8", "1 pen", { tags: ["user:8"] });
   * cache.deleteByTag("user:7");
   * console.log(cache.getSync("cart:7"), cache.getSync("cart:8")); // undefined 1 pen
   * await cache.close();
   * ```
   */
  deleteByTag(tags: string | readonly string[]): void {
    this.#writer.deleteByTag(tags);
    this.#readThrough.forgetAll();
  }

  /**
   * Resolves to the cached value, or runs `loader`, stores its value and resolves to that. Only one
   * loader runs per key at a time, over all threads; the other callers wait for it. A loader that
   * returns undefined stores no value (see `negativeTtl`); one that returns an `entry` says how
   * long its value lives. A loader's error rejects every waiting caller, unless there is a stale
   * value to serve.
   *
   * At once run `memory` / 4 KiB loaders, over all threads (16,384 at 64 MiB; 1,024 to 262,144). Up
   * to 262,144 more wait in each thread, at about 4 KiB of heap each. Without room a load that a
   * loader waits for is not stored (`stats().fillsRefused`). If loaders wait for each other in a
   * ring, over any threads, a fetch of theirs rejects with ERR_LOADER_CYCLE; not if by other means.
   *
   * An expired value within its `staleFor` is returned at once while the loader runs in the
   * background. If that fails, listeners of "error" get ERR_LOADER, and the next attempt comes
   * after 1 s, then 2 s, and so on up to a minute.
   *
   * The type is the loader's, as far as it tells kinds of V apart: in an untyped cache a number for
   * a loader of numbers, in a cache of a union those members that the loader may give.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache<string>();
   * const load = async (): Promise<string> => "loaded";
   * const [first, second] = await Promise.all([cache.fetch("a", load), cache.fetch("a", load)]);
   * console.log(first, second, cache.stats().loads); // loaded loaded 1
   * await cache.close();
   * ```
   */
  fetch<R extends Loadable<V>>(
    key: Key,
    loader: (context: LoadContext<V>) => R | PromiseLike<R>,
    options?: FetchOptions,
  ): Promise<Fetched<V, R>> {
    return rejecting(() => {
      this.#core.assertOpen();
      return this.#fetch(key, loader, resolveFetchOptions(options, this.#core.config));
    }) as Promise<Fetched<V, R>>;
  }

  #fetch(key: Key, loader: Loader<V>, options: ResolvedFetchOptions): Promise<V | undefined> {
    // A forced load skips the lookup that would reject a wrong key.
    if (options.forceRefresh) assertKey(key);
    return this.#readThrough.fetch(key, loader, options);
  }

  /**
   * Returns a memoised `fn`: each call is a `fetch` of `options.key(...args)` with `fn` as loader.
   * It has the parameters, name and length of `fn` and passes the receiver on: `fn` and `key` are
   * called with the `this` of the call, which counts for the value only if `key` says so. It always
   * returns a promise.
   *
   * @throws TypeError if `fn` or `options.key` is not a function.
   */
  wrap<F extends WrappedFunction<V>>(
    fn: F,
    options: WrapOptions<Parameters<F>, ThisParameterType<F>>,
  ): Wrapped<V, F> {
    this.#core.assertOpen();
    return memoised(fn, options, this.#core.config, (key, loader, resolved) => {
      this.#core.assertOpen();
      return this.#fetch(key, loader as Loader<V>, resolved);
    }) as unknown as Wrapped<V, F>;
  }

  /**
   * Resolves when everything that any thread wrote before this call survives a `kill -9` of the
   * process; with `fsync: true`, a power loss too. Without a disk tier it resolves at once. Rejects
   * with ERR_DISK_IO while the disk tier is down.
   */
  async flush(options?: { readonly fsync?: boolean }): Promise<void> {
    this.#core.assertOpen();
    const fsync = options !== undefined && fsyncOf(options);
    if (this.#core.disk !== null) await flush(this.#core, fsync);
  }

  /** Returns all counters, gauges and latencies of the cache, summed over all threads. */
  stats(): CacheStats {
    this.#core.assertOpen();
    return snapshotOf(this.#core);
  }

  /**
   * Calls `listener` at each event. Returns a function that removes the listener.
   *
   * "evict" and "expire" are emitted only in the thread that opened the cache, and only for entries
   * that the janitor removed. What a writer evicts in a foreground reclaim is counted in `stats()`
   * but not emitted.
   *
   * @throws RangeError if there is no such event, TypeError if `listener` is not a function.
   */
  on<Name extends CacheEventName>(event: Name, listener: CacheListener<Name>): () => void {
    this.#core.assertOpen();
    return this.#events.on(event, listener);
  }

  /** Removes a listener. Does nothing after `close`, which removes them all. */
  off<Name extends CacheEventName>(event: Name, listener: CacheListener<Name>): void {
    this.#events.off(event, listener);
  }

  /**
   * Returns what another thread of the process needs to attach. It can be posted, passed as
   * `workerData` or set as environment data.
   */
  handle(): CacheHandle {
    this.#core.assertOpen();
    return this.#handle;
  }

  /**
   * Closes the cache. Idempotent.
   *
   * In the thread that opened it: flushes, writes the snapshot of the index and releases the
   * directory; every other thread gets ERR_CACHE_CLOSED from then on. Rejects with ERR_DISK_IO if
   * the directory could not be left clean. In an attached thread: waits for this thread's disk
   * reads, then gives its thread id back; the cache stays open for the others.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const core = this.#core;
    core.close();
    this.#readThrough.abortAll(core.closedError());
    if (this.#opener !== null) {
      await this.#opener.close();
      this.#registration.end();
      return;
    }
    // A disk read that ends uses this thread's id, so it must end before another thread claims it.
    const reads = core.disk?.settled();
    if (reads !== undefined) await reads;
    this.#registration.leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
