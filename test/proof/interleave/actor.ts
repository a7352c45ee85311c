// What one thread of a scenario can do, written down in the history as it does it. The work is done by the real memory
// store, evictor, flusher and recovery, as coroutines; reading from disk is written here after tiers/disk-tier.ts.

import type { NearCache } from "../../../src/cache/near-cache.js";
import type { KernelVerbs } from "../../../src/kernel/mod.js";
import type { MemoryStore, WriteOutcome } from "../../../src/memory/mod.js";
import type { EvictionPolicy } from "../../../src/policy/mod.js";
import { valueOf, versionOf } from "./entry-value.js";
import type { Operation } from "./history.js";
import { $element, $run, alone, pause, type Coroutine } from "./suspension.js";
import type { SteppedThread, Stepped } from "./thread.js";
import { DiskWork } from "./disk-work.js";
import { diskUnits, type World } from "./world.js";

interface SteppedStore extends Omit<Stepped<MemoryStore>, "keys" | "record" | "connect"> {
  readonly keys: Stepped<MemoryStore["keys"]> & { readonly at: number; readonly hash: number };
  readonly record: MemoryStore["record"];
  readonly connect: (...args: Parameters<MemoryStore["connect"]>) => Coroutine;
}

interface SteppedEvictor {
  evictOne(now: number, diskUp: boolean, ruthless: boolean): Coroutine<boolean>;
}

interface SteppedNear {
  find(key: string, keyHash: number, keyBytes: number): Coroutine<unknown>;
  keep(...args: unknown[]): Coroutine;
  indexKeys(isWanted: boolean): Coroutine;
  readonly invalidations: { isCurrent(): Coroutine<boolean> };
  readonly identity: NearCache["identity"];
  readonly hashIndex: NearCache["hashIndex"];
}

/** S3-FIFO without a memory of its own, so that every schedule begins alike. */
const keepsWhatWasHit: EvictionPolicy = {
  victim: ({ oldestSmall }) => (oldestSmall === Infinity ? "main" : "small"),
  decide: (log, _hash, _size, frequency) =>
    frequency === 0 ? -1 : log === "small" ? 0 : frequency - 1,
};

const noTags = new Uint8Array(0);

export class Actor {
  readonly name: string;
  readonly thread: SteppedThread;
  readonly store: SteppedStore;
  readonly verbs: Stepped<KernelVerbs>;
  readonly #world: World;
  readonly #disk: DiskWork;
  readonly #evictor: SteppedEvictor;
  readonly #near: SteppedNear;

