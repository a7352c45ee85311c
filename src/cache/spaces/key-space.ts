// The calls that take keys, for the cache's own key space and for each namespace: the classes that
// users call extend this one. Methods check that the cache is open and delegate to the entry
// reader, the entry writer and read-through (`fetch/`).
import { assertNotAborted, rejecting, withSignal } from "../../base/mod.js";
import type { AnyLoader, Walked } from "../../bulk/mod.js";
import {
  type DeleteOptions,
  type FetchOptions,
  type ResolvedFetchOptions,
  type SetAsyncOptions,
  type SetOptions,
  assertKey,
  checkedKeys,
  resolveDeleteOptions,
  resolveFetchOptions,
} from "../../config/mod.js";
import {
  byWallClock,
  type CacheEntry,
  EntryInvalidator,
  EntryReader,
  EntryUpdater,
  EntryWriter,
  type Gate,
  type SetOutcome,
  type ThreadCore,
  ValueDecoder,
} from "../../entries/mod.js";
import type { Fetched, Loadable, LoadContext, Loader, ReadThrough } from "../../fetch/mod.js";
import type { Key } from "../../kernel/mod.js";
import { setEach, signalOf, splitSignal } from "../call-options.js";
import type { KeyFunctions } from "./key-functions.js";
import { readThroughOf } from "../read-through-parts.js";
import { StreamCalls } from "../writes/stream-calls.js";
import type { OuterSide } from "../outer/outer-side.js";
import type { SpaceParts } from "./space-parts.js";
import { memoised, type Wrapped, type WrapOptions, type WrappedFunction } from "../wrap.js";

/**
 * Keys and their entries, as one thread has them: the cache's own, or a namespace's. K is what the
 * caller names an entry by.
 */
export abstract class KeySpace<V, K> extends StreamCalls<V, K> {
  /** Internal, like the next four. */
  protected readonly core: ThreadCore;
  protected readonly decoder: ValueDecoder<V>;
  protected readonly reader: EntryReader<V>;
  /** Also asks the tiers, if there are any. */
  protected readonly looks: Pick<EntryReader<V>, "get" | "getEntry">;
  protected readonly writer: EntryWriter<V>;
  protected readonly invalidator: EntryInvalidator;
  protected readonly readThrough: ReadThrough<V>;
  protected readonly updater: EntryUpdater<V>;
  protected readonly lease: Gate | null;
  readonly #outer: OuterSide | null;
  /** Null if K is a key itself. */
  readonly #functions: KeyFunctions<V, K> | null;

  /** Internal: as that of `Cache`. */
  constructor(given: SpaceParts, functions: KeyFunctions<V, K> | null) {
    super();
    const { core, refreshFailed, cacheId, pool, outer } = given;
    this.core = core;
    this.#functions = functions;
    this.decoder = new ValueDecoder<V>(core);
    this.reader = outer?.entriesOf(core, this.decoder) ?? new EntryReader(core, this.decoder);
    this.#outer = outer;
    this.lease = outer?.lease ?? null;
    this.writer = new EntryWriter(core, this.reader, this.decoder, cacheId, pool);
    this.invalidator = new EntryInvalidator(core);
    this.updater = new EntryUpdater(core, this.writer, new ValueDecoder<V>(core, true));
    const tiers = outer?.readerOf(core, this.reader) ?? null;
    this.looks = tiers ?? this.reader;
    const settle = (): Promise<void> | undefined => outer?.settle();
    const parts = { core, refreshFailed, cacheId, tiers, settle };
    this.readThrough = readThroughOf(this.reader, this.writer, parts);
  }

  /** Internal: no later fetch joins a load that has begun. */
  forgetAll(): void {
    this.readThrough.forgetAll();
  }

  /** Internal: as `forgetAll`, of one key. */
  forgetLoad(key: Key): void {
    this.readThrough.forget(key);
  }

  /** Internal: rejects all waiting fetches. */
  abortAll(error: Error): void {
    this.readThrough.abortAll(error);
  }

  /** Internal: as `Cache.deleteByTag`, of a tag that loads of this thread never have. */
  endTag(tag: string): void {
    this.invalidator.deleteByTag(tag);
  }

  /** Internal: resolves when no disk read is in progress; undefined if none is. */
  settled(): Promise<void> | undefined {
    return this.core.disk?.settled();
  }

  /** Internal: nothing while a process that shares its directory may not answer from memory. */
  protected override answerable<T>(walk: Walked<T>): Walked<T> {
    return this.#outer === null ? walk : this.#outer.answerable(walk);
  }

  /** The key of what the caller names an entry by. */
  protected keyOf(key: K): Key {
    return this.#functions === null ? (key as Key) : this.#functions.keyOf(key);
  }

