// What an actor of a scenario is made of, and what it does as the janitor does: evict, seal, sweep.
// The real memory reader and writer, near cache, evictor, flusher and sweeper do the work, as
// coroutines. Extended by actor.ts.

import type { HashedKey, KernelVerbs, KeyWindow } from "../../../src/kernel/mod.js";
import type { MemoryReader, MemoryWriter } from "../../../src/memory/mod.js";
import type { NearCache } from "../../../src/near/mod.js";
import type { EvictionPolicy } from "../../../src/policy/mod.js";
import { DiskReading } from "./disk-reading.js";
import { DiskWork } from "./disk-work.js";
import { FlightWork } from "./flight-work.js";
import { NamedSpace } from "./named-space.js";
import { alone, type Coroutine } from "./suspension.js";
import type { Stepped, SteppedThread } from "./thread.js";
import type { World } from "./world.js";

interface SteppedEvictor {
  evictOne(now: number, flushedOnly: boolean, ruthless: boolean): Coroutine<boolean>;
}

interface SteppedSweeper {
  run(clearEpoch: number): Coroutine<boolean>;
  abandon(): Coroutine;
}

/** A class of src/ whose methods have become coroutines. */
type SteppedClass<Instance> = new (...args: unknown[]) => Stepped<Instance>;

/** S3-FIFO without a history of its own, so that every schedule begins alike. */
const keepsWhatWasHit: EvictionPolicy = {
  quietShare: 0,
  settled: 0,
  victim: ({ oldestSmall }) => (oldestSmall === Infinity ? "main" : "small"),
  decide: (log, _hash, _size, frequency) =>
    frequency === 0 ? -1 : log === "small" ? 0 : frequency - 1,
};

export const noTags = new Uint8Array(0);

export function* nothing(): Coroutine {}

/** Rounds of the janitor for a sweep that meets locks. */
const sweepRoundsMax = 3;
/** As in tiers/disk-reader.ts. */
export const lookupsMax = 4;

export class ActorParts {
  readonly name: string;
  readonly thread: SteppedThread;
  readonly verbs: Stepped<KernelVerbs>;
  readonly flights: FlightWork;
  readonly world: World;
  protected readonly keys: Stepped<KeyWindow>;
  readonly reader: Stepped<MemoryReader>;
  readonly writer: Stepped<MemoryWriter>;
  protected readonly disk: DiskWork;
  protected readonly diskReading: DiskReading;
  protected readonly evictor: SteppedEvictor;
  protected readonly near: Stepped<NearCache>;
  protected readonly sweeper: SteppedSweeper;
  /** Namespace 1. */
  readonly named: NamedSpace;

  constructor(world: World, thread: SteppedThread, name: string) {
    this.name = name;
    this.thread = thread;
    this.verbs = thread.verbs;
    this.flights = new FlightWork(world, thread, (key) => this.hashOf(key));
    this.world = world;
    const { kernel } = thread;
    const { kernel: kernelRoom, memory } = world.rooms;
    const Window = kernelRoom.KeyWindow as unknown as SteppedClass<KeyWindow>;
    const Reader = memory.MemoryReader as unknown as SteppedClass<MemoryReader>;
    const Writer = memory.MemoryWriter as unknown as SteppedClass<MemoryWriter>;
    this.keys = new Window(kernel);
    this.reader = new Reader(kernel, this.keys);
    this.writer = new Writer(kernel, this.keys);
    this.diskReading = new DiskReading(world, thread, this.reader, this.writer);
    this.disk = new DiskWork(world, thread, (key) => this.hashOf(key));
    const writeTombstone = ((location: number) =>
      this.disk.writeTombstone(location)) as unknown as () => void;
    const { Evictor } = world.rooms.evictor as {
      Evictor: new (...args: unknown[]) => SteppedEvictor;
    };
    this.evictor = new Evictor(kernel, keepsWhatWasHit, writeTombstone, null);
    const { NearCache: Near } = world.rooms.nearCache as { NearCache: SteppedClass<NearCache> };
    const room = { mode: "shared", maxEntries: 4, maxBytes: 4096 };
    this.near = new Near(kernel, this.keys, room, { now: () => 0 });
    const { TagSweeper } = world.rooms.tagSweeper as {
      TagSweeper: new (...args: unknown[]) => SteppedSweeper;
    };
    const hasDisk = (world.options.diskSegments ?? 0) > 0;
    this.sweeper = new TagSweeper(kernel, hasDisk ? this.disk.swept() : null, writeTombstone);
    const reclaim = (() => this.makeRoom()) as unknown as () => boolean;
    alone(this.writer.connect(writeTombstone, reclaim));
    this.named = new NamedSpace(world, thread, name, [writeTombstone, reclaim]);
  }

