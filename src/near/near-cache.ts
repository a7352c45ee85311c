// The near cache: decoded values of one thread, called by the entry reader. All values are in the
// near table, which has the bounds. Values without tags that were hit again are also in the
// identity index (interned keys) or in the near hash index (fresh keys). The two indexes look at no
// slot, so they answer only while the invalidation reader says that everything is current.
// Invariant: after the near epoch has changed (a clear, or segment generations that wrap)
// everything is dropped before any lookup.
//
// The namespaces of a cache share the table, its bounds and the near hash index: each has a near
// cache over them, with its own key window. Only the cache's own key space has an identity index.
import type { Clock } from "../base/mod.js";
import type { Config } from "../config/mod.js";
import type { Kernel, KernelVerbs, KeyWindow } from "../kernel/mod.js";
import { counterNearEvictions } from "../stats/mod.js";
import { IdentityIndex } from "./identity-index.js";
import { InvalidationReader } from "./invalidation-reader.js";
import { KeyIdentityDetector } from "./key-identity-detector.js";
import { NearHashIndex } from "./near-hash-index.js";
import { NearTable, type NearWord } from "./near-table.js";

/** The number of sampled keys, which show whether callers intern their strings while there is no
 *  identity index: one key in 64 to one in 256, chosen by hash. A string is known as interned by
 *  the hash it got at an earlier lookup here, so the same few keys are sampled. They enter no
 *  index, so that all their hits come by here. */
const sampledKeys = 256;
const [sampledKeysShiftMin, sampledKeysShiftMax] = [6, 8];
/** One hit in this many, counted over all keys, is timed. */
const sampledHits = 512;

/** What the near caches of one thread share. */
interface NearStore {
  readonly table: NearTable;
  readonly hashIndex: NearHashIndex;
  readonly invalidations: InvalidationReader;
  readonly near: NonNullable<Config["near"]>;
  /** The near epoch of everything that is kept. */
  epoch: number;
  /** Of the cache's own key space. */
  readonly root: NearCache;
}

export class NearCache {
  readonly #kernel: Kernel;
  readonly #verbs: KernelVerbs;
  readonly #keys: KeyWindow;
  readonly #clock: Clock;
  readonly #table: NearTable;
  readonly #detector = new KeyIdentityDetector();
  readonly #invalidations: InvalidationReader;
  readonly #store: NearStore;
  readonly #space: number;
  readonly #identity = new IdentityIndex();
  /** The identity index's values; null while the index is off. */
  #identityValues: IdentityIndex["values"] | null = null;
  readonly #hashIndex: NearHashIndex;
  readonly #sampledKeysMask: number;
  readonly #sampledHitsMask: number;
  #hits = 0;