  constructor(world: World, thread: SteppedThread, name: string) {
    this.name = name;
    this.thread = thread;
    this.verbs = thread.verbs;
    this.#world = world;
    const { MemoryStore: Store } = world.rooms.memory;
    this.store = new Store(thread.kernel) as unknown as SteppedStore;
    this.#disk = new DiskWork(world, thread, (key) => this.#hashOf(key));
    const writeTombstone = ((location: number) =>
      this.#disk.writeTombstone(location)) as unknown as () => void;
    const { Evictor } = world.rooms.evictor as {
      Evictor: new (...args: unknown[]) => SteppedEvictor;
    };
    this.#evictor = new Evictor(thread.kernel, keepsWhatWasHit, writeTombstone);
    const { NearCache } = world.rooms.nearCache as {
      NearCache: new (...args: unknown[]) => SteppedNear;
    };
    const room = { mode: "shared", maxEntries: 4, maxBytes: 4096 };
    this.#near = new NearCache(thread.kernel, room, { now: () => 0 });
    const assist = (() => this.#assist()) as unknown as () => boolean;
    alone(this.store.connect(writeTombstone, assist));
  }

  /** Another key with the same home bucket. */
  *neighbourOf(key: string): Coroutine<string> {
    const home = yield* this.#home(key);
    for (const other of "bcdefghijklmnopqrstuvwxyz") {
      if (other !== key && (yield* this.#home(other)) === home) return other;
    }
    throw new Error(`"${key}" is alone in its bucket`);
  }

  *#home(key: string): Coroutine<number> {
    const [, high] = yield* this.#hashOf(key);
    return Math.floor((high * this.thread.kernel.geometry.bucketCount) / 2 ** 32);
  }

  /** In a setup: throws unless the home of `key` counts as many displaced entries, which the scenario is about. */
  *holdDisplaced(key: string, wanted: number): Coroutine {
    const home = yield* this.#home(key);
    const { bucketBase } = this.thread.kernel.geometry;
    const word = bucketBase + home * this.at.bucketSize + this.at.bucketDisplaced;
    const counted = this.thread.kernel.views.u32[word / 4];
    if (counted === wanted) return;
    throw new Error(`the setup displaces ${counted} entries of the home of "${key}"`);
  }

  get at(): World["at"] {
    return this.#world.at;
  }

  /** Sets a word of the control block, in a setup. */
  word(offset: number, value: number): void {
    this.thread.kernel.views.i32[offset / 4] = value;
  }

  /** Lets a segment have had all lives but one until its generation comes round, as if they had passed unseen. */
  skipLives(segment: number): void {
    const { at } = this.#world;
    const entry = (at.segmentTable + segment * at.segmentEntrySize) / 4;
    const words = this.thread.kernel.views.i32;
    const lives = 2 ** at.locationGenerationBits;
    const generation = (entry * 4 + at.segmentGeneration) / 4;
    words[generation] = (words[generation] as number) + lives - 1;
  }

  /** The janitor's sleep, without the timeout it has: wakes when the bell has changed since it looked. */
  *awaitSealed(wanted: number): Coroutine {
    const { at } = this.#world;
    const { i32 } = this.thread.kernel.views;
    const { segmentCount } = this.thread.kernel.geometry;
    for (;;) {
      const bell = Atomics.load(i32, yield* $element(i32, at.controlDoorbell / 4, false));
      let sealed = 0;
      for (let segment = 0; segment < segmentCount; segment++) {
        const entry = (at.segmentTable + segment * at.segmentEntrySize) / 4;
        if (Atomics.load(i32, yield* $element(i32, entry, false)) === at.segmentSealed) sealed += 1;
      }
      if (sealed >= wanted) return;
      while (Atomics.load(i32, yield* $element(i32, at.controlDoorbell / 4, false)) === bell) {
        yield* $element(i32, at.controlDoorbell / 4, null);
      }
    }
  }

  #begin(kind: Operation["kind"], key: string, version: number): Operation {
    return this.#world.history.begin(kind, key, version, this.name);
  }

  *#write(
    key: string,
    version: number,
    flight: number,
    expiresMs: number,
    tag: string,
  ): Coroutine<WriteOutcome> {
    const { encodeTags } = this.#world.rooms.record;
    const fields = {
      codecId: 0,
      flags: 0,
      createdMs: 1000,
      expiresMs,
      staleUntilMs: expiresMs,
      tags: tag === "" ? noTags : encodeTags([tag]),
      flight,
      forDisk: true,
    };
    const keyBytes = yield* this.store.keys.write(key);
    return yield* this.store.write(key, keyBytes, valueOf(key, version), fields);
  }

  *set(key: string, expiresMs: number = Infinity, tag: string = ""): Coroutine {
    const version = this.#world.history.nextVersion();
    const operation = this.#begin("set", key, version);
    const outcome = yield* this.#write(key, version, -1, expiresMs, tag);
    // Whatever the outcome, an older value of the key is gone.
    if (outcome !== "stored") operation.kind = "gone";
    this.#world.history.end(operation);
  }

  *delete(key: string): Coroutine {
    const operation = this.#begin("gone", key, 0);
    yield* this.store.remove(yield* this.store.keys.write(key));
    this.#world.history.end(operation);
  }

  *clear(keys: readonly string[]): Coroutine {
    const operations = keys.map((key) => this.#begin("gone", key, 0));
    yield* this.verbs.clear();
    for (const operation of operations) this.#world.history.end(operation);
  }

  /** `keys` are those whose values have the tag. */
  *deleteByTag(tag: string, keys: readonly string[]): Coroutine {
    const operations = keys.map((key) => this.#begin("gone", key, 0));
    yield* this.verbs.invalidateTag(this.#world.rooms.record.tagHash(Buffer.from(tag)));
    for (const operation of operations) this.#world.history.end(operation);
  }

  /** A load that nobody joins: the flight begins, the source is read, the value is published. */
  *fill(key: string, tag: string = ""): Coroutine {
    const version = this.#world.history.nextVersion();
    const begin = this.#begin("begin", key, version);
    yield* this.#hashOf(key);
    const flight = yield* this.verbs.beginFlight();
    this.#world.history.end(begin);
    yield* this.#publish(key, flight, begin, tag);
  }

  /** A load that other threads join: leads it, or sleeps, without a timeout, until who leads it is done. */
  *load(key: string): Coroutine {
    const { at } = this.#world;
    const version = this.#world.history.nextVersion();
    const begin = this.#begin("begin", key, version);
    yield* this.#hashOf(key);
    const answer = yield* this.verbs.enterFlight(0, Infinity);
    this.#world.history.end(begin);
    if (answer >= 0) {
      this.#holdLeads(key, answer);
      return yield* this.#publish(key, answer, begin, "");
    }
    begin.counts = false;
    if (answer > at.answerFollow) {
      yield* this.get(key);
      return;
    }
    const flight = at.answerFollow - answer;
    const { i32 } = this.thread.kernel.views;
    const word = (at.flightTable + flight * at.flightSize) / 4;
    const turnWord = word + at.flightSignal / 4;
    for (;;) {
      const turn = i32[yield* $element(i32, turnWord, false)];
      const state = i32[yield* $element(i32, word + at.flightState / 4, false)] as number;
      if ((state & at.flightStateMask) === at.flightDone) break;
      while (i32[yield* $element(i32, turnWord, false)] === turn) {
        yield* $element(i32, turnWord, null);
      }
    }
    yield* this.verbs.leaveFlight(flight);
    yield* this.get(key);
  }

  /** Throws if another thread leads a load of the key that this one could have joined. */
  #holdLeads(key: string, flight: number): void {
    const { at } = this;
    const { u32 } = this.thread.kernel.views;
    const fields = [at.flightState, at.flightHash, at.flightHash + 4, at.flightKind];
    const shown = (number: number): string =>
      String(fields.map((field) => u32[(at.flightTable + number * at.flightSize + field) / 4]));
    for (let other = 0; other < at.flightsMax; other++) {
      if (other === flight || shown(other) !== shown(flight)) continue;
      throw new Error(`flights ${flight} and ${other} both lead the load of "${key}"`);
    }
  }

  /** The two halves of a key's hash, which is in the thread's results too. */
  *#hashOf(key: string): Coroutine<readonly [low: number, high: number]> {
    const length = yield* this.store.keys.write(key);
    yield* this.verbs.hashKey(this.store.keys.at, length);
    const { block, views } = this.thread.kernel;
    const low = views.u32[(block + this.at.resultHashLow) / 4] as number;
    return [low, views.u32[(block + this.at.resultHashHigh) / 4] as number];
  }

  /** What the load of a flight that has begun brings. */
  *#publish(key: string, flight: number, begin: Operation, tag: string): Coroutine {
    const operation = this.#begin("fill", key, begin.version);
    const outcome =
      flight < 0 ? "superseded" : yield* this.#write(key, begin.version, flight, Infinity, tag);
    if (outcome !== "stored") begin.counts = false;
    if (outcome === "superseded") operation.counts = false;
    else if (outcome !== "stored") operation.kind = "gone";
    this.#world.history.end(operation);
    const end = outcome === "stored" ? this.at.flightStored : this.at.flightUnstored;
    if (flight >= 0) yield* this.verbs.endFlight(flight, end, 0);
  }

  /** Looks in memory, and on disk if the index says so. */
  *get(key: string, touch: boolean = true): Coroutine<boolean> {
    const operation = this.#begin("read", key, 0);
    operation.version = yield* this.#look(key, touch);
    this.#world.history.end(operation);
    return operation.version !== 0;
  }

  *#look(key: string, touch: boolean): Coroutine<number> {
    for (let lookup = 0; lookup < 4; lookup++) {
      const found = yield* this.store.find(yield* this.store.keys.write(key), touch);
      if (found === "none") return 0;
      const { record } = this.store;
      if (found === "memory") {
        if (record.key() !== key) throw new Error(`"${key}" was read as another key's record`);
        return versionOf(key, record.buffer.subarray(record.valueStart, record.valueEnd));
      }
      const version = yield* this.#readDisk(key);
      if (version !== "changed") return version;
    }
    return 0;
  }

