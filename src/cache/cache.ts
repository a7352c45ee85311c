// The cache as a thread holds it: the one class users call. It checks that the cache is open and hands on; what is done
// stands in the reader, the writer and read-through.
import {
  type FetchOptions,
  type ResolvedFetchOptions,
  type SetOptions,
  assertKey,
  resolveFetchOptions,
} from "../config/mod.js";
import {
  type CacheEntry,
  EntryReader,
  EntryWriter,
  flush,
  type SetOutcome,
  type StoreInPool,
  type ThreadCore,
  ValueDecoder,
} from "../entries/mod.js";
import { type LoadContext, type Loader, ReadThrough, SharedFlights } from "../fetch/mod.js";
import type { Key } from "../kernel/mod.js";
import { type CacheStats, histogramLoad } from "../stats/mod.js";
import { fsyncOf, signalOf } from "./call-options.js";
import type { CacheEventName, CacheEvents, CacheListener } from "./events.js";
import type { CacheHandle } from "./handle.js";
import type { OpenerSide } from "./opener-side.js";
import { snapshotOf } from "./statistics.js";
import type { ThreadRegistration } from "./thread-registration.js";
import { withSignal } from "./with-signal.js";

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
  readonly opener: OpenerSide | null;
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
  readonly #opener: OpenerSide | null;
  readonly #registration: ThreadRegistration;
  #closing: Promise<void> | undefined;

  /** Not for users: `openCache` and `attachCache` make caches. */
  constructor(parts: CacheParts) {
    const { core, events, handle, opener, registration } = parts;
    this.#core = core;
    this.#events = events;
    this.#handle = handle;
    this.#opener = opener;
    this.#registration = registration;
    const storeInPool: StoreInPool | undefined =
      opener === null ? undefined : (task) => opener.pool.store(task);
    const decoder = new ValueDecoder<V>(core);
    this.#reader = new EntryReader(core, decoder);
    this.#writer = new EntryWriter(core, this.#reader, decoder, handle.id, storeInPool);
    this.#readThrough = new ReadThrough({
      reader: this.#reader,
      writer: this.#writer,
      flights: new SharedFlights(core),
      meter: {
        count: (counter, amount) => core.kernel.count(counter, amount),
        sampleLoad: (nanoseconds) => core.sample(histogramLoad, nanoseconds),
      },
      clock: core.clock,
    });
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
   *  entry whose tags share a place with tags that were removed after it was stored may go too (docs/internals/memory.md). */
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
    this.#core.assertOpen();
    const fsync = options !== undefined && fsyncOf(options);
    if (this.#core.disk !== null) await flush(this.#core, fsync);
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
    if (this.#opener !== null) {
      await this.#opener.close();
      this.#registration.end();
      return;
    }
    // What such a read does when it ends, it does with this thread's place, which another must not have by then.
    const reads = core.disk?.settled();
    if (reads !== undefined) await reads;
    this.#registration.leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