  constructor(
    kernel: Kernel,
    keys: KeyWindow,
    near: NonNullable<Config["near"]>,
    clock: Clock,
    store?: NearStore,
  ) {
    this.#kernel = kernel;
    this.#verbs = kernel.verbs;
    this.#keys = keys;
    this.#clock = clock;
    const shift = Math.ceil(Math.log2(near.maxEntries / sampledKeys));
    const keysPerSample = 2 ** Math.min(Math.max(shift, sampledKeysShiftMin), sampledKeysShiftMax);
    this.#sampledKeysMask = keysPerSample - 1;
    this.#sampledHitsMask = sampledHits / keysPerSample - 1;
    this.#space = keys.space;
    this.#store = store ?? {
      table: new NearTable(kernel.results, near.maxEntries, near.maxBytes),
      hashIndex: new NearHashIndex(keys.words, near.maxEntries, clock),
      invalidations: new InvalidationReader(kernel, this),
      near,
      epoch: kernel.control.nearEpoch(),
      root: this,
    };
    this.#table = this.#store.table;
    this.#hashIndex = this.#store.hashIndex;
    this.#invalidations = this.#store.invalidations;
  }

  /** The near cache of a namespace, whose keys `keys` takes: over what this one keeps. */
  within(keys: KeyWindow): NearCache {
    return new NearCache(this.#kernel, keys, this.#store.near, this.#clock, this.#store);
  }

  /** Values kept. */
  get count(): number {
    return this.#table.count;
  }

  /** Encoded bytes that the kept values stand for. */
  get bytes(): number {
    return this.#table.bytes;
  }

  /** Whether kept values are what the cache holds now; false once the cache is closed. Call it
   *  before each `find`. */
  isCurrent(): boolean {
    return this.#invalidations.isCurrent();
  }

  /** Ends the near cache: this thread has left the cache, and nothing is current again. */
  end(): void {
    this.#invalidations.end();
    this.drop();
  }

  /** The value of a key, if it is kept and fresh. `isCurrent` is what `isCurrent()` has just
   *  answered. After a miss the key is in the key window, which says whether the kernel has hashed
   *  it and counted the hit. The cache must be open. */
  find(key: string, isCurrent: boolean): unknown {
    const keys = this.#keys;
    if (!isCurrent) {
      keys.write(key);
      return this.findBySlot(key);
    }
    const interned = this.#identityValues;
    if (interned !== null) {
      const value = interned.get(key);
      if (value !== undefined) return value;
    }
    keys.write(key);
    const value = this.#hashIndex.find(keys.hash, keys.extent, key);
    return value === undefined ? this.findBySlot(key) : value;
  }

  /** The value of the key just written to the key window, if the table has it for the slot's
   *  word. */
  findBySlot(key: string): unknown {
    if (!this.#keys.findNear()) return undefined;
    const { control } = this.#kernel;
    if (control.nearEpoch() !== this.#store.epoch) this.drop();
    const table = this.#table;
    const position = table.find(key, this.#space);
    if (position < 0) return undefined;
    const tagEpoch = table.tagEpochAt(position);
    // A tagged entry is kept until any tag is invalidated. The next lookup in memory says whether
    // that was one of its own tags.
    if (tagEpoch !== null && tagEpoch !== control.tagEpoch()) return undefined;
    const expiresMs = table.expiresAt(position);
    if (expiresMs !== Infinity && expiresMs <= this.#clock.now()) return undefined;
    if (tagEpoch === null) this.#noteHit(key, position, expiresMs);
    return table.valueAt(position);
  }

  /** Moves a value that was hit by its slot into an index; the hits of sampled keys go to the
   *  detector. */
  #noteHit(key: string, position: number, expiresMs: number): void {
    const { results, control } = this.#kernel;
    const identity = this.#identity;
    const isRoot = this.#space === 0;
    if (isRoot && !identity.isOn && (results.hashHigh & this.#sampledKeysMask) === 0) {
      if ((++this.#hits & this.#sampledHitsMask) === 0) this.#judge(key);
      return;
    }
    // `mayKeepNear` checks this too; this check saves the call. In a small cache all keys are
    // sampled.
    if (control.isSampled(results.hashLow) || this.#verbs.mayKeepNear() !== 1) return;
    const table = this.#table;
    const value = table.valueAt(position);
    if (identity.isOn && expiresMs === Infinity) {
      identity.add(key, value);
      return;
    }
    const number = table.numberAt(position);
    const { hash, extent } = this.#keys;
    const own = table.keyAt(position);
    table.setNumber(position, this.#hashIndex.add(hash, extent, own, value, expiresMs, number));
  }

  /** While the identity index is on: adds a key, before it is looked up, to the sample that says
   *  whether callers still intern their strings. */
  observe(key: string): void {
    if (this.#identity.isOn) this.#judge(key);
  }

  #judge(key: string): void {
    const { isOn, values } = this.#identity;
    this.indexKeys(this.#detector.observe(key, isOn ? values : null));
  }

  /** Turns the identity index on or off. */
  indexKeys(isWanted: boolean): void {
    if (isWanted === this.#identity.isOn) return;
    this.invalidateAll();
    if (isWanted) this.#identity.begin(this.#table.count);
    else this.#identity.end();
    this.#identityValues = isWanted ? this.#identity.values : null;
  }

  // ── What the invalidation reader tells ──────────────────────────────────────────────────────

  /** Whether both indexes are empty. */
  isEmpty(): boolean {
    return this.#hashIndex.isEmpty && this.#identity.values.size === 0;
  }

  /** Takes the entries with this low half of a hash out of the indexes. */
  invalidate(hashLow: number): void {
    for (const position of this.#table.positionsOf(hashLow)) this.#removeFromIndexes(position);
  }

  /** Empties both indexes. */
  invalidateAll(): void {
    this.#identity.clear();
    this.#hashIndex.clear();
  }

  #removeFromIndexes(position: number): void {
    const key = this.#table.keyAt(position);
    // Guarded, since a Map hashes the string for this even when it is empty.
    const { root } = this.#store;
    if (root.#identity.isOn && this.#table.spaceAt(position) === 0) {
      root.#identity.values.delete(key);
    }
    this.#hashIndex.remove(this.#table.numberAt(position), key);
  }

  // ── Keeping ─────────────────────────────────────────────────────────────────────────────────

  /** Keeps a value, with the slot's word that it was decoded from and the low half of its key's
   *  hash. `key` must be a string of its own: a substring would keep the larger string alive. */
  keep(
    word: NearWord,
    hash: number,
    key: string,
    value: unknown,
    expiresMs: number,
    bytes: number,
  ): void {
    const table = this.#table;
    if (!table.takes(bytes)) return;
    const position = table.positionFor(hash, key);
    // No other position of this key could be vacated.
    const isOther = table.keyAt(position) !== key || table.spaceAt(position) !== this.#space;
    if (table.isTaken(position) && isOther) this.#countEviction();
    this.#remove(position);
    table.put(position, word, hash, key, value, expiresMs, bytes, this.#space);
    while (table.isOverfull) {
      const victim = table.nextVictim(position);
      if (victim < 0) return;
      this.#remove(victim);
      this.#countEviction();
    }
  }

  #countEviction(): void {
    this.#kernel.count(counterNearEvictions, 1);
  }

  #remove(position: number): void {
    if (!this.#table.isTaken(position)) return;
    this.#removeFromIndexes(position);
    this.#table.remove(position);
  }

  /** Drops everything and gives the memory back: after a clear or a close nothing of the callers'
   *  may stay alive. */
  drop(): void {
    this.#store.root.#identity.clear();
    this.#hashIndex.release();
    this.#table.clear();
    this.#store.epoch = this.#kernel.control.nearEpoch();
  }
}
