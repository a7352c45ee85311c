// Flushing: copies the live records of memory segments to the disk log. The janitor calls it.
// Invariant: a record's disk location is announced in its header, under its key's lock, before its
// bytes are written. A write or delete that comes later sees the location and writes its tombstone;
// one that came earlier has made the record dead, and it is not written.
import { codes, type Kernel, type SegmentTable } from "../kernel/mod.js";
import { isChunk, isHead } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import type { DiskLog } from "./disk-log.js";
import type { FlushAdmission } from "./admission/flush-admission.js";
import type { BatchOutcome } from "./reclaimer.js";
import { retryWhileBusy } from "./retry-while-busy.js";

/** How far a flush goes. "sealed": sealed segments. "open": also what is published in open
 *  segments, and what lost its copy on disk. "all": also what admission deferred, because a flush
 *  promises that everything is on disk. */
export type FlushReach = "sealed" | "open" | "all";

export class Flusher {
  readonly #kernel: Kernel;
  readonly #log: DiskLog;
  readonly #admission: FlushAdmission;
  readonly #table: SegmentTable;
  /** Segments with records in the batch under construction, and the segment being read. */
  readonly #pinned = new Set<number>();

  constructor(kernel: Kernel, log: DiskLog, admission: FlushAdmission) {
    this.#kernel = kernel;
    this.#log = log;
    this.#admission = admission;
    this.#table = kernel.segments;
  }

