// The near cache: decoded values of one thread, called by the entry reader. All values are in the
// near table, which has the bounds. An entry answers while its slot shows the word that its value
// was decoded from, which the kernel compares. One without tags whose hits need not be counted any
// more is trusted: it answers without a look at its slot, while the invalidation reader says that
// all is current. With interned keys such values are in the identity index instead. Invariant:
// after a near epoch has ended (clear, generations that wrap) all is dropped before any lookup.
//
// Keeping a value costs a part of a decode, so only one that is asked for again is kept, and only
// in place of one that was not used meanwhile: a refusal takes the hand about one entry on, so in a
// loop over more keys than there is room for little changes, and what is kept goes on to pay.
//
// The namespaces of a cache share the table and its bounds: each has a near cache over them, with
// its own key window. Only the cache's own key space has an identity index.
import type { Clock } from "../base/mod.js";
import type { Config } from "../config/mod.js";
import type { Kernel, KernelVerbs, KeyWindow } from "../kernel/mod.js";
import type { RecordReader } from "../record/mod.js";
import { counterNearEvictions } from "../stats/mod.js";
import { IdentityIndex } from "./identity-index.js";
import { InvalidationReader } from "./invalidation-reader.js";
import { KeyIdentityDetector } from "./key-identity-detector.js";
import { NearAdmission } from "./near-admission.js";
import { NearKey, type NearWord } from "./near-rows.js";
import { NearTable } from "./near-table.js";

/** The number of sampled keys, which show whether callers intern their strings while there is no
 *  identity index: one key in 64 to one in 256, chosen by hash. A string is known as interned by
 *  the hash it got at an earlier lookup here, so the same few keys are sampled. They are not
 *  trusted, so that all their hits come by here. */
const sampledKeys = 256;
const [sampledKeysShiftMin, sampledKeysShiftMax] = [6, 8];
/** One hit in this many, counted over all keys, is timed. */
const sampledHits = 512;

/** Refusals after which the hand passes one entry more at each. */
const refusalsPerStep = 64;
/** Heap that a value of plain data takes for each byte of its encoding: measured are 2 to 5. */
const heapPerByte = 4;

