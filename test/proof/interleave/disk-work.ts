// What a thread of a scenario does to the disk tier: flushing by the real flusher; reclaim of a
// segment file and tombstones are written here after the reclaimer and the directory writer. Called
// by actor.ts.

import type { RecordReader } from "../../../src/record/mod.js";
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

  /** Empties a segment file and opens it again; it is quarantined if a key's lock could not be had.
   *  After Reclaimer.reclaim. */
  *reclaim(segment: number): Coroutine {
    const { disk, at } = this.#world;
    const scan = disk.scan(segment, diskUnits);
    disk.void(segment, diskUnits);
    yield* this.#thread.verbs.setDiskState(segment, at.diskReclaiming);
    const log = new ModelLog(this.#world, this.#thread, false);
    yield* log.open();
    let isEmpty = true;
    for (const record of scan) if (!(yield* this.#drop(record, log))) isEmpty = false;
    yield* log.commit();
    yield* this.#free(segment, isEmpty);
  }

  /** Moves what lives in a segment file, deletes the file, and makes another one with its number;
   *  it is quarantined instead if a key's lock could not be had. After Reclaimer.move and DiskRoom.
   *  */
  *replaceFile(segment: number): Coroutine {
    const { disk, at } = this.#world;
    const { verbs, control } = this.#thread;
    const scan = disk.scan(segment, diskUnits);
    disk.void(segment, diskUnits);
    yield* verbs.setDiskState(segment, at.diskReclaiming);
    const log = new ModelLog(this.#world, this.#thread, false);
    yield* log.open();
    let isEmpty = true;
    for (const record of scan) if (!(yield* this.#drop(record, log, 2))) isEmpty = false;
    yield* log.commit();
    yield* this.#waitForTombstones(segment);
    if (!isEmpty) {
      yield* verbs.setDiskState(segment, at.diskQuarantined);
      return;
    }
    yield* verbs.setDiskState(segment, at.diskFree);
    yield* control.noteFilesRemoved();
    yield* pause();
    disk.erase(segment, diskUnits);
    disk.replaceFile(segment);
  }

  /** Tries again to empty what is quarantined. After DiskLog.dropQuarantined. */
  *dropQuarantined(): Coroutine {
    const { disk, options } = this.#world;
    for (let segment = 0; segment < (options.diskSegments ?? 0); segment++) {
      if (!this.#isQuarantined(segment)) continue;
      disk.void(segment, diskUnits);
      if ((yield* this.#announcement(segment)) === undefined) yield* this.#free(segment, false);
    }
  }

  /** Drops an entry, or writes it again. False if its key's lock could not be had: one attempt
   *  stands for those of retryWhileBusy, as a refused one changes nothing. As Reclaimer.#drop. */
  *#drop({ location, bytes }: DiskRecord, log: ModelLog, force = 0): Coroutine<boolean> {
    const { at } = this.#world;
    const { verbs } = this.#thread;
    const reader = this.#parsed(bytes);
    const [low, high] = yield* this.#hashOf(reader.key() as string);
    const answer = yield* verbs.dropDisk(low, high, location, force);
    if (answer !== at.answerHit) return answer !== at.answerBusy;
    if (!this.#isInvalidated(reader) && (yield* this.#reinsert(reader, location, log))) return true;
    return (yield* verbs.dropDisk(low, high, location, 1)) !== at.answerBusy;
  }

  /** False if the key's lock could not be had. After Reclaimer.#reinsert. */
  *#reinsert(reader: RecordReader, location: number, log: ModelLog): Coroutine<boolean> {
    const { at } = this.#world;
    const [low, high] = yield* this.#hashOf(reader.key() as string);
    const to = yield* log.place();
    const answer = yield* this.#thread.verbs.relocateDisk(low, high, location, to);
    if (answer === at.answerSuperseded) log.skip();
    if (answer !== at.answerDone) return answer !== at.answerBusy;
    yield* log.append(reader.buffer, reader.buffer.length, reader.sequence);
    return true;
  }

  /** After Reclaimer.free, and opens the segment file again. */
  *#free(segment: number, isEmpty: boolean): Coroutine {
    const { at } = this.#world;
    const { verbs } = this.#thread;
    yield* this.#waitForTombstones(segment);
    const first = segment * diskUnits;
    const isDropped = isEmpty || (yield* verbs.dropUnits(first, first + diskUnits)) === 0;
    if (!isDropped || (yield* this.#announcement(segment)) !== undefined) {
      yield* verbs.setDiskState(segment, at.diskQuarantined);
      return;
    }
    yield* verbs.setDiskState(segment, at.diskFree);
    const again = new ModelLog(this.#world, this.#thread, false);
    yield* again.open(segment);
  }

  #parsed(bytes: Buffer): RecordReader {
    const reader = new this.#world.rooms.record.RecordReader(0, 0);
    reader.adopt(bytes);
    reader.parse(0);
    return reader;
  }

  #isInvalidated(reader: RecordReader): boolean {
    const field = reader.tagsField();
    return field.length > 0 && this.#thread.kernel.tags.areInvalidated(field, reader.sequence);
  }

  /** Only the janitor quarantines, so no other thread changes what it sees. */
  #isQuarantined(segment: number): boolean {
    return this.#thread.kernel.diskSegments.state(segment) === this.#world.at.diskQuarantined;
  }

  /** The disk as a sweep of the tags walks it, a record at a time. After InvalidatedWalk. */
  swept(): object {
    const { disk, at } = this.#world;
    const { verbs } = this.#thread;
    let records: DiskRecord[] = [];
    const step = function* (this: DiskWork): Coroutine<"more" | "done" | "busy"> {
      const record = records.at(-1);
      if (record === undefined) return "done";
      if (this.#isQuarantined(disk.segmentOf(record.location, diskUnits))) return "busy";
      const reader = this.#parsed(record.bytes);
      if (this.#isInvalidated(reader)) {
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
    const { i32 } = this.#thread.kernel.views;
    let word = yield* this.#announcement(segment);
    while (word !== undefined) {
      yield* $element(i32, word, null);
      word = yield* this.#announcement(segment);
    }
  }

  /** The first word in which a thread announces a tombstone for a segment file. */
  *#announcement(segment: number): Coroutine<number | undefined> {
    const { at, threads } = this.#world;
    const { i32 } = this.#thread.kernel.views;
    for (const { kernel } of threads) {
      for (const word of [at.threadTombstoneSegment0, at.threadTombstoneSegment1]) {
        const index = (kernel.block + word) / 4;
        if (i32[yield* $element(i32, index, false)] === segment + 1) return index;
      }
    }
    return undefined;
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
    const removed = yield* this.#thread.control.diskFilesRemoved();
    const file = disk.openedBy(this.#thread.kernel.thread, segment, removed);
    yield* pause();
    // In a file that has left the disk nobody sees it.
    if (file === disk.fileOf(segment)) disk.dead.add(`${location}:${nonce}`);
  }
}
