// The disk log as the janitor writes it: which segment file is open, batches into it, and reclaim of the oldest when
// files run out. Invariants: one spare segment is always free, so that reclaim has somewhere to put what was hit; a slot
// is pointed at its new place before the bytes are written there, so that whoever deletes the entry meanwhile marks the
// new place dead; a reclaimed segment is void on disk before its first entry is let go.
import { randomBytes } from "node:crypto";
import { MiB, UndercroftError } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import {
  BatchBuilder,
  offsetOfLocation,
  packLocation,
  resetSegment,
  scanSegment,
  segmentHeaderSize,
  segmentKeyOf,
  type SegmentEntries,
  type SegmentScan,
  verifyRecord,
  voidSegment,
  writeBatch,
} from "../disk/mod.js";
import type { Hasher } from "../hash/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { isTagInvalidated } from "../memory/mod.js";
import { RecordReader } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import type { DiskHandle } from "../tiers/mod.js";
import type { RemovalReporter } from "./removals.js";
import { DiskTable } from "./disk-table.js";
import type { Removal } from "./messages.js";
import { retryWhileBusy } from "./retry-while-busy.js";
import { forget, voidBatch } from "./failover.js";
import type { WriteBudget } from "./write-budget.js";

/** The share of a reclaimed segment that may be written again: bounds write amplification at 1 / (1 - 1/4). */
const reinsertionShare = 1 / 4;
/** Milliseconds to wait for a writer that is about to write a dead mark into the segment being reclaimed. */
const tombstoneWaitMs = 1000;

/** What a record takes beside its bytes: its entry in the batch's index and room for its dead mark. */
const perRecordBytes = 40;

/** What becomes of the records of a batch when it is written, or cannot be. */
export interface BatchOutcome {
  written(): void;
  failed(): void;
}

export class DiskLog {
  readonly table: DiskTable;
  readonly #kernel: Kernel;
  readonly #disk: DiskHandle;
  readonly #hasher: Hasher;
  readonly #device: Device;
  readonly #builder: BatchBuilder;
  readonly #budget: WriteBudget;
  #open = -1;
  #batchNumber = 0;
  #writes = 0;
  /** Segments in which the index may name places that were never written. */
  readonly #suspect = new Set<number>();
  #outcomes: BatchOutcome[] = [];
  #removals: RemovalReporter | null = null;
  /** The record that reclaim looks at. */
  readonly #record: RecordReader;
  #batch = { records: 0, maxExpires: 0, maxSequence: 0 };

  /** `budget` is charged for every record that is appended. */
  constructor(
    kernel: Kernel,
    disk: DiskHandle,
    hasher: Hasher,
    budget: WriteBudget,
    device: Device = fileDevice,
  ) {
    this.#budget = budget;
    this.table = new DiskTable(kernel);
    this.#kernel = kernel;
    this.#record = new RecordReader(0, kernel.createdBaseMs);
    this.#disk = disk;
    this.#hasher = hasher;
    this.#device = device;
    const bufferBytes = Math.max(MiB, kernel.geometry.segmentBytes) + 64 * 1024;
    this.#builder = new BatchBuilder(bufferBytes, hasher);
  }

  /** Tells of entries that leave the disk from now on. */
  tellOf(removals: RemovalReporter): void {
    this.#removals = removals;
  }

  /** Goes on in a segment that recovery found half filled. */
  resume(segment: number): void {
    this.#open = segment;
    this.#begin();
  }

  #begin(): void {
    this.#builder.begin({
      nonce: this.table.nonce(this.#open),
      offset: this.table.endOffset(this.#open) || segmentHeaderSize,
      segmentBytes: this.#disk.segmentBytes,
      recordCount: this.table.recordCount(this.#open),
    });
    this.#batch = { records: 0, maxExpires: 0, maxSequence: 0 };
    this.#batchNumber += 1;
  }

  /** Counts batches: a new number means that the batch before was written. */
  get batchNumber(): number {
    return this.#batchNumber;
  }

