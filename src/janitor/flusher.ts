// Flushing: copies the live records of memory segments to the disk log. Runs in the janitor. Invariant: a record's disk
// location is announced in its header before its bytes are written, under its key's lock; a write or delete that comes
// later sees it and marks it dead on disk, one that came before makes the record dead and it is not written.
import { type Kernel, layout as at } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";
import type { BatchOutcome, DiskLog } from "./disk-log.js";
import { RecordHeader, SegmentTable } from "./segments.js";

export class Flusher {
  readonly #kernel: Kernel;
  readonly #log: DiskLog;
  readonly #table: SegmentTable;
  readonly #header: RecordHeader;

  constructor(kernel: Kernel, log: DiskLog) {
    this.#kernel = kernel;
    this.#log = log;
    this.#table = new SegmentTable(kernel);
    this.#header = new RecordHeader(kernel);
  }

  /** Writes what is published and not yet on disk: of sealed segments, and with `open` of open ones too. `betweenSegments`
   *  runs after each. Throws ERR_DISK_IO; the records of the failed batch stay unflushed. */
  flush(open: boolean, now: number, betweenSegments: () => void): void {
    for (const segment of this.#pending(open)) {
      this.#flushSegment(segment, now);
      betweenSegments();
    }
    this.#log.commit();
  }

  /** Segments with something to flush, oldest first, so that the disk log keeps the order of the writes. */
  #pending(open: boolean): number[] {
    const pending: number[] = [];
    for (let segment = 0; segment < this.#table.count; segment++) {
      const state = this.#table.state(segment);
      if (state !== at.segmentSealed && !(open && state === at.segmentOpen)) continue;
      if (this.#table.flushedOffset(segment) < this.#table.writeOffset(segment))
        pending.push(segment);
    }
    const order = (segment: number): number =>
      this.#table.state(segment) === at.segmentSealed ? this.#table.sealOrder(segment) : Infinity;
    return pending.sort((left, right) => order(left) - order(right) || left - right);
  }

  #flushSegment(segment: number, now: number): void {
    const base = this.#table.base(segment);
    const isSealed = this.#table.state(segment) === at.segmentSealed;
    const end = this.#table.writeOffset(segment);
    let offset = this.#table.flushedOffset(segment);
    let progress: Progress | undefined;
    while (offset < end) {
      const record = base + offset;
      const size = this.#header.size(record);
      // No record: the walk would never end, or end in another's.
      if (size === 0) break;
      const next = offset + ((size + 7) & ~7);
      // The owner of an open segment reserves and publishes in one go, so only its last record may be under its hands;
      // one before that was given up (overtaken, or its key's lock could not be had).
      if (this.#header.sequence(record) === 0 && !isSealed && next >= end) break;
      if (this.#isWanted(record, now)) {
        const location = this.#log.place(size, now);
        // `place` may have written the batch; what it wrote is done with, and a new account begins.
        if (progress?.batch !== this.#log.batchNumber) {
          progress = new Progress(this.#kernel, segment, this.#log.batchNumber);
          this.#log.afterBatch(progress);
        }
        this.#announce(record, size, location, progress);
        progress.end = next;
      }
      offset = next;
    }
    const flushed = offset;
    this.#log.afterBatch({
      written: () => this.#kernel.verbs.setFlushed(segment, flushed),
      failed: () => undefined,
    });
  }

  #isWanted(record: number, now: number): boolean {
    // Moved or promoted records bring their disk copy along.
    if (this.#header.sequence(record) === 0 || this.#header.durable(record) !== 0) return false;
    if (this.#header.deadline(record) > now) return true;
    this.#kernel.count(counter.counterRefusedExpired, 1);
    return false;
  }

  #announce(record: number, size: number, location: number, progress: Progress): void {
    if (this.#kernel.verbs.assignDurable(record, location) !== at.answerDone) {
      this.#kernel.count(counter.counterRefusedDead, 1);
      return;
    }
    progress.announced.push(record);
    const sequence = this.#header.sequence(record);
    const deadline = this.#header.deadline(record);
    this.#log.append(this.#kernel.views.u8, record, size, sequence, deadline);
  }
}

/** The records of one segment in one batch: flushed when it is written, unannounced when it fails. */
class Progress implements BatchOutcome {
  readonly batch: number;
  readonly announced: number[] = [];
  end = 0;
  readonly #kernel: Kernel;
  readonly #segment: number;

  constructor(kernel: Kernel, segment: number, batch: number) {
    this.#kernel = kernel;
    this.#segment = segment;
    this.batch = batch;
  }

  written(): void {
    this.#kernel.verbs.setFlushed(this.#segment, this.end);
  }

  failed(): void {
    for (const record of this.announced) this.#kernel.verbs.assignDurable(record, 0);
  }
}
