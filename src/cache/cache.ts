// The cache as a thread holds it: the one class users call. It checks that the cache is open and hands on; what is done
// stands in the reader, the writer and read-through.
import { UndercroftError } from "../base/mod.js";
import type { FetchOptions, ResolvedFetchOptions, SetOptions } from "../config/mod.js";
import { assertKey, resolveFetchOptions } from "../config/mod.js";
import { layout as at } from "../kernel/mod.js";
import type { CacheStats } from "../stats/mod.js";
import { raiseTicket, waitForTicket } from "./barrier.js";
import { type CacheEntry, EntryReader } from "./entry-reader.js";
import { EntryWriter, type SetOutcome, type StoreInPool } from "./entry-writer.js";
import type { CacheEventName, CacheEvents, CacheListener } from "./events.js";
import type { Key, LoadContext, Loader } from "./fill-store.js";
import type { CacheHandle } from "./handle.js";
import { FillAdapter } from "./fill-adapter.js";
import type { Owner } from "./owner.js";
import type { ThreadRegistration } from "./thread-registration.js";
import { ReadThrough } from "./read-through.js";
import { fsyncOf, signalOf } from "./call-options.js";
import { snapshotOf } from "./statistics.js";
import type { ThreadCore } from "./thread-core.js";
import { withSignal } from "./with-signal.js";

/** A flush that takes longer than this rejects: the janitor is stuck. */
const flushTimeoutMs = 120_000;

/** Options of `wrap`: how a call's key is made, and those of `fetch`. */
export interface WrapOptions<A extends readonly unknown[]> extends FetchOptions {
  /** The key of a call with these arguments. */
  readonly key: (...args: A) => string;
}

/** What a cache is made of; `openCache` and `attachCache` make it. */
export interface CacheParts {
  readonly core: ThreadCore;
  readonly events: CacheEvents;
  readonly handle: CacheHandle;
  /** Null in a thread that attached. */
  readonly owner: Owner | null;
  readonly registration: ThreadRegistration;
}

/**
 * One cache, as one thread holds it. Every thread of the process may hold the same cache (`handle`, `attachCache`); what
 * one sets or deletes, all see at once. Every method throws ERR_CACHE_CLOSED after `close`, and TypeError or RangeError
 * for a key, value or option that is none.
 */
export class Cache<V = unknown> {
  readonly #core: ThreadCore;
  readonly #reader: EntryReader<V>;
  readonly #writer: EntryWriter<V>;
  readonly #readThrough: ReadThrough<V>;
  readonly #events: CacheEvents;
  readonly #handle: CacheHandle;
  readonly #owner: Owner | null;
  readonly #registration: ThreadRegistration;
  #closing: Promise<void> | undefined;

  /** Not for users: `openCache` and `attachCache` make caches. */
  constructor(parts: CacheParts) {
    const { core, events, handle, owner, registration } = parts;
    this.#core = core;
    this.#events = events;
    this.#handle = handle;
    this.#owner = owner;
    this.#registration = registration;
    const storeInPool: StoreInPool | undefined =
      owner === null ? undefined : (task) => owner.pool.store(task);
    this.#reader = new EntryReader(core);
    this.#writer = new EntryWriter(core, this.#reader, handle.id, storeInPool);
    this.#readThrough = new ReadThrough(new FillAdapter(core, this.#reader, this.#writer));
  }

  /** The name given at open. */
  get name(): string {
    return this.#core.config.name;
  }

  /** The value if this thread or shared memory has it, else undefined. Synchronous, without any I/O: an entry that is
   *  on disk only is not found; `get` finds it. */
  getSync(key: Key): V | undefined {
    return this.#reader.getSync(key);
  }