  /** The location that the next record of `size` bytes will have; writes the batch or opens a segment as needed. */
  place(size: number, now: number): number {
    if (this.#open < 0) this.#openNext(now);
    let offset = this.#builder.nextOffset(size);
    if (offset < 0 && this.#builder.count > 0) {
      this.commit();
      offset = this.#builder.nextOffset(size);
    }
    if (offset < 0) {
      this.seal();
      this.#openNext(now);
      offset = this.#builder.nextOffset(size);
    }
    if (offset < 0) {
      throw new UndercroftError(
        "ERR_DISK_IO",
        `Cannot write a record of ${size} bytes: a segment is smaller`,
      );
    }
    return packLocation(this.#open, offset, size, this.#disk.segmentBytes);
  }

  /** Appends the record that `place` made room for. The hash is the one of the kernel's last call. */
  append(source: Uint8Array, from: number, size: number, sequence: number, expires: number): void {
    const word = this.#kernel.block / 4;
    const hashLow = this.#kernel.views.u32[word + at.resultHashLow / 4] as number;
    const hashHigh = this.#kernel.views.u32[word + at.resultHashHigh / 4] as number;
    this.#builder.append(source, from, size, hashLow, hashHigh, sequence, expires);
    this.#batch.records += 1;
    this.#batch.maxExpires = Math.max(this.#batch.maxExpires, expires);
    this.#batch.maxSequence = Math.max(this.#batch.maxSequence, sequence);
    this.#budget.charge(size + perRecordBytes);
    this.#kernel.count(counter.counterFlushedRecords, 1);
    this.#kernel.count(counter.counterFlushedBytes, size);
  }

  /** Leaves the place that `place` answered empty: its entry was taken away when the place had been announced, and whoever
   *  did that may mark it dead. It counts as a record, since it may take a place in the dead list. */
  skip(size: number): void {
    this.#builder.skip(size);
    this.#batch.records += 1;
  }

  /** Is told when the batch under construction is on disk, or failed. */
  afterBatch(outcome: BatchOutcome): void {
    this.#outcomes.push(outcome);
  }

  /** Writes the batch under construction. Throws ERR_DISK_IO after the records' owners were told. */
  commit(): void {
    const outcomes = this.#outcomes;
    this.#outcomes = [];
    if (this.#open >= 0 && this.#builder.count > 0) {
      const fd = this.#disk.fds[this.#open] as number;
      const end = this.#builder.endOffset;
      const offset = this.table.endOffset(this.#open) || segmentHeaderSize;
      const bytes = this.#builder.finish(
        Atomics.load(this.#kernel.views.i32, at.controlSchemaCount / 4),
      );
      try {
        this.#assertWritable();
        writeBatch(fd, bytes, offset, this.#device);
        this.#assertWritable();
      } catch (error) {
        // A failed write may have reached the file whole: its records are unannounced now, and must not come back.
        const recordCount = this.table.recordCount(this.#open);
        const isVoid = voidBatch(this.#disk, this.#open, offset, recordCount, this.#device);
        if (isVoid) this.#kernel.verbs.sealDisk(this.#open);
        else this.#kernel.verbs.setDiskState(this.#open, at.diskQuarantined);
        this.#open = -1;
        for (const outcome of outcomes) outcome.failed();
        throw error;
      }
      const { records, maxExpires, maxSequence } = this.#batch;
      this.#kernel.verbs.extendDisk(this.#open, end, records, maxExpires, maxSequence);
      this.#kernel.count(counter.counterDiskWrites, 1);
      this.#kernel.count(counter.counterDiskWriteBytes, bytes.length);
      this.#writes += 1;
      this.#begin();
    }
    for (const outcome of outcomes) outcome.written();
  }

  /** Another thread may have given the open segment up. */
  #assertWritable(): void {
    if (this.table.state(this.#open) === at.diskOpen) return;
    const text = "Cannot write a batch: a dead mark could not be written to its segment";
    throw new UndercroftError("ERR_DISK_IO", text);
  }

  /** Ends the open segment. */
  seal(): void {
    if (this.#open < 0) return;
    this.commit();
    this.#kernel.verbs.sealDisk(this.#open);
    this.#open = -1;
  }

  /** Counts writes that worked. */
  get writes(): number {
    return this.#writes;
  }

  /** Finds out whether the disk takes writes, by one that changes nothing. Throws ERR_DISK_IO if not. */
  probe(): void {
    const segment = this.table.findFree();
    if (segment < 0) return;
    voidSegment(this.#disk.fds[segment] as number, this.#device);
    this.#writes += 1;
  }

  #openNext(now: number): void {
    let segment = this.table.findFree();
    if (segment < 0) {
      this.dropQuarantined();
      segment = this.table.findFree();
    }
    if (segment < 0) {
      // Only after a failed reclaim: without a spare nothing that was hit can be saved.
      segment = this.#chooseVictim(now);
      this.#reclaim(segment, now, 0);
      if (this.table.state(segment) !== at.diskFree) {
        throw new UndercroftError("ERR_DISK_IO", "Cannot write to disk: no segment is free");
      }
    }
    const nonce = randomBytes(8).readBigUInt64LE(0);
    const serial = this.table.maxSerial() + 1;
    const life = { nonce, serial, createdMs: now };
    const key = segmentKeyOf(this.#disk.seed, segment);
    const fd = this.#disk.fds[segment] as number;
    const sync = this.#disk.syncResets || this.#hasSynced();
    resetSegment(fd, this.#disk.segmentBytes, life, key, this.#hasher, sync, this.#device);
    const low = Number(nonce & 0xffff_ffffn);
    this.#kernel.verbs.openDisk(segment, low, Number(nonce >> 32n), serial, now);
    this.#open = segment;
    this.#begin();
    if (this.table.findFree() < 0) {
      this.#reclaim(this.#chooseVictim(now), now, this.#disk.segmentBytes * reinsertionShare);
    }
  }

  /** Has anybody asked for an fsync in this life of the cache? */
  #hasSynced(): boolean {
    return Atomics.load(this.#kernel.views.i32, at.controlFlushSync / 4) !== 0;
  }

  /** A sealed segment of which nothing lives, else the oldest. */
  #chooseVictim(now: number): number {
    const victim = this.table.chooseVictim(now, this.#open);
    if (victim >= 0) return victim;
    throw new UndercroftError("ERR_DISK_IO", "Cannot write to disk: no segment can be reclaimed");
  }

  /** Empties a segment and makes it free; entries that were hit are written again, up to `budget` bytes. Throws
   *  ERR_DISK_IO, after which the segment can be reclaimed anew. */
  #reclaim(segment: number, now: number, budget: number): void {
    const scan = this.#scan(segment);
    // Void before the state says so: what a successor finds reclaiming is void, whatever else was done.
    voidSegment(this.#disk.fds[segment] as number, this.#device);
    this.#writes += 1;
    this.#kernel.verbs.setDiskState(segment, at.diskReclaiming);
    let isEmpty = false;
    try {
      isEmpty = scan !== null && this.#dropAll(segment, scan, now, budget);
      this.commit();
    } catch (error) {
      this.#kernel.verbs.setDiskState(segment, at.diskSealed);
      throw error;
    }
    this.#free(segment, isEmpty);
  }

  /** Lets go of every entry that the file tells of; false if the index may name others. */
  #dropAll(segment: number, scan: SegmentScan, now: number, budget: number): boolean {
    const left = { budget };
    let isEmpty =
      !scan.tombstonesDamaged &&
      scan.damagedBatches === 0 &&
      scan.recordCount === this.table.recordCount(segment) &&
      !this.#suspect.has(segment);
    for (let entry = 0; entry < scan.recordCount; entry++) {
      if (scan.entries.dead[entry] === 1) continue;
      if (!this.#letGo(segment, scan.entries, entry, now, left)) isEmpty = false;
    }
    return isEmpty;
  }

  /** Makes a void segment free once nothing names it and nobody writes to it; else it is given up for a later round. */
  #free(segment: number, isEmpty: boolean): void {
    this.#waitForTombstones(segment);
    const isLeft = isEmpty || forget(this.#kernel, this.#disk, segment, 0);
    if (!isLeft || this.table.hasPendingTombstone(segment)) {
      this.#kernel.verbs.setDiskState(segment, at.diskQuarantined);
      return;
    }
    this.#suspect.delete(segment);
    this.#kernel.verbs.setDiskState(segment, at.diskFree);
    this.#kernel.count(counter.counterDiskSegmentsReclaimed, 1);
  }

  /** Null if there is nothing to be read: it was damaged, or made void by a reclaim that failed half way. */
  #scan(segment: number): SegmentScan | null {
    const { segmentBytes, seed, fds } = this.#disk;
    const key = segmentKeyOf(seed, segment);
    try {
      const fd = fds[segment] as number;
      return scanSegment(fd, segmentBytes, key, this.#hasher, this.#device);
    } catch (error) {
      // Bytes that cannot be read must not keep the whole segment from being used again.
      if (!(error instanceof UndercroftError)) throw error;
      this.#kernel.count(counter.counterDiskErrors, 1);
      return null;
    }
  }

  /** Empties the segments that were given up: some thread could not write a dead mark there, and could perhaps not make
   *  them void either. Everything in them is forgotten, so that what is in memory too is written again. Throws
   *  ERR_DISK_IO; the tier must not come up before this has worked. */
  dropQuarantined(): void {
    for (let segment = 0; segment < this.table.count; segment++) {
      if (this.table.state(segment) !== at.diskQuarantined) continue;
      if (segment === this.#open) {
        this.#open = -1;
        const outcomes = this.#outcomes;
        this.#outcomes = [];
        for (const outcome of outcomes) outcome.failed();
      }
      voidSegment(this.#disk.fds[segment] as number, this.#device);
      this.#writes += 1;
      if (!this.table.hasPendingTombstone(segment)) this.#free(segment, false);
    }
  }

  /** False if the entry's key was locked. */
  #letGo(
    segment: number,
    entries: SegmentEntries,
    entry: number,
    now: number,
    left: { budget: number },
  ): boolean {
    const { segmentBytes } = this.#disk;
    const size = entries.size[entry] as number;
    const low = entries.hashLow[entry] as number;
    const high = entries.hashHigh[entry] as number;
    const from = packLocation(segment, (entries.unit[entry] as number) * 16, size, segmentBytes);
    const expires = entries.expires[entry] as number;
    const mayStay = expires > now && left.budget >= size && this.#budget.hasRoom(performance.now());
    const { verbs } = this.#kernel;
    const answer = retryWhileBusy(() => verbs.dropDisk(low, high, from, mayStay ? 0 : 1));
    if (answer === at.answerDone) {
      const isExpired = expires <= now;
      const cause = isExpired ? counter.counterExpirations : counter.counterEvictionsDisk;
      this.#kernel.count(cause, 1);
      this.#tell(from, size, isExpired ? "expired" : "disk");
    }
    if (answer !== at.answerHit) return answer !== at.answerBusy;
    const record = this.#readRecord(from, size);
    const sequence = entries.sequence[entry] as number;
    if (record === null) {
      this.#kernel.count(counter.counterCorruptRecords, 1);
    } else if (
      !isTagInvalidated(this.#kernel, this.#record) &&
      this.#reinsert(record, from, low, high, sequence, expires, now)
    ) {
      left.budget -= size;
      return true;
    }
    return retryWhileBusy(() => verbs.dropDisk(low, high, from, 1)) !== at.answerBusy;
  }

  /** The key is in the record alone: it is read for those who listen. */
  #tell(from: number, size: number, cause: Removal["cause"]): void {
    if (this.#removals?.isWanted !== true) return;
    if (this.#readRecord(from, size) !== null) this.#removals.tellOf(this.#record, cause);
    else this.#kernel.count(counter.counterEventsDropped, 1);
  }

  /** The bytes of a record that is in the index, taken apart in `#record`; null if they are damaged. */
  #readRecord(from: number, size: number): Buffer | null {
    const { segmentBytes, fds } = this.#disk;
    const segment = this.table.segmentOf(from, segmentBytes);
    const offset = offsetOfLocation(from, segmentBytes);
    const buffer = Buffer.allocUnsafe(size);
    const read = this.#read(fds[segment] as number, buffer, offset);
    if (verifyRecord(buffer, 0, read, this.table.nonce(segment), offset, this.#hasher) !== size) {
      return null;
    }
    this.#record.adopt(buffer);
    this.#record.parse(0);
    return buffer;
  }

  /** Writes a record again in the open segment; false if its key was locked. */
  #reinsert(
    buffer: Buffer,
    from: number,
    low: number,
    high: number,
    sequence: number,
    expires: number,
    now: number,
  ): boolean {
    const to = this.place(buffer.length, now);
    // The slot first: from here on whoever deletes the entry marks the new place.
    const { verbs } = this.#kernel;
    const answer = retryWhileBusy(() => verbs.relocateDisk(low, high, from, to));
    if (answer === at.answerSuperseded) this.skip(buffer.length);
    if (answer !== at.answerDone) return answer !== at.answerBusy;
    this.append(buffer, 0, buffer.length, sequence, expires);
    const open = this.#open;
    const failed = (): void => {
      const dropped = retryWhileBusy(() => verbs.dropDisk(low, high, to, 1));
      if (dropped === at.answerBusy) this.#suspect.add(open);
    };
    this.afterBatch({ written: () => undefined, failed });
    return true;
  }

  /** How many bytes could be read; 0 if the disk refuses. */
  #read(fd: number, buffer: Buffer, offset: number): number {
    try {
      return this.#device.readAtSync(fd, buffer, 0, buffer.length, offset);
    } catch (error) {
      if (!(error instanceof UndercroftError)) throw error;
      this.#kernel.count(counter.counterDiskErrors, 1);
      return 0;
    }
  }

  /** Waits until no thread is about to write a dead mark into this segment. */
  #waitForTombstones(segment: number): void {
    for (
      let waited = 0;
      waited < tombstoneWaitMs && this.table.hasPendingTombstone(segment);
      waited++
    ) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
