// Forgets invalidated tags, so that the table has room for others. Runs in the janitor, between its
// other duties, in steps. A tag may be forgotten when nothing that it voids can be seen any more:
// no slot of the index names such a record, none on disk is without a tombstone, and no flight that
// began before the invalidation is active. Invariants, in this order:
//   1. beginTagSweep: the tags up to its sequence are in the table, and stay there;
//   2. the boundary: the oldest active flight lowers it;
//   3. every slot of the index, then every batch on disk, is judged under the key's lock;
//   4. tombstones that other threads have announced are written; all are synced if anybody asked
//      for fsyncs, or a power loss could undo them and not what follows;
//   5. the directory learns that the tags are forgotten, then the table forgets them.
// A record may move meanwhile, between memory and disk too. Each move looks whether it is
// invalidated under the same lock, so only a move that began before step 1 moves one, and is over
// when step 3 has that lock: in memory it is found by its slot or, promoted, by its batch.
import { elapsedMs } from "../base/mod.js";
import type { InvalidatedWalk } from "../disk-log/mod.js";
import { codes, type Kernel, TombstoneWatch, type TombstoneWriter } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";

/** Share of the table's slots at which a sweep begins. */
const sweptShare = 1 / 4;
/** Share from which on a sweep supersedes the flights that have held it up for a whole sweep. */
const pressedShare = 1 / 2;
/** Buckets of the index, and of the table, for one step: some tenths of a millisecond. */
const indexStep = 512;
const tableStep = 4096;
/** Milliseconds that a sweep may take of one of the janitor's rounds. */
const roundMs = 5;

type Phase = "idle" | "memory" | "disk" | "tombstones" | "sync" | "forget";

/** "more": go on at once. "later": something is locked, or there is nothing to do. */
type Progress = "more" | "later";

/** What it needs of a disk tier. Each throws ERR_DISK_IO. */
export interface SweptDisk {
  readonly walk: Pick<InvalidatedWalk, "begin" | "step">;
  /** Syncs segment file number `segment`, if anybody asked for fsyncs; whether there are more. */
  sync(segment: number): boolean;
  /** Writes the floor down; clears are written down. Syncs both, if anybody asked for fsyncs. */
  writeFloor(floor: number): void;
  /** Writes that the tags invalidated up to `sequence` are forgotten; false if that failed. */
  writeForgotten(sequence: number): boolean;
}

export class TagSweeper {
  readonly #kernel: Kernel;
  readonly #disk: SweptDisk | null;
  readonly #writeTombstone: TombstoneWriter;
  #phase: Phase = "idle";
  /** Where the phase has got to: a bucket, or a segment. */
  #next = 0;
  #pending: TombstoneWatch | null = null;
  /** The sequence at which this sweep, or the last one, began. */
  #sequence = 0;
  /** This sweep, or the last one, forgets tags up to here. */
  #through = 0;
  /** What the floor or the clear epoch covers may be forgotten up to here. */
  #covered = 0;

  constructor(kernel: Kernel, disk: SweptDisk | null, writeTombstone: TombstoneWriter) {
    this.#kernel = kernel;
    this.#disk = disk;
    this.#writeTombstone = writeTombstone;
  }

  /** Goes on with the sweep, or begins one if the table is full enough. `clearEpoch` must be
   *  written down. True if there is more to do at once. Throws ERR_DISK_IO; call `abandon` then. */
  run(clearEpoch: number): boolean {
    const until = elapsedMs() + roundMs;
    while (this.#step(clearEpoch) === "more") if (elapsedMs() >= until) return true;
    return false;
  }

  /** Whether no sweep is under way. */
  get isIdle(): boolean {
    return this.#phase === "idle";
  }

  /** Gives the sweep up: a later one begins from the start. */
  abandon(): void {
    this.#phase = "idle";
  }

  #step(clearEpoch: number): Progress {
    switch (this.#phase) {
      case "idle":
        return this.#isDue() ? this.#begin(clearEpoch) : "later";
      case "memory":
        return this.#sweepIndex(clearEpoch);
      case "disk":
        return this.#sweepDisk();
      case "tombstones":
        return this.#awaitTombstones();
      case "sync":
        return this.#syncSegment(clearEpoch);
      case "forget":
        return this.#forget();
    }
  }

