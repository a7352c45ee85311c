// Reclaims disk segments: empties the oldest when segment files run out, and rewrites what was hit.
// Called by the disk log. Invariants: a slot points to its new location before the bytes are
// written there, so a thread that deletes the entry meanwhile writes the tombstone of the new
// location. A segment is void on disk before its first entry is dropped.
import { elapsedMs, UndercroftError } from "../base/mod.js";
import type { Device } from "../device/mod.js";
import {
  packLocation,
  scanSegment,
  type SegmentEntries,
  segmentKeyOf,
  type SegmentScan,
  voidSegment,
} from "../disk/mod.js";
import type { Removal, RemovalReporter } from "../eviction/mod.js";
import type { Hasher } from "../hash/mod.js";
import { codes, type DiskSegmentTable, type Kernel, type TombstoneWriter } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";
import type { ThreadDisk } from "../tiers/mod.js";
import { dropLocationsFrom } from "./failover.js";
import { type Allowance, ReclaimedValues } from "./reclaimed-values.js";
import type { DiskShares } from "./disk-shares.js";
import { retryWhileBusy } from "./retry-while-busy.js";
import { SegmentRecords } from "./segment-record.js";
import type { WriteBudget } from "./admission/write-budget.js";

/** Milliseconds to wait for a thread with a pending tombstone for the segment being reclaimed. */
const tombstoneWaitMs = 1000;

/** Called for the records of a batch once it is written, or has failed. */
export interface BatchOutcome {
  written(): void;
  failed(): void;
}

/** The log that takes the rewritten records: the disk log. */
export interface ReinsertionLog {
  readonly openSegment: number;
  place(size: number, isChunk: boolean, sequence: number, now: number): number;
  append(source: Uint8Array, size: number, sequence: number, expires: number): void;
  skip(size: number): void;
  afterBatch(outcome: BatchOutcome): void;
  commit(): void;
}

/** One entry of the segment being reclaimed. */
interface Entry {
  readonly hashLow: number;
  readonly hashHigh: number;
  readonly location: number;
  readonly size: number;
  readonly sequence: number;
  readonly expires: number;
  readonly space: number;
  readonly isChunk: boolean;
}

/** What a reclaimer needs besides the log, the kernel and the directory. */
export interface ReclaimParts {
  readonly hasher: Hasher;
  readonly device: Device;
  readonly budget: WriteBudget;
  readonly removals: RemovalReporter | null;
  readonly writeTombstone: TombstoneWriter;
  readonly shares: DiskShares;
}

export class Reclaimer {
  readonly #kernel: Kernel;
  readonly #table: DiskSegmentTable;
  readonly #disk: ThreadDisk;
  readonly #hasher: Hasher;
  readonly #device: Device;
  readonly #budget: WriteBudget;
  readonly #removals: RemovalReporter | null;
  readonly #log: ReinsertionLog;
  /** Segments for which the index may name locations that were never written. */
  readonly #suspect = new Set<number>();
  /** The record being looked at. */
  readonly #records: SegmentRecords;
  readonly #values: ReclaimedValues;
  readonly #shares: DiskShares;