  /** As a caller of getSync: what is kept near, else memory. After EntryReader.#look. */
  *getNear(key: string): Coroutine<boolean> {
    const operation = this.#begin("read", key, 0);
    operation.version = yield* this.#lookNear(key);
    this.#world.history.end(operation);
    return operation.version !== 0;
  }

  /** Reads a key that nothing in the scenario takes away: there it may not even miss. */
  *getInterned(key: string): Coroutine {
    for (const isThere of [yield* this.getNear(key), yield* this.get(key)]) {
      if (!isThere) throw new Error(`"${key}" was missed, and nobody took it away`);
    }
  }

  /** From now on values are kept by their keys. */
  indexKeys(): void {
    alone(this.#near.indexKeys(true));
  }

  *#lookNear(key: string): Coroutine<number> {
    const { invalidations, identity, hashIndex } = this.#near;
    const isCurrent = yield* invalidations.isCurrent();
    let value = isCurrent && identity.isOn ? identity.values.get(key) : undefined;
    if (value !== undefined) return value as number;
    const { keys } = this.store;
    const keyBytes = yield* keys.write(key);
    if (isCurrent) value = hashIndex.find(keys.hash, keyBytes, key);
    if (value !== undefined) return value as number;
    if ((yield* this.verbs.findNear(keys.at, keyBytes)) !== 0) {
      value = yield* this.#near.find(key, keys.hash, keyBytes);
      if (value !== undefined) return value as number;
    }
    if ((yield* this.store.find(keyBytes, true)) !== "memory") return 0;
    const { record, slotLow, slotHigh, hashLow } = this.store;
    const version = versionOf(key, record.buffer.subarray(record.valueStart, record.valueEnd));
    const { flagTags } = this.#world.rooms.record;
    const tagEpoch = (record.flags & flagTags) === 0 ? null : this.store.tagEpoch;
    const word = { low: slotLow, high: slotHigh, tagEpoch };
    yield* this.#near.keep(word, hashLow, key, version, Infinity, 8);
    return version;
  }