  /** Each of `keys` with its key, all checked. */
  protected keysOf(keys: Iterable<K>): { readonly given: readonly K[]; readonly keys: Key[] } {
    const given: K[] = [];
    const checked = checkedKeys<Key, K>(keys, (key) => {
      given.push(key);
      return this.keyOf(key);
    });
    return { given, keys: checked };
  }

  /**
   * Returns the value if the near cache or shared memory has it, else undefined. Does no I/O and
   * never blocks. It does not find an entry that is only on disk; `get` does.
   */
  getSync(key: K): V | undefined {
    return this.reader.getSync(this.#functions === null ? (key as Key) : this.keyOf(key));
  }

  /**
   * Resolves to the value from memory or disk, or to undefined. Concurrent reads of one key in a
   * thread share one disk read.
   *
   * When `signal` aborts, rejects with the signal's reason. Any number of calls may share a signal:
   * all those that wait have one listener on it together, and none that finds the value in memory.
   */
  async get(key: K, options?: { readonly signal?: AbortSignal }): Promise<V | undefined> {
    const name = this.keyOf(key);
    if (options === undefined) return this.looks.get(name);
    const signal = signalOf(options);
    assertNotAborted(signal);
    const found = this.looks.get(name);
    const waits = signal !== undefined && found instanceof Promise;
    return waits ? withSignal(signal, found) : found;
  }

  /** Like `get`, but resolves to the value with its source, times, tags and size. */
  async getEntry(key: K): Promise<CacheEntry<V> | undefined> {
    const entry = await this.looks.getEntry(this.keyOf(key));
    return entry === undefined ? undefined : byWallClock(entry, this.core.clockAheadMs);
  }

  /**
   * Returns whether the key is present. Exact for memory. For disk it checks only the index, which
   * reports about one absent key in 9,000 as present.
   */
  has(key: K): boolean {
    return this.reader.has(this.keyOf(key));
  }

  /**
   * Stores a value, which every thread sees when `set` returns.
   *
   * @returns "stored"; "too-large" if the value takes more than a quarter of the segments or
   *   the key does not fit a segment; "overloaded" if no memory could be freed in time. In all
   *   three cases an older value of the key is removed. With a `revision` also "outdated": the key
   *   has a newer one, and nothing has changed; if the record of an entry on disk cannot be read,
   *   so that nobody knows which is older, both are gone ("overloaded").
   * @throws TypeError if `value` is undefined or the codec cannot store it.
   */
  set(key: K, value: V, options?: SetOptions): SetOutcome {
    const name = this.keyOf(key);
    const outcome = this.writer.set(name, value, this.tagged(key, options));
    this.readThrough.forget(name);
    return outcome;
  }

  /**
   * Calls `set` for each pair, with the same options. Returns the outcomes in order. At an entry
   * that cannot be set it stops, and the error says how many were set before. It does not wait: of
   * more than memory has room for, what the disk has not taken yet makes the rest "overloaded".
   * `await warm(entries, options)` waits for the disk and loses none.
   */
  setMany(entries: Iterable<readonly [K, V]>, options?: SetOptions): SetOutcome[] {
    this.core.assertOpen();
    return setEach(entries, options, (key, value) => this.set(key, value, options));
  }

  /**
   * Like `set`, for large values: a worker compresses and publishes the value. The older value is
   * removed at once; the new one is visible when the promise resolves. A `set`, `delete` or `clear`
   * of the key in the meantime wins, and the promise still resolves to "stored".
   *
   * A Uint8Array that spans its whole ArrayBuffer is transferred, not copied: the caller's array is
   * empty afterwards. In an attached thread, or with a `revision`, this is `set`: it neither
   * compresses nor uses a worker.
   *
   * When `signal` aborts, rejects with the signal's reason. The value is stored all the same,
   * unless the signal had aborted before the call.
   */
  async setAsync(key: K, value: V, options?: SetAsyncOptions): Promise<SetOutcome> {
    this.core.assertOpen();
    const { signal, rest } = splitSignal(options);
    assertNotAborted(signal);
    const name = this.keyOf(key);
    assertKey(name);
    this.readThrough.forget(name);
    const outcome = this.#settled(this.writer.setAsync(name, value, this.tagged(key, rest)));
    return signal === undefined ? outcome : withSignal(signal, outcome);
  }

  async #settled<T>(change: Promise<T>): Promise<T> {
    const outcome = await change;
    await this.#outer?.settle();
    return outcome;
  }