  /** Another key with the same home bucket. */
  *neighbourOf(key: string): Coroutine<string> {
    const home = yield* this.home(key);
    for (const other of "bcdefghijklmnopqrstuvwxyz") {
      if (other !== key && (yield* this.home(other)) === home) return other;
    }
    throw new Error(`"${key}" is alone in its bucket`);
  }

  protected *home(key: string): Coroutine<number> {
    const [, high] = yield* this.hashOf(key);
    return Math.floor((high * this.thread.kernel.geometry.bucketCount) / 2 ** 32);
  }

  protected *hashOf(key: string): Coroutine<readonly [low: number, high: number]> {
    const { hashLow, hashHigh } = yield* this.hashed(key);
    return [hashLow, hashHigh];
  }

  /** Empties and frees the oldest segment, as the janitor does, or a writer that finds no room. */
  *evict(ruthless: boolean = false, now: number = 0): Coroutine<boolean> {
    const isDiskUp = (this.world.options.diskSegments ?? 0) > 0;
    return yield* this.evictor.evictOne(now, isDiskUp, ruthless);
  }

  /** At the end: seals what any thread has open, empties every segment, and those again that what
   *  was kept has moved to. */
  *evictAll(): Coroutine {
    const { segmentCount } = this.thread.kernel.geometry;
    for (let thread = 0; thread < this.world.options.threads; thread++) {
      yield* this.verbs.sealOrphans(thread);
    }
    // Segments that were blocked are sealed by it.
    yield* this.sweep();
    for (let count = 0; count < 2 * segmentCount; count++) {
      yield* this.seal();
      yield* this.evict();
    }
  }

  /** A writer makes room itself. After ForegroundReclaimer: what the disk is too slow for is not
   *  written. */
  protected *makeRoom(): Coroutine<boolean> {
    const before = yield* this.#freeSegments();
    yield* this.evict();
    if ((yield* this.#freeSegments()) > before) return true;
    return yield* this.evictor.evictOne(0, false, false);
  }

  *#freeSegments(): Coroutine<number> {
    return yield* this.verbs.freeSegments(this.thread.kernel.geometry.segmentCount);
  }

  *seal(): Coroutine {
    yield* this.verbs.sealOpen(this.world.at.logSmall);
    yield* this.verbs.sealOpen(this.world.at.logMain);
  }

  *sweep(now: number = 0): Coroutine {
    const { bucketCount } = this.thread.kernel.geometry;
    for (let from = 0; from < bucketCount;) {
      from = yield* this.verbs.sweep(from, bucketCount, now);
      yield* this.disk.drainTombstones();
    }
  }

  /** The janitor's sweep of the tags, to its end, if the table is full enough. A lock that stays
   *  taken makes it give up. */
  *forgetTags(): Coroutine {
    for (let round = 0; round < sweepRoundsMax; round++) {
      while (yield* this.sweeper.run(0));
    }
    yield* this.sweeper.abandon();
  }

  /** A key as it was read and hashed for what outlives the call. */
  *hashed(key: string): Coroutine<HashedKey> {
    yield* this.keys.write(key);
    return yield* this.keys.take(key);
  }
}