  /** After DiskTier.#readPlace and #accept. */
  *#readDisk(key: string): Coroutine<number | "changed"> {
    const { at, rooms, disk } = this.#world;
    const { kernel } = this.thread;
    const { slot, slotLow, slotHigh, location } = this.store;
    const segment = disk.segmentOf(location, diskUnits);
    const entry = kernel.geometry.diskTable + segment * at.diskEntrySize;
    const { i32 } = kernel.views;
    const generation = i32[yield* $element(i32, (entry + at.diskGeneration) / 4, false)] as number;
    const nonce = i32[yield* $element(i32, (entry + at.diskNonce) / 4, false)] as number;
    const end = i32[yield* $element(i32, (entry + at.diskEndOffset) / 4, false)] as number;
    if ((location % diskUnits) * 16 >= end) return 0;
    yield* pause();
    const bytes = disk.read(location, nonce);
    const later = i32[yield* $element(i32, (entry + at.diskGeneration) / 4, false)];
    if (later !== generation) return "changed";
    if (bytes === undefined) {
      if ((yield* this.verbs.validate(slot, slotLow, slotHigh)) !== 1) return "changed";
      throw new Error(`the index names ${location}, where nothing was written`);
    }
    const reader = new rooms.record.RecordReader(0, kernel.createdBaseMs);
    reader.adopt(bytes);
    reader.parse(0);
    if ((yield* this.verbs.validate(slot, slotLow, slotHigh)) !== 1) return "changed";
    if (reader.key() !== key) return 0;
    if (reader.sequence <= kernel.clearEpoch()) return 0;
    const frequency = yield* this.verbs.touch(slot, slotLow, slotHigh);
    if (frequency > 0) {
      Object.assign(this.store, { slot, slotLow, slotHigh });
      yield* this.store.promote(reader);
    }
    return versionOf(key, bytes.subarray(reader.valueStart, reader.valueEnd));
  }

  /** Empties and frees the oldest segment, as the janitor does, or a writer that finds no room. */
  *evict(ruthless: boolean = false, now: number = 0): Coroutine<boolean> {
    const diskUp = (this.#world.options.diskSegments ?? 0) > 0;
    return yield* this.#evictor.evictOne(now, diskUp, ruthless);
  }

  /** A writer makes room itself. After attachStore: what the disk is too slow for goes unwritten. */
  *#assist(): Coroutine<boolean> {
    const before = yield* this.#freeSegments();
    yield* this.evict();
    if ((yield* this.#freeSegments()) > before) return true;
    return yield* this.#evictor.evictOne(0, false, false);
  }

  *#freeSegments(): Coroutine<number> {
    return yield* this.verbs.freeSegments(this.thread.kernel.geometry.segmentCount);
  }

  *seal(): Coroutine {
    yield* this.verbs.sealOpen(this.#world.at.logSmall);
    yield* this.verbs.sealOpen(this.#world.at.logMain);
  }

  *sweep(now: number = 0): Coroutine {
    yield* this.verbs.sweep(0, this.thread.kernel.geometry.bucketCount, now);
  }

  /** Writes what is published to disk; every second batch fails if `fails`. */
  *flush(fails: boolean = false): Coroutine {
    yield* this.#disk.flush(fails);
  }

  /** Empties a segment file and opens it anew. */
  *reclaim(segment: number): Coroutine {
    yield* this.#disk.reclaim(segment);
  }

  /** Puts in order what a dead thread left. */
  *recover(dead: number): Coroutine {
    const { holderOf, recoverThread } = this.#world.rooms.threadTable as {
      holderOf: (views: unknown, thread: number) => object;
      recoverThread: (...args: unknown[]) => Coroutine;
    };
    const writeTombstone = (location: number): Coroutine => this.#disk.writeTombstone(location);
    const life = holderOf(this.thread.kernel.views, dead);
    yield* $run(recoverThread(this.thread.kernel, life, writeTombstone));
  }
}