  /**
   * Removes a key for every thread, now and after a restart. Returns true if it was present and not
   * expired. With a `revision`, an entry with a newer one stays, and false is returned.
   */
  delete(key: K, options?: DeleteOptions): boolean {
    const revision = options === undefined ? undefined : resolveDeleteOptions(options);
    return this.#delete(this.keyOf(key), revision);
  }

  /** Calls `delete` for each key, once all are checked. Returns how many were present. */
  deleteMany(keys: Iterable<K>): number {
    this.core.assertOpen();
    let deleted = 0;
    for (const key of this.keysOf(keys).keys) if (this.#delete(key)) deleted += 1;
    return deleted;
  }

  #delete(key: Key, revision?: number): boolean {
    const wasThere = this.writer.delete(key, revision);
    this.readThrough.forget(key);
    return wasThere;
  }

  /** The options of a set with the tags of the key, unless they have their own. */
  protected tagged<Options extends Pick<SetOptions, "tags">>(
    key: K,
    options: Options | undefined,
  ): Options | Pick<SetOptions, "tags"> | undefined {
    return this.#functions === null ? options : this.#functions.tagged(key, options);
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
   * An expired value within its `staleFor`, or a fresh one older than `refreshAfter`, is returned
   * at once while the loader runs in the background. If that fails, listeners of "error" get
   * ERR_LOADER, and the next attempt comes after 1 s, then 2 s, and so on up to a minute.
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
    key: K,
    loader: (context: LoadContext<V, K>) => R | PromiseLike<R>,
    options?: FetchOptions<Fetched<V, R>, K>,
  ): Promise<Fetched<V, R>> {
    return this.fetchBy(key, loader, options) as Promise<Fetched<V, R>>;
  }

  /**
   * Like `fetch`, but returns the value itself if it is in memory, and else a promise. What is
   * wrong (a key, an option, a closed cache, an `isValid` that throws) rejects as with `fetch`.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache<string>();
   * const load = async (): Promise<string> => "loaded";
   * console.log(await cache.getOrFetch("a", load), cache.getOrFetch("a", load)); // loaded loaded
   * await cache.close();
   * ```
   */
  getOrFetch<R extends Loadable<V>>(
    key: K,
    loader: (context: LoadContext<V, K>) => R | PromiseLike<R>,
    options?: FetchOptions<Fetched<V, R>, K>,
  ): Fetched<V, R> | Promise<Fetched<V, R>> {
    type Answer = Fetched<V, R> | Promise<Fetched<V, R>>;
    return this.getOrFetchBy(key, loader, options) as Answer;
  }

  /** Internal: `fetch` with a loader of its own or a bound one. */
  protected fetchBy(
    key: K,
    loader: AnyLoader,
    options: FetchOptions<never, never> | undefined,
  ): Promise<V | undefined> {
    return rejecting(() => {
      this.core.assertOpen();
      return this.fetchNamed(key, loader, resolveFetchOptions(options, this.core.defaults));
    });
  }

  /** Internal: as `fetchBy`. */
  protected getOrFetchBy(
    key: K,
    loader: AnyLoader,
    options: FetchOptions<never, never> | undefined,
  ): V | Promise<V | undefined> {
    return rejecting(() => {
      this.core.assertOpen();
      const resolved = resolveFetchOptions(options, this.core.defaults);
      const name = this.keyOf(key);
      const functions = this.#functions;
      if (functions === null) {
        return this.readThrough.getOrFetch(name, loader as Loader<V>, resolved);
      }
      const named = functions.loaderOf(key, loader as Loader<V, K>);
      return this.readThrough.getOrFetch(name, named, functions.optionsOf(key, resolved));
    });
  }

  /** Internal: a fetch with checked options; `looked` as for `ReadThrough.fetch`. */
  protected fetchNamed(
    key: K,
    loader: AnyLoader,
    options: ResolvedFetchOptions,
    looked?: () => void,
  ): Promise<V | undefined> {
    const functions = this.#functions;
    const name = this.keyOf(key);
    if (functions === null) {
      return this.readThrough.fetch(name, loader as Loader<V>, options, looked);
    }
    const named = functions.loaderOf(key, loader as Loader<V, K>);
    return this.readThrough.fetch(name, named, functions.optionsOf(key, options), looked);
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
    options: WrapOptions<
      Parameters<F>,
      ThisParameterType<F>,
      K,
      Fetched<V, Awaited<ReturnType<F>>>
    >,
  ): Wrapped<V, F> {
    this.core.assertOpen();
    return memoised<K>(fn, options, this.core.defaults, (key, loader, resolved) => {
      this.core.assertOpen();
      return this.fetchNamed(key, loader, resolved);
    }) as unknown as Wrapped<V, F>;
  }
}