  /** Writes what is published, not on disk yet and admitted. Calls `betweenSegments` after each
   *  segment. False if something could not be visited (a key was locked, a segment was being
   *  reclaimed) and the flush must be tried again. Throws ERR_DISK_IO; the records of the failed
   *  batch stay unflushed. */
  flush(reach: FlushReach, now: number, betweenSegments: () => void): boolean {
    let isComplete = true;
    try {
      for (const segment of this.#pending(reach)) {
        if (!this.#flushSegment(segment, reach, now)) isComplete = false;
        betweenSegments();
      }
      this.#log.commit();
    } catch (error) {
      // The next flush must look at these segments again from the start.
      for (const segment of this.#pinned) {
        this.#kernel.verbs.setDiskCopyLost(segment, 1);
        this.#kernel.verbs.setDeferred(segment, 1);
      }
      throw error;
    } finally {
      for (const segment of this.#pinned) this.#kernel.verbs.unpinSegment(segment);
      this.#pinned.clear();
    }
    return isComplete;
  }

  /** Segments with something to flush, oldest first: the disk log keeps the order of writes. */
  #pending(reach: FlushReach): number[] {
    const pending: { readonly segment: number; readonly order: number }[] = [];
    const table = this.#table;
    for (let segment = 0; segment < table.count; segment++) {
      const state = table.state(segment);
      if (state === codes.segmentFree || (state === codes.segmentOpen && reach === "sealed"))
        continue;
      const isWritten = table.flushedOffset(segment) >= table.writeOffset(segment);
      if (isWritten && !this.#isDueAgain(segment, reach)) continue;
      // Read the order once: other threads seal segments during the sort.
      pending.push({
        segment,
        order: state === codes.segmentOpen ? Infinity : table.sealOrder(segment),
      });
    }
    pending.sort((left, right) => left.order - right.order || left.segment - right.segment);
    return pending.map(({ segment }) => segment);
  }

  /** Must records that were already looked at be looked at again? While a stream spills, its
   *  writer waits for what it had written before it did. */
  #isDueAgain(segment: number, reach: FlushReach): boolean {
    const isLooking = reach !== "sealed" || this.#kernel.verbs.spillingStreams() === 1;
    if (isLooking && this.#table.hasDiskCopyLost(segment)) return true;
    return reach === "all" && this.#table.hasDeferred(segment);
  }

  /** False if it must be tried again. The segment stays pinned until its last batch is written, so
   *  that the outcome is not applied to other records that reuse its bytes. */
  #flushSegment(segment: number, reach: FlushReach, now: number): boolean {
    const table = this.#table;
    if (this.#kernel.verbs.pinSegment(segment) === 0) {
      // Another thread is reclaiming it, which loses nothing if all its records are dead.
      const epoch = this.#kernel.control.clearEpoch();
      return table.state(segment) === codes.segmentFree || table.isDead(segment, now, epoch);
    }
    this.#pinned.add(segment);
    const { verbs, records } = this.#kernel;
    const isSealed = table.state(segment) === codes.segmentSealed;
    const isInMain = table.log(segment) === codes.logMain;
    let from = table.flushedOffset(segment);
    if (this.#isDueAgain(segment, reach)) {
      verbs.setDiskCopyLost(segment, 0);
      if (reach === "all") verbs.setDeferred(segment, 0);
      from = 0;
    }
    let isComplete = true;
    const account = { segment, generation: table.generation(segment) };
    let progress: Progress | undefined;
    let flushedTo = from;
    const walk = table.walk(segment, from);
    while (walk.next()) {
      const { record, size, nextOffset } = walk;
      // The owner of an open segment reserves and publishes in one step, so only its last record
      // can still be unpublished. An earlier unpublished record was abandoned: superseded, or its
      // key's lock could not be taken.
      if (records.sequence(record) === 0 && !isSealed && nextOffset >= walk.end) break;
      const verdict = this.#admission.judge(record, now, reach === "all", isInMain);
      if (verdict === "busy") {
        isComplete = false;
        break;
      }
      if (verdict === "deferred") verbs.setDeferred(segment, 1);
      if (verdict === "unfinished") verbs.setDiskCopyLost(segment, 1);
      if (verdict === "write") {
        const isOfValue = isChunk(records.flags(record));
        const location = this.#log.place(size, isOfValue, records.sequence(record), now);
        // If `place` has written the batch, the old progress has its outcome: start a new one.
        if (progress?.batch !== this.#log.batchNumber) {
          progress = new Progress(this.#kernel, account, this.#log.batchNumber, walk.offset);
          this.#log.afterBatch(progress);
        }
        isComplete = this.#announce(record, size, location, progress);
        if (!isComplete) break;
        progress.end = nextOffset;
      }
      flushedTo = nextOffset;
    }
    const flushed = new Progress(this.#kernel, account, this.#log.batchNumber, flushedTo);
    this.#log.afterBatch(flushed);
    return isComplete;
  }

  /** False if the record's key is locked: its state is unknown. */
  #announce(record: number, size: number, location: number, progress: Progress): boolean {
    const answer = this.#kernel.verbs.reserveDiskLocation(record, location);
    if (answer === codes.answerBusy) return false;
    if (answer !== codes.answerDone) {
      if (answer === codes.answerSuperseded) this.#log.skip(size);
      if (!isChunk(this.#kernel.records.flags(record))) {
        this.#kernel.count(counter.counterRefusedDead, 1);
      }
      return true;
    }
    progress.announced.push(record);
    const { records } = this.#kernel;
    const sequence = records.sequence(record);
    const bytes = records.bytes(record, size);
    // The parts of a value in chunks may change until they are copied; nothing else does. The hash
    // of the key, which the log takes from the results, stays there.
    const checksum = isPart(records.flags(record)) ? -1 : this.#log.checksumOf(record, size);
    this.#log.append(bytes, size, sequence, records.deadline(record), checksum);
    return true;
  }
}

function isPart(flags: number): boolean {
  return isHead(flags) || isChunk(flags);
}

/** The records of one segment in one batch. They count as flushed once the batch is written; if it
 *  fails, their disk locations are taken back. */
class Progress implements BatchOutcome {
  readonly batch: number;
  readonly announced: number[] = [];
  end: number;
  readonly #kernel: Kernel;
  readonly #segment: number;
  readonly #generation: number;

  constructor(
    kernel: Kernel,
    account: { readonly segment: number; readonly generation: number },
    batch: number,
    end: number,
  ) {
    this.#kernel = kernel;
    this.#segment = account.segment;
    this.#generation = account.generation;
    this.batch = batch;
    this.end = end;
  }

  written(): void {
    this.#kernel.verbs.setFlushed(this.#segment, this.end, this.#generation);
  }

  failed(): void {
    const { verbs } = this.#kernel;
    for (const record of this.announced) retryWhileBusy(() => verbs.reserveDiskLocation(record, 0));
  }
}
