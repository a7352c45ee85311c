// The class that users call: one cache, as one thread has it. The calls with keys are the key
// space's; here is what concerns the cache as a whole.
import type { NamespaceOptions } from "./spaces/namespace-options.js";
import type { Size } from "../config/mod.js";
import {
  diskCapacityOf,
  flush,
  resize,
  type ResizeOutcome,
  segmentsOf,
  type ThreadCore,
} from "../entries/mod.js";
import type { Key } from "../kernel/mod.js";
import type { CacheStats } from "../stats/mod.js";
import { fsyncOf, sizesToResize } from "./call-options.js";
import type { CacheEventName, CacheEvents, CacheListener, CacheRecovery } from "./events.js";
import type { CacheHandle } from "./handle.js";
import { KeySpace } from "./spaces/key-space.js";
import type { Namespace } from "./spaces/namespace.js";
import { Namespaces } from "./spaces/namespaces.js";
import type { KeyedEntries } from "./operators/operators-keys.js";
import type { OpenerSide } from "./opener-side.js";
import { closeThread } from "./outer/closing-order.js";
import { OthersEnds } from "./outer/others-ends.js";
import type { OuterSide } from "./outer/outer-side.js";
import type { SharedSide } from "./outer/shared-side.js";
import type { SpaceParts } from "./spaces/space-parts.js";
import { snapshotOf } from "./statistics.js";
import type { ThreadRegistration } from "./thread-registration.js";

/** What a cache is made of. Made by `openCache` and `attachCache`. */
export interface CacheParts {
  readonly core: ThreadCore;
  readonly events: CacheEvents;
  readonly handle: CacheHandle;
  /** Null in an attached thread. */
  readonly opener: OpenerSide | null;
  /** Null without the option `tiers`. */
  readonly outer: OuterSide | null;
  readonly registration: ThreadRegistration;
  /** In the opener of a process that shares its directory; else null. */
  readonly shared: SharedSide | null;
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
export class Cache<V = unknown> extends KeySpace<V, Key> {
  readonly #events: CacheEvents;
  readonly #handle: CacheHandle;
  readonly #parts: CacheParts;
  readonly #namespaces: Namespaces;
  #closing: Promise<void> | undefined;

  /** Internal: call `openCache` or `attachCache` instead. */
  constructor(parts: CacheParts) {
    const { core, events, handle, opener, outer } = parts;
    const own: SpaceParts = {
      core,
      cacheId: handle.id,
      pool: opener?.pool,
      outer,
      refreshFailed: (key, error) => events.emit("error", { error, key }),
    };
    super(own, null);
    this.#events = events;
    this.#handle = handle;
    this.#parts = parts;
    this.#namespaces = new Namespaces(own, events);
    outer?.connect(
      new OthersEnds(core, {
        key: (namespace, key) => {
          if (namespace === "") this.readThrough.forget(key);
          else this.#namespaces.forget(namespace, key);
        },
        all: () => this.#forgetAll(),
      }),
    );
    // What an earlier session left on disk, others may have changed since.
    if (outer?.isShared === true && opener !== null) {
      opener.tookOver = () => this.invalidator.clearHere();
      if (core.directory !== null) this.invalidator.clearHere();
    }
  }

  /** The `name` option of `openCache`; "default" if none was given. */
  get name(): string {
    return this.core.config.name;
  }

  /**
   * What was recovered from the directory at open, or when it was taken over
   * (`DiskOptions.whenLocked`); null for a cache in memory only, and until then. A thread that
   * attached before the take-over keeps null.
   */
  get recovery(): CacheRecovery | null {
    const { opener, shared } = this.#parts;
    return shared?.recovery ?? opener?.recovery ?? this.#handle.recovery;
  }