  /** The value from memory or disk, undefined if there is none. Concurrent reads of one key share one disk read. */
  async get(key: Key, options?: { readonly signal?: AbortSignal }): Promise<V | undefined> {
    if (options === undefined) return this.#reader.get(key);
    const signal = signalOf(options);
    if (signal === undefined) return this.#reader.get(key);
    return withSignal(signal, () => this.#reader.get(key));
  }

  /** The values of those keys that are there, by key. */
  async getMany(keys: Iterable<Key>): Promise<Map<Key, V>> {
    this.#core.assertOpen();
    const wanted = [...keys];
    const values = await Promise.all(wanted.map((key) => this.#reader.get(key)));
    const found = new Map<Key, V>();
    for (const [index, value] of values.entries()) {
      if (value !== undefined) found.set(wanted[index] as Key, value);
    }
    return found;
  }

  /** The value with what is known of its entry, undefined if there is none. */
  async getEntry(key: Key): Promise<CacheEntry<V> | undefined> {
    return this.#reader.getEntry(key);
  }

  /** Whether the key is there: exact for memory; for disk the index's word, which takes about one absent key in 9,000
   *  for present. */
  has(key: Key): boolean {
    return this.#reader.has(key);
  }

  /** Stores a value; visible to every thread when it returns. Answers "stored", or why not: "too-large" (larger than a
   *  quarter of the memory), "overloaded" (no room until the janitor catches up). Whatever the answer, an older value
   *  of the key is gone. */
  set(key: Key, value: V, options?: SetOptions): SetOutcome {
    const outcome = this.#writer.set(key, value, options);
    this.#readThrough.forget(key);
    return outcome;
  }

  /** `set` for each pair, with the same options; the outcomes in order. */
  setMany(entries: Iterable<readonly [Key, V]>, options?: SetOptions): SetOutcome[] {
    this.#core.assertOpen();
    const outcomes: SetOutcome[] = [];
    for (const [key, value] of entries) outcomes.push(this.set(key, value, options));
    return outcomes;
  }

  /** As `set`, for large values: they are compressed and published in the pool. The older value is gone at once, the new
   *  one is there when the promise resolves. A `set`, `delete` or `clear` that comes meanwhile wins. A Uint8Array that is
   *  the whole of its ArrayBuffer is moved, not copied. In a thread that attached, it is `set`. */
  async setAsync(key: Key, value: V, options?: SetOptions): Promise<SetOutcome> {
    this.#core.assertOpen();
    assertKey(key);
    this.#readThrough.forget(key);
    return this.#writer.setAsync(key, value, options);
  }

  /** Removes a key, visible to every thread at once and for good; true if it was there. */
  delete(key: Key): boolean {
    const wasThere = this.#writer.delete(key);
    this.#readThrough.forget(key);
    return wasThere;
  }

  /** `delete` for each key; answers how many were there. */
  deleteMany(keys: Iterable<Key>): number {
    this.#core.assertOpen();
    let deleted = 0;
    for (const key of keys) if (this.delete(key)) deleted += 1;
    return deleted;
  }

  /** Removes everything, visible to every thread at once and for good, in time that does not grow with the entries. */
  clear(): void {
    this.#writer.clear();
    this.#readThrough.forgetAll();
  }

  /** Removes every entry with this tag, or one of these, visible to every thread at once and for good, in time that does
   *  not grow with the entries; how many there were is not known. What is being loaded with such a tag is not stored. An
   *  entry whose tags share a place with tags that were removed after it was stored may go too (docs/shared-memory.md). */
  deleteByTag(tags: string | readonly string[]): void {
    this.#writer.deleteByTag(tags);
    this.#readThrough.forgetAll();
  }

  /** The value of a key from the cache, or from `loader`, whose value fills the cache; see ReadThrough.fetch for what
   *  happens to errors, time limits and stale values. One loader runs per key at a time, over all threads. */
  fetch(
    key: Key,
    loader: (context: LoadContext<V>) => V | PromiseLike<V>,
    options?: FetchOptions,
  ): Promise<V>;
  fetch(key: Key, loader: Loader<V>, options?: FetchOptions): Promise<V | undefined>;
  async fetch(key: Key, loader: Loader<V>, options?: FetchOptions): Promise<V | undefined> {
    this.#core.assertOpen();
    return this.#fetch(key, loader, resolveFetchOptions(options, this.#core.config));
  }

  #fetch(key: Key, loader: Loader<V>, options: ResolvedFetchOptions): Promise<V | undefined> {
    // A forced load looks for no entry first, where a wrong key would be noticed.
    if (options.forceRefresh) assertKey(key);
    return this.#readThrough.fetch(key, loader, options);
  }

  /** A function that remembers its results: `fetch` with `fn` as the loader. */
  wrap<A extends readonly unknown[]>(
    fn: (...args: A) => V | undefined | PromiseLike<V | undefined>,
    options: WrapOptions<A>,
  ): (...args: A) => Promise<V | undefined> {
    this.#core.assertOpen();
    const { key, ...rest } = options;
    if (typeof fn !== "function" || typeof key !== "function") {
      throw new TypeError("Cannot wrap a function: fn and options.key must be functions");
    }
    const resolved = resolveFetchOptions(rest, this.#core.config);
    return async (...args) => {
      this.#core.assertOpen();
      return this.#fetch(key(...args), () => fn(...args), resolved);
    };
  }

  /** Resolves when everything written before it, by any thread, survives a kill of the process; with `fsync`, a power
   *  loss too. Resolves at once for a cache in memory only. Rejects with ERR_DISK_IO while the disk tier is down. */
  async flush(options?: { readonly fsync?: boolean }): Promise<void> {
    const core = this.#core;
    core.assertOpen();
    const fsync = options !== undefined && fsyncOf(options);
    if (core.tier === null) return;
    const { i32 } = core.kernel.views;
    const ticket = (Atomics.add(i32, at.controlFlushRequested / 4, 1) + 1) | 0;
    if (fsync) raiseTicket(i32, at.controlFlushSync / 4, ticket);
    core.kernel.verbs.ring();
    const check = (): void => {
      if (Atomics.load(i32, at.controlState / 4) === at.stateClosed) throw core.closedError();
    };
    await waitForTicket(i32, at.controlFlushDone / 4, ticket, flushTimeoutMs, check);
    const failed = Atomics.load(i32, at.controlFlushFailed / 4);
    if (((failed - ticket) | 0) >= 0) throw diskDown();
    if (fsync) await waitForTicket(i32, at.controlSyncDone / 4, ticket, flushTimeoutMs, check);
    const isUp = Atomics.load(i32, at.controlDiskUp / 4) === 1;
    if (isUp && !(fsync && Atomics.load(i32, at.controlSyncFailed / 4) === 1)) return;
    throw diskDown();
  }

  /** Every counter, gauge and latency of the cache, of all threads together, as one plain object. */
  stats(): CacheStats {
    this.#core.assertOpen();
    return snapshotOf(this.#core);
  }

  /** Calls `listener` at each event of this thread's cache; returns a function that ends it. `evict` and `expire` are told in
   *  the thread that opened the cache, after the fact, for entries that the janitor removes; those that a writer's own
   *  eviction removes, since no segment was free, are counted in `stats()` and not told. */
  on<Name extends CacheEventName>(event: Name, listener: CacheListener<Name>): () => void {
    this.#core.assertOpen();
    return this.#events.on(event, listener);
  }

  /** Ends what `on` began; may be called after `close`, which ended it already. */
  off<Name extends CacheEventName>(event: Name, listener: CacheListener<Name>): void {
    this.#events.off(event, listener);
  }

  /** What another thread needs to attach: may be posted, put in workerData or in the environment data. */
  handle(): CacheHandle {
    this.#core.assertOpen();
    return this.#handle;
  }

  /** In the thread that opened the cache: flushes, writes the index down and releases the directory; other threads get
   *  ERR_CACHE_CLOSED from then on. In a thread that attached: detaches, when its reads from disk that are under way have
   *  ended. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const core = this.#core;
    core.close();
    this.#readThrough.abortAll(core.closedError());
    if (this.#owner !== null) {
      await this.#owner.close();
      this.#registration.end();
      return;
    }
    // What such a read does when it ends, it does with this thread's place, which another must not have by then.
    const reads = core.tier?.settled();
    if (reads !== undefined) await reads;
    this.#registration.leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function diskDown(): UndercroftError {
  return new UndercroftError("ERR_DISK_IO", "Cannot flush: the disk tier is down");
}