/** What the near caches of one thread share. */
interface NearStore {
  readonly table: NearTable;
  readonly admission: NearAdmission;
  readonly invalidations: InvalidationReader;
  readonly near: NonNullable<Config["near"]>;
  /** Values that were refused since one was kept in place of another. */
  refusals: number;
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
  readonly #sampledKeysMask: number;
  readonly #sampledHitsMask: number;
  #hits = 0;
  /** The key window's write count when a lookup met an entry whose value was not current. */
  #outdatedAt = -1;
  /** Near hits counted when `wants` was called last. */
  #hitsSeen = 0;
  /** The key that is to be kept, and the ticket for it. */
  readonly #wanted = new NearKey();
  #ticket = 0;

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
      table: new NearTable(keys.words, near.maxEntries, near.maxBytes),
      admission: new NearAdmission(),
      invalidations: new InvalidationReader(kernel, this),
      near,
      refusals: 0,
      epoch: kernel.control.nearEpoch(),
      root: this,
    };
    this.#table = this.#store.table;
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

  /** About what all this takes of the heap: the table, and values as large as plain data is. */
  get heapBytes(): number {
    return this.#table.heapBytes + heapPerByte * this.#table.bytes;
  }

  // ── Looking ─────────────────────────────────────────────────────────────────────────────────

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
   *  answered. After a miss the key is in the key window, which says what the kernel has found
   *  already. The cache must be open. */
  find(key: string, isCurrent: boolean): unknown {
    const keys = this.#keys;
    if (isCurrent) {
      const interned = this.#identityValues;
      if (interned !== null) {
        const value = interned.get(key);
        if (value !== undefined) return value;
      }
    }
    keys.write(key);
    const position = this.#table.find(this.#hash(), keys.extent, key);
    if (position < 0) return undefined;
    const value = isCurrent ? this.#table.trustedAt(position) : undefined;
    return value === undefined ? this.#findAt(key, position, isCurrent) : value;
  }

  /** The same for an entry that expires or is not trusted. */
  #findAt(key: string, position: number, isCurrent: boolean): unknown {
    const table = this.#table;
    const number = table.numberAt(position);
    const isTrusted = isCurrent && table.isTrusted(number);
    if (!isTrusted || this.#hasExpired(number)) return this.#findBySlot(key, number, position);
    table.refer(number);
    return table.valueAt(position);
  }

  /** The hash by which the table knows the key just written: the key window's own, or for a long
   *  key the kernel's. */
  #hash(): number {
    const keys = this.#keys;
    return keys.hash === 0 ? keys.kernelHash() : keys.hash;
  }

  #hasExpired(number: number): boolean {
    const expiresMs = this.#table.expiresOf(number);
    return expiresMs !== Infinity && expiresMs <= this.#clock.now();
  }

  /** The value of an entry, if the key's slot still shows the word that it was decoded from. */
  #findBySlot(key: string, number: number, position: number): unknown {
    const table = this.#table;
    const { control } = this.#kernel;
    const isThere = this.#keys.findKnown(table.lowOf(number), table.highOf(number));
    this.#outdatedAt = this.#keys.writes;
    if (!isThere) return undefined;
    if (control.nearEpoch() !== this.#store.epoch) {
      this.drop();
      return undefined;
    }
    const tagEpoch = table.tagEpochOf(number);
    // A tagged entry is kept until any tag is invalidated. The next lookup in memory says whether
    // that was one of its own tags.
    if (tagEpoch !== null && tagEpoch !== control.tagEpoch()) return undefined;
    if (this.#hasExpired(number)) return undefined;
    table.refer(number);
    const value = table.valueAt(position);
    if (tagEpoch === null) this.#noteHit(key, number, value);
    return value;
  }

  /** The value kept of the key just written, if it was decoded from the record just found in
   *  memory: `low` and `high` are its slot's word. */
  valueOf(key: string, low: number, high: number): unknown {
    if (this.#kernel.control.nearEpoch() !== this.#store.epoch) this.drop();
    const table = this.#table;
    const position = table.find(this.#hash(), this.#keys.extent, key);
    if (position < 0) return undefined;
    const number = table.numberAt(position);
    this.#outdatedAt = this.#keys.writes;
    if (table.lowOf(number) !== (low | 0) || table.highOf(number) !== (high | 0)) return undefined;
    table.refer(number);
    return table.valueAt(position);
  }

  /** Trusts an entry that was hit by its slot, if that may be; the hits of sampled keys go to the
   *  detector. */
  #noteHit(key: string, number: number, value: unknown): void {
    const { results, control } = this.#kernel;
    const identity = this.#identity;
    const isRoot = this.#space === 0;
    if (isRoot && !identity.isOn && (results.hashHigh & this.#sampledKeysMask) === 0) {
      if ((++this.#hits & this.#sampledHitsMask) === 0) this.#judge(key);
      return;
    }
    // `mayKeepNear` checks this too. In a small cache all keys are sampled.
    if (control.isSampled(results.hashLow) || this.#verbs.mayKeepNear() !== 1) return;
    const table = this.#table;
    if (identity.isOn && table.expiresOf(number) === Infinity) {
      identity.add(key, value);
      table.setInterned(number, true);
    } else {
      table.trust(number);
    }
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

  /** Whether nothing answers without a look at its slot. */
  isEmpty(): boolean {
    return this.#table.trusted === 0 && this.#identity.values.size === 0;
  }

  /** From now on the entries with this low half of a hash answer by their slots only. */
  invalidate(hashLow: number): void {
    const table = this.#table;
    let number = table.nextOf(hashLow, 0);
    for (; number !== 0; number = table.nextOf(hashLow, number)) {
      table.distrust(number);
      this.#takeFromIdentity(number);
      table.takeReference(number);
    }
  }

  /** The same for all entries. */
  invalidateAll(): void {
    this.#identity.clear();
    this.#table.distrustAll();
  }

  /** Takes an entry out of the identity index; false if it is not there. */
  #takeFromIdentity(number: number): boolean {
    const table = this.#table;
    if (!table.isInterned(number)) return false;
    table.setInterned(number, false);
    return this.#store.root.#identity.values.delete(table.textOf(number));
  }

  // ── Keeping ─────────────────────────────────────────────────────────────────────────────────

  /** After a lookup in memory of a key that was not near: a ticket to keep its value with, once it
   *  is decoded; 0 if that is not worth it. The record of the key is in `record`, and `hashLow` is
   *  of the kernel's hash. `hits` are the near hits of this key space so far. */
  wants(record: RecordReader, hashLow: number, hits: number): number {
    const { size } = record;
    const isFree = this.#table.hasRoomFor(size);
    const isAdmitted = this.#store.admission.admits(hits - this.#hitsSeen, hashLow, isFree);
    this.#hitsSeen = hits;
    // If it has an entry, it was worth it before.
    const isOutdated = this.#outdatedAt === this.#keys.writes;
    if (!isOutdated && !(isAdmitted && this.#hasRoomFor(size))) return 0;
    // A hashed key was loaded as bytes.
    if (this.#keys.hash === 0) this.#keys.write(record.keyText());
    this.#take(hashLow);
    if (this.#wanted.isLong) this.#wanted.text = record.keyText();
    return this.#ticket;
  }

  /** Whether there is room for a value, or the entry at the hand may go for it. If not, the hand
   *  goes on: by one entry, or by more once many were refused, for a few keys that all ask for. */
  #hasRoomFor(bytes: number): boolean {
    const table = this.#table;
    if (!table.takes(bytes)) return false;
    if (table.hasRoomFor(bytes)) return true;
    this.#store.refusals += 1;
    const steps = 1 + this.#store.refusals / refusalsPerStep;
    for (let step = 1; step <= steps; step++) {
      const number = table.entryAtHand();
      if (number === 0 || !this.#spare(number)) {
        this.#store.refusals = 0;
        return true;
      }
      table.passHand();
    }
    return false;
  }

  /** Notes the key just written as the one to be kept. */
  #take(hashLow: number): void {
    const keys = this.#keys;
    this.#wanted.take(this.#hash(), keys.extent, hashLow, keys.words);
    this.#ticket += 1;
  }

  /** Keeps a value, with the slot's word that it was decoded from. Nothing happens if another
   *  ticket was given out since, by a codec that called the cache. */
  keep(ticket: number, word: NearWord, value: unknown, expiresMs: number, bytes: number): void {
    const table = this.#table;
    const key = this.#wanted;
    if (ticket !== this.#ticket || !table.takes(bytes)) return;
    for (let number = table.nextOf(key.hashLow, 0); number !== 0;) {
      const next = table.nextOf(key.hashLow, number);
      if (table.isSameKey(number, key)) this.#remove(number);
      number = next;
    }
    const obstacle = table.obstacleOf(key.hash);
    if (obstacle !== 0) this.#evict(obstacle);
    const kept = table.put(key, word, value, expiresMs, bytes);
    this.#store.admission.pay();
    while (table.isOverfull) {
      const victim = table.entryAtHand();
      if (victim === kept || this.#spare(victim)) table.passHand();
      else this.#evict(victim);
    }
  }

  /** Keeps a value that was just loaded and stored, if there is room for it. `key` must be a string
   *  of its own: a substring would keep the larger string alive. It is in the key window after. */
  keepLoaded(
    word: NearWord,
    hashLow: number,
    key: string,
    value: unknown,
    expiresMs: number,
    bytes: number,
  ): void {
    if (!this.#hasRoomFor(bytes)) return;
    this.#keys.write(key);
    this.#take(hashLow);
    if (this.#wanted.isLong) this.#wanted.text = key;
    this.keep(this.#ticket, word, value, expiresMs, bytes);
  }

  /** Whether the entry at the hand was used since the hand was there. Forgets it: the next time the
   *  hand comes it must have been used again. Hits in the identity index leave no mark, so an entry
   *  leaves that, and the next hit finds it in the table. */
  #spare(number: number): boolean {
    const isInterned = this.#takeFromIdentity(number);
    return this.#table.takeReference(number) || isInterned;
  }

  #evict(number: number): void {
    this.#remove(number);
    this.#kernel.count(counterNearEvictions, 1);
  }

  #remove(number: number): void {
    this.#takeFromIdentity(number);
    this.#table.remove(number);
  }

  /** Drops everything and gives the memory back: nothing of the callers' may stay alive. */
  drop(): void {
    this.#store.root.#identity.clear();
    this.#table.clear();
    this.#store.epoch = this.#kernel.control.nearEpoch();
  }
}