  /**
   * Returns a namespace: a view of this cache with its own key space, defaults, functions and
   * statistics. The same name is the same namespace in every thread, and after a restart. The first
   * call in a thread may bring options; a later one without any returns the same object.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * type User = { id: number };
   * const cache = await openCache();
   * const users = cache.namespace<string, User>("users", {
   *   key: ({ id }) => `u${id}`,
   *   load: async ({ key }) => `user ${key.id}`,
   *   ttl: "1h",
   * });
   * console.log(await users.fetch({ id: 7 })); // user 7
   * console.log(users.getSync({ id: 7 }), cache.has("u7")); // user 7 false
   * users.clear();
   * console.log(users.has({ id: 7 })); // false
   * await cache.close();
   * ```
   */
  namespace<W = unknown, K = Key>(name: string, options?: NamespaceOptions<W, K>): Namespace<W, K> {
    this.core.assertOpen();
    return this.#namespaces.get(name, options);
  }
  /** Internal: what operators may do with keys; undefined if there is no such namespace. */
  spaceOf(name: string): KeyedEntries | undefined {
    const space = name === "" ? this : this.#namespaces.plain(name);
    if (space === undefined) return undefined;
    // No later fetch joins a load that the namespace itself has under way.
    const forget = (key: Key): void => this.#namespaces.forget(name, key);
    return {
      getEntry: (key) => space.getEntry(key),
      updateAsync: async (key, compute, options) => {
        const outcome = await space.updateAsync(key, compute as never, options);
        forget(key);
        return outcome;
      },
      delete: (key) => {
        const wasThere = space.delete(key);
        forget(key);
        return wasThere;
      },
    };
  }

  /**
   * Removes every entry, of the namespaces too, for every thread, now and after a restart. Takes
   * the same time however many entries there are.
   */
  clear(): void {
    this.invalidator.clear();
    this.#forgetAll();
  }

  #forgetAll(): void {
    this.readThrough.forgetAll();
    this.#namespaces.forgetAll();
  }

  /**
   * Removes every entry that has the tag, or one of the tags, in any namespace, for every thread,
   * now and after a restart, and no other entry. Takes the same time however many entries there
   * are, so it cannot say how many it removed. A load under way with such a tag is not stored. If
   * tags come faster than sweeps make room for them, it waits, at most a second (`stats().tags`).
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
    this.invalidator.deleteByTag(tags);
    this.#forgetAll();
  }

  /**
   * Makes the memory in use, the disk, or both smaller or larger while the cache is used, up to the
   * most that they were opened with (`{ now, most }`), and resolves to what is in force. Shrinking
   * evicts, as want of room does.
   *
   * - Memory: what is not on disk yet is flushed first. The system gets no pages back that were
   *   used once.
   * - Disk: to shrink, what is oldest leaves until the rest fits, the rest is moved together, and
   *   the files that are left over are deleted before it resolves. To grow, the file system must
   *   have room for what is added.
   *
   * @throws TypeError or RangeError for a size that cannot be, with what can. Rejects with
   *   ERR_DISK_IO if the disk tier is down or a file cannot be made or emptied, with
   *   ERR_DIRECTORY_LOCKED while another cache has the directory; the disk keeps its capacity then.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache({ memory: { now: "16mb", most: "64mb" } });
   * console.log((await cache.resize({ memory: "64mb" })).memory.now); // 67108864
   * await cache.close();
   * ```
   */
  async resize(options: { readonly memory?: Size; readonly disk?: Size }): Promise<ResizeOutcome> {
    const { core } = this;
    core.assertOpen();
    const { memoryBytes, disk } = core.config;
    const wanted = sizesToResize(options, {
      memory: memoryBytes,
      disk: disk?.capacityBytes ?? null,
    });
    // Both are checked before either changes.
    const segments =
      wanted.memory && segmentsOf("memory", wanted.memory, options.memory, core.kernel);
    const diskBytes = wanted.disk && diskCapacityOf(core, wanted.disk, options.disk);
    return resize(core, { segments, diskBytes });
  }

  /**
   * Resolves when everything that any thread wrote before this call survives a `kill -9` of the
   * process; with `fsync: true`, a power loss too. Without a disk tier it resolves at once. Rejects
   * with ERR_DISK_IO while the disk tier is down, and, with `fsync` or without, once a sync has
   * failed: the next open starts empty then. With ERR_DIRECTORY_LOCKED while another cache has the
   * directory.
   */
  async flush(options?: { readonly fsync?: boolean }): Promise<void> {
    this.core.assertOpen();
    const fsync = options !== undefined && fsyncOf(options);
    if (this.core.disk !== null) await flush(this.core, fsync);
    await this.#parts.outer?.flush(fsync ? "fsync" : "disk");
  }

  /** Returns all counters, gauges and latencies of the cache, summed over all threads. */
  stats(): CacheStats {
    this.core.assertOpen();
    return snapshotOf(this.core, this.#parts.outer);
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
    this.core.assertOpen();
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
    this.core.assertOpen();
    const { recovery } = this;
    return recovery === this.#handle.recovery ? this.#handle : { ...this.#handle, recovery };
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
    const core = this.core;
    core.close();
    this.readThrough.abortAll(core.closedError());
    this.#namespaces.abortAll(core.closedError());
    await closeThread(this.#parts, this.#namespaces.settled());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