  constructor(log: ReinsertionLog, kernel: Kernel, disk: ThreadDisk, parts: ReclaimParts) {
    const { hasher, device, budget, removals, writeTombstone, shares } = parts;
    this.#shares = shares;
    this.#log = log;
    this.#kernel = kernel;
    this.#table = kernel.diskSegments;
    this.#disk = disk;
    this.#hasher = hasher;
    this.#device = device;
    this.#budget = budget;
    this.#removals = removals;
    const records = new SegmentRecords(kernel, disk, hasher, device);
    this.#records = records;
    const { segmentBytes } = disk;
    this.#values = new ReclaimedValues(
      kernel,
      segmentBytes,
      records,
      budget,
      removals,
      writeTombstone,
      shares,
    );
  }

  /** Empties a segment and frees it. Rewrites entries that were hit, up to `budget` bytes; answers
   *  how many bytes of it. Throws ERR_DISK_IO; the segment can be reclaimed again afterwards. */
  reclaim(segment: number, now: number, budget: number): number {
    // No more than half a file is written again for the shares.
    const kept = this.#shares.refresh() ? this.#disk.segmentBytes / 2 : 0;
    const left = { budget, kept, isMove: false };
    this.#empty(segment, now, left);
    return budget - left.budget;
  }

  /** As `reclaim`, but rewrites all that lives. */
  move(segment: number, now: number): void {
    this.#empty(segment, now, { budget: Infinity, kept: Infinity, isMove: true });
  }

  #empty(segment: number, now: number, left: Allowance): void {
    const { verbs } = this.#kernel;
    const scan = this.scan(segment);
    // Void the file before the state changes: a new janitor that finds "reclaiming" knows that the
    // file is void, whatever else happened.
    voidSegment(this.#disk.files.fd(segment), this.#device);
    verbs.setDiskState(segment, codes.diskReclaiming);
    let isEmpty = false;
    try {
      isEmpty = scan !== null && this.#dropAll(segment, scan, now, left);
      this.#log.commit();
    } catch (error) {
      verbs.setDiskState(segment, codes.diskSealed);
      throw error;
    }
    this.free(segment, isEmpty);
  }

  /** Frees a void segment once no slot names it and no thread writes to it. Quarantines it
   *  otherwise; a later round tries again. */
  free(segment: number, isEmpty: boolean): void {
    const { verbs } = this.#kernel;
    this.#waitForTombstones(segment);
    const isDropped = isEmpty || dropLocationsFrom(this.#kernel, this.#disk, segment, 0);
    if (!isDropped || this.#table.hasPendingTombstone(segment)) {
      verbs.setDiskState(segment, codes.diskQuarantined);
      return;
    }
    this.#suspect.delete(segment);
    verbs.setDiskState(segment, codes.diskFree);
    this.#kernel.count(counter.counterDiskSegmentsReclaimed, 1);
  }

  /** Waits, for tombstoneWaitMs at most, until no thread has a pending tombstone here. */
  #waitForTombstones(segment: number): void {
    for (let waited = 0; waited < tombstoneWaitMs; waited++) {
      if (!this.#table.hasPendingTombstone(segment)) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }

  /** What a file lists. Null if nothing can be read: the file is damaged, or was voided by a failed
   *  reclaim. */
  scan(segment: number): SegmentScan | null {
    const { segmentBytes, seed, files, cipher } = this.#disk;
    const key = segmentKeyOf(seed, segment);
    try {
      const fd = files.fd(segment);
      return scanSegment(fd, segmentBytes, key, this.#hasher, this.#device, cipher);
    } catch (error) {
      // Unreadable bytes must not keep the whole segment from being reused.
      this.#countDiskError(error);
      return null;
    }
  }

  #countDiskError(error: unknown): void {
    if (!(error instanceof UndercroftError)) throw error;
    this.#kernel.count(counter.counterDiskErrors, 1);
  }

  /** Drops every entry that the file lists. False if the index may name others. */
  #dropAll(segment: number, scan: SegmentScan, now: number, left: Allowance): boolean {
    let isEmpty =
      !scan.tombstonesDamaged &&
      scan.damagedBatches === 0 &&
      scan.recordCount === this.#table.recordCount(segment) &&
      !this.#suspect.has(segment);
    for (let index = 0; index < scan.recordCount; index++) {
      if (scan.entries.dead[index] === 1) continue;
      if (!this.#drop(this.#entryOf(segment, scan.entries, index), now, left)) isEmpty = false;
    }
    return isEmpty;
  }

  #entryOf(segment: number, entries: SegmentEntries, index: number): Entry {
    const size = entries.size[index] as number;
    const offset = (entries.unit[index] as number) * 16;
    const isChunk = entries.isChunk[index] === 1;
    return {
      hashLow: entries.hashLow[index] as number,
      hashHigh: entries.hashHigh[index] as number,
      location: packLocation(segment, offset, size, this.#disk.segmentBytes, isChunk),
      size,
      sequence: entries.sequence[index] as number,
      space: entries.space[index] as number,
      expires: entries.expires[index] as number,
      isChunk,
    };
  }

  /** Drops an entry, or rewrites it. False if its key was locked. */
  #drop(entry: Entry, now: number, left: Allowance): boolean {
    if (entry.isChunk) return this.#dropChunk(entry, now, left);
    const isExpired = entry.expires <= now;
    const isKept = !isExpired && this.#isKept(entry, left);
    const mayStay = !isExpired && this.#mayStay(entry, left);
    const answer = this.#dropFromIndex(entry, entry.location, isKept ? 2 : mayStay ? 0 : 1);
    if (answer === codes.answerDone) {
      this.#shares.noteDropped(entry.space, entry.size);
      const counted = isExpired ? counter.counterExpirations : counter.counterEvictionsDisk;
      this.#kernel.countRemoval(entry.space, counted);
      this.#tell(entry, isExpired ? "expired" : "disk");
    }
    if (answer !== codes.answerHit) return answer !== codes.answerBusy;
    if (this.#rewrite(entry, now)) {
      if (isKept) left.kept -= entry.size;
      else left.budget -= entry.size;
      return true;
    }
    return this.#dropFromIndex(entry, entry.location, 1) !== codes.answerBusy;
  }

  /** Whether it is moved, or of a namespace that is within its share of the disk. */
  #isKept({ space, size, sequence }: Entry, left: Allowance): boolean {
    if (sequence <= this.#kernel.control.clearEpochOf(space)) return false;
    if (left.isMove) return true;
    if (left.kept < size || !this.#shares.isWithin(space)) return false;
    return this.#budget.hasRoom(elapsedMs());
  }

  #mayStay(entry: Entry, left: Allowance): boolean {
    return left.isMove || (left.budget >= entry.size && this.#budget.hasRoom(elapsedMs()));
  }

  /** Drops a chunk, or rewrites it, as its value goes or stays. */
  #dropChunk(entry: Entry, now: number, left: Allowance): boolean {
    const fate = this.#values.fateOf(entry.location, now, left);
    if (fate === "busy") return false;
    if (fate === "kept" && this.#rewrite(entry, now)) return true;
    const isWanted = fate === "shared" || fate === "writing";
    if (isWanted && this.#mayStay(entry, left) && this.#rewrite(entry, now)) {
      left.budget -= entry.size;
      return true;
    }
    // The write first: a head whose chunk has left would be published.
    if (fate === "writing" && !this.#values.abandon(entry.location)) {
      return this.#dropChunk(entry, now, left);
    }
    const answer = this.#dropFromIndex(entry, entry.location, fate === "shared" ? 3 : 1);
    // It has left memory since its fate was asked for: nothing else is left of it now.
    if (answer === codes.answerHit) return this.#dropChunk(entry, now, left);
    return answer !== codes.answerBusy;
  }

  /** Reads and rewrites a record. False if it is damaged or invalidated, or its key was locked. */
  #rewrite(entry: Entry, now: number): boolean {
    const record = this.#records.read(entry.location);
    if (record === null) this.#kernel.count(counter.counterCorruptRecords, 1);
    return record !== null && !this.#isInvalidated() && this.#reinsert(record, entry, now);
  }

  #dropFromIndex(entry: Entry, location: number, force: number): number {
    const { verbs } = this.#kernel;
    return retryWhileBusy(() => verbs.dropDisk(entry.hashLow, entry.hashHigh, location, force));
  }

  /** Was a tag of the record just read invalidated? */
  #isInvalidated(): boolean {
    const { record } = this.#records;
    const field = record.tagsField();
    return field.length > 0 && this.#kernel.tags.areInvalidated(field, record.sequence);
  }

  /** Reports a removal. Only the record has the key, so it is read if there is a listener. */
  #tell(entry: Entry, cause: Removal["cause"]): void {
    if (this.#removals?.isWanted !== true) return;
    const isRead = this.#records.read(entry.location) !== null;
    if (isRead) this.#removals.tellOf(this.#records.record, cause);
    else this.#kernel.count(counter.counterEventsDropped, 1);
  }

  /** Rewrites a record into the open segment, unless its entry has changed. False if its key was
   *  locked. */
  #reinsert(record: Buffer, entry: Entry, now: number): boolean {
    const to = this.#log.place(record.length, entry.isChunk, entry.sequence, now);
    // The slot first: from now on a delete of the entry writes the new location's tombstone.
    const { verbs } = this.#kernel;
    const { hashLow, hashHigh, location } = entry;
    const answer = retryWhileBusy(() => verbs.relocateDisk(hashLow, hashHigh, location, to));
    if (answer === codes.answerSuperseded) this.#log.skip(record.length);
    if (answer !== codes.answerDone) return answer !== codes.answerBusy;
    this.#log.append(record, record.length, entry.sequence, entry.expires);
    const open = this.#log.openSegment;
    const failed = (): void => {
      if (this.#dropFromIndex(entry, to, 1) === codes.answerBusy) this.#suspect.add(open);
    };
    this.#log.afterBatch({ written: () => undefined, failed });
    return true;
  }
}
