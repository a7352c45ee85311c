// What a thread of a scenario does to the disk tier: flushing by the real flusher; reclaim of a
// segment file and tombstones are written here after the reclaimer and the directory writer. Called
// by actor.ts.

import { ModelLog } from "./model-log.js";
import type { DiskRecord } from "./model-disk.js";
import { $element, $run, pause, type Coroutine } from "./suspension.js";
import type { SteppedThread } from "./thread.js";
import { diskUnits, type World } from "./world.js";

interface SteppedFlusher {
  flush(reach: string, now: number, between: () => void): Coroutine<boolean>;
}

/** Nothing is deferred: every flush of a scenario was requested. */
const admissionRules = {
  minTtlMs: 0,
  maxBytes: Infinity,
  seenBefore: false,
  bytesPerSecond: Infinity,
  bytesPerDay: Infinity,
  isFiltered: false,
};

/** The two halves of a key's hash. */
type HashOf = (key: string) => Coroutine<readonly [low: number, high: number]>;

export class DiskWork {
  readonly #world: World;
  readonly #thread: SteppedThread;
  readonly #hashOf: HashOf;

  constructor(world: World, thread: SteppedThread, hashOf: HashOf) {
    this.#world = world;
    this.#thread = thread;
    this.#hashOf = hashOf;
  }

  /** Writes what is published to disk; every second batch fails if `fails`. */
  *flush(fails: boolean = false): Coroutine {
    const { Flusher } = this.#world.rooms.flusher as {
      Flusher: new (...args: unknown[]) => SteppedFlusher;
    };
    const { FlushAdmission } = this.#world.rooms.admission as {
      FlushAdmission: new (...args: unknown[]) => object;
    };
    const log = new ModelLog(this.#world, this.#thread, fails);
    yield* log.open();
    try {
      const admission = new FlushAdmission(this.#thread.kernel, admissionRules);
      const flusher = new Flusher(this.#thread.kernel, log, admission);
      yield* flusher.flush("all", 0, () => undefined);
    } catch (error) {
      if (!fails) throw error;
    }
  }

  /** Empties a segment file and opens it again. After Reclaimer.reclaim, #drop, #reinsert and
   *  free. */
  *reclaim(segment: number): Coroutine {
    const { disk, at } = this.#world;
    const { verbs } = this.#thread;
    const scan = disk.scan(segment, diskUnits);
    disk.void(segment, diskUnits);
    yield* verbs.setDiskState(segment, at.diskReclaiming);
    const log = new ModelLog(this.#world, this.#thread, false);
    yield* log.open();
    for (const { location, bytes } of scan) {
      const reader = new this.#world.rooms.record.RecordReader(0, 0);
      reader.adopt(bytes);
      reader.parse(0);
      const [low, high] = yield* this.#hashOf(reader.key() as string);
      if ((yield* verbs.dropDisk(low, high, location, 0)) !== at.answerHit) continue;
      const field = reader.tagsField();
      if (field.length > 0 && this.#thread.kernel.tags.areInvalidated(field, reader.sequence)) {
        yield* verbs.dropDisk(low, high, location, 1);
        continue;
      }
      const to = yield* log.place();
      const answer = yield* verbs.relocateDisk(low, high, location, to);
      if (answer === at.answerSuperseded) log.skip();
      if (answer !== at.answerDone) continue;
      yield* log.append(bytes, bytes.length, reader.sequence);
    }
    yield* log.commit();
    yield* this.#waitForTombstones(segment);
    yield* verbs.setDiskState(segment, at.diskFree);
    const again = new ModelLog(this.#world, this.#thread, false);
    yield* again.open(segment);
  }

  /** The disk as a sweep of the tags walks it, a record at a time. After InvalidatedWalk. */
  swept(): object {
    const { disk, at } = this.#world;
    const { verbs, kernel } = this.#thread;
    let records: DiskRecord[] = [];
    const step = function* (this: DiskWork): Coroutine<"more" | "done" | "busy"> {
      const record = records.at(-1);
      if (record === undefined) return "done";
      const reader = new this.#world.rooms.record.RecordReader(0, 0);
      reader.adopt(record.bytes);
      reader.parse(0);
      const field = reader.tagsField();
      if (field.length > 0 && kernel.tags.areInvalidated(field, reader.sequence)) {
        const [low, high] = yield* this.#hashOf(reader.key() as string);
        const answer = yield* verbs.dropInvalidated(low, high, record.location);
        if (answer === at.answerBusy) return "busy";
        yield* this.drainTombstones();
      }
      records.pop();
      return "more";
    };
    return {
      walk: { begin: () => void (records = Array.from(disk.records)), step: step.bind(this) },
      sync: () => false,
      writeForgotten: () => true,
    };
  }

  *#waitForTombstones(segment: number): Coroutine {
    const { at, threads } = this.#world;
    const { i32 } = this.#thread.kernel.views;
    for (const { kernel } of threads) {
      for (const word of [at.threadTombstoneSegment0, at.threadTombstoneSegment1]) {
        const index = (kernel.block + word) / 4;
        while (i32[yield* $element(i32, index, false)] === segment + 1) {
          yield* $element(i32, index, null);
        }
      }
    }
  }

  /** Writes the tombstones that the last call announced. */
  *drainTombstones(): Coroutine {
    const write = ((location: number) => this.writeTombstone(location)) as unknown as () => void;
    const { tombstones } = this.#thread.kernel;
    yield* $run(tombstones.drain(write) as number | Coroutine<number>);
  }

  /** After DirectoryWriter.writeTombstone: takes an index in the tombstone list and writes
   *  there. */
  *writeTombstone(location: number): Coroutine {
    const { disk, at } = this.#world;
    const { i32 } = this.#thread.kernel.views;
    const segment = disk.segmentOf(location, diskUnits);
    yield* this.#thread.verbs.takeTombstoneIndex(segment);
    const entry = this.#thread.kernel.geometry.diskTable + segment * at.diskEntrySize;
    const nonce = i32[yield* $element(i32, (entry + at.diskNonce) / 4, false)] as number;
    yield* pause();
    disk.dead.add(`${location}:${nonce}`);
  }
}