  /** Whether the table is full enough, and a sweep would free slots: what the last one left may be
   *  held up by a flight that is still active. */
  #isDue(): boolean {
    const { tags, verbs } = this.#kernel;
    const tracked = tags.tracked();
    if (tracked < tags.capacity * sweptShare) return false;
    return tracked >= tags.capacity * pressedShare || verbs.oldestFlight() > this.#through;
  }

  #begin(clearEpoch: number): Progress {
    const { verbs, tags } = this.#kernel;
    if (this.#cover(clearEpoch)) {
      // Needs no sweep: the floor or the clear voids whatever these tags do.
      verbs.forgetTags(0, tags.capacity, this.#covered);
      this.#noteForgotten();
      return "more";
    }
    const sequence = verbs.beginTagSweep();
    if (sequence < 0) return "later";
    if (tags.tracked() >= tags.capacity * pressedShare) verbs.supersedeFlights(this.#sequence);
    this.#sequence = sequence;
    this.#through = Math.min(sequence, verbs.oldestFlight());
    this.#enter("memory");
    return "more";
  }

  /** Whether the floor or the clear covers more than before. The slots of covered tags are written
   *  over, so a power loss must not undo what covers them. */
  #cover(clearEpoch: number): boolean {
    const floor = this.#kernel.tags.floor();
    const covered = Math.max(floor, clearEpoch);
    if (covered <= this.#covered) return false;
    this.#disk?.writeFloor(floor);
    this.#covered = covered;
    return true;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#next = 0;
  }

  #sweepIndex(clearEpoch: number): Progress {
    const { verbs, results, geometry, tombstones } = this.#kernel;
    // Without a time: what has expired is not for this sweep to tell.
    const next = verbs.sweep(this.#next, this.#next + indexStep, 0);
    const isMissing = results.unvisited > 0;
    tombstones.drain(this.#writeTombstone);
    if (isMissing) return "later";
    this.#next = next;
    if (next < geometry.bucketCount) return "more";
    if (this.#disk === null) this.#cover(clearEpoch);
    else this.#disk.walk.begin(this.#through);
    this.#enter(this.#disk === null ? "forget" : "disk");
    return "more";
  }

  #sweepDisk(): Progress {
    const answer = (this.#disk as SweptDisk).walk.step();
    if (answer !== "done") return answer === "busy" ? "later" : "more";
    this.#pending = new TombstoneWatch(this.#kernel);
    this.#enter("tombstones");
    return "more";
  }

  #awaitTombstones(): Progress {
    if (this.#pending?.areWritten() === false) return "later";
    this.#enter("sync");
    return "more";
  }

  /** Syncs one segment file, if a power loss must not undo the tombstones. */
  #syncSegment(clearEpoch: number): Progress {
    const disk = this.#disk as SweptDisk;
    if (disk.sync(this.#next)) {
      this.#next += 1;
      return "more";
    }
    this.#cover(clearEpoch);
    if (!disk.writeForgotten(this.#through)) {
      this.abandon();
      return "later";
    }
    this.#enter("forget");
    return "more";
  }

  #forget(): Progress {
    const { verbs, tags } = this.#kernel;
    const through = Math.max(this.#through, this.#covered);
    verbs.forgetTags(this.#next, tableStep, through);
    this.#next += tableStep;
    if (this.#next * codes.tagBucketSlots < tags.capacity) return "more";
    this.#kernel.count(counter.counterTagSweeps, 1);
    this.#noteForgotten();
    return "more";
  }

  #noteForgotten(): void {
    this.#phase = "idle";
    this.#kernel.tags.noteSweep();
  }
}
