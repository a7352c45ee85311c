// The disk log as the janitor writes it: which segment file is open, and the batches that go into
// it. Only the janitor calls it. Invariant: one spare segment is always free, so that reclaim has
// room to rewrite the entries that were hit.
import { randomBytes } from "node:crypto";
import { MiB, UndercroftError } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import {
  BatchBuilder,
  packLocation,
  resetSegment,
  segmentHeaderSize,
  segmentKeyOf,
  type SegmentScan,
  voidSegment,
  writeBatch,
} from "../disk/mod.js";
import type { RemovalReporter } from "../eviction/mod.js";
import type { Hasher } from "../hash/mod.js";
import { codes, type DiskSegmentTable, type Kernel, type TombstoneWriter } from "../kernel/mod.js";
import { isChunk, recordFlags, recordSpace } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import { filesOf, type ThreadDisk } from "../tiers/mod.js";
import { voidBatch } from "./failover.js";
import { DiskShares } from "./disk-shares.js";
import { type BatchOutcome, Reclaimer, type ReinsertionLog } from "./reclaimer.js";
import { chooseVictim, findFree, isTrusted, lastUsed, usedSegments } from "./segment-choice.js";
import type { WriteBudget } from "./admission/write-budget.js";

/** Share of a reclaimed segment that may be rewritten. Bounds write amplification at 4/3. */
const reinsertionShare = 1 / 4;

/** Overhead of a record: 16 bytes in the batch's index block, 8 bytes of room for its tombstone. */
const perRecordBytes = 24;

/** What a disk log needs besides the kernel and the directory. */
export interface DiskLogParts {
  readonly hasher: Hasher;
  /** Charged for every appended record. */
  readonly budget: WriteBudget;
  /** Receives the entries that leave the disk; null if no thread can receive them. */
  readonly removals: RemovalReporter | null;
  readonly writeTombstone: TombstoneWriter;
  readonly device?: Device;
}

export class DiskLog implements ReinsertionLog {
  readonly table: DiskSegmentTable;
  readonly #kernel: Kernel;
  readonly #disk: ThreadDisk;
  readonly #hasher: Hasher;
  readonly #device: Device;
  readonly #builder: BatchBuilder;
  readonly #budget: WriteBudget;
  readonly #reclaimer: Reclaimer;
  readonly #shares: DiskShares;
  #open = -1;
  /** From which number on segments are to be emptied, -1 = none are; the bytes that may be written
   *  again for it; and whether one is being emptied. */
  #emptied = { end: -1, left: 0, isUnderWay: false };
  /** Of the open segment. */
  #nonce = { low: 0, high: 0 };
  #batchNumber = 0;
  #writes = 0;
  #outcomes: BatchOutcome[] = [];
  #batch = { records: 0, maxExpires: 0, maxSequence: 0 };

  constructor(kernel: Kernel, disk: ThreadDisk, parts: DiskLogParts) {
    const { hasher, budget, device = fileDevice } = parts;
    this.table = kernel.diskSegments;
    this.#kernel = kernel;
    this.#disk = disk;
    this.#hasher = hasher;
    this.#device = device;
    this.#budget = budget;
    const scan = (segment: number): SegmentScan | null => this.#reclaimer.scan(segment);
    this.#shares = new DiskShares(kernel, disk.segmentBytes, scan);
    const { writeTombstone, removals } = parts;
    const reclaim = { hasher, budget, removals, writeTombstone, device, shares: this.#shares };
    this.#reclaimer = new Reclaimer(this, kernel, disk, reclaim);
    const bufferBytes = Math.max(MiB, kernel.geometry.segmentBytes) + 64 * 1024;
    this.#builder = new BatchBuilder(bufferBytes, hasher, disk.cipher);
  }

  /** The segment being written, or -1. */
  get openSegment(): number {
    return this.#open;
  }

  /** Continues in a segment that recovery found half filled. */
  resume(segment: number): void {
    this.#open = segment;
    this.#begin();
  }

  #begin(): void {
    const nonce = this.table.nonce(this.#open);
    this.#nonce = { low: Number(nonce & 0xffff_ffffn), high: Number(nonce >> 32n) };
    this.#builder.begin({
      nonce,
      offset: this.table.endOffset(this.#open) || segmentHeaderSize,
      segmentBytes: this.#disk.segmentBytes,
      recordCount: this.table.recordCount(this.#open),
    });
    this.#batch = { records: 0, maxExpires: 0, maxSequence: 0 };
    this.#batchNumber += 1;
  }

  /** Number of the batch under construction. It changes once that batch is written. */
  get batchNumber(): number {
    return this.#batchNumber;
  }

  /** The location of the next record of `size` bytes, a chunk or not. Writes the batch or opens a
   *  segment first if there is no room. */
  place(size: number, isChunk: boolean, sequence: number, now: number): number {
    if (this.#open < 0) this.#openNext(now);
    if (!this.#builder.takes(sequence)) this.commit();
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
        `Cannot write a record of ${size} bytes to disk: it does not fit an empty segment file`,
      );
    }
    const sizeOnDisk = this.#builder.sizeOnDisk(size);
    return packLocation(this.#open, offset, sizeOnDisk, this.#disk.segmentBytes, isChunk);
  }

  /** The checksum that a record of shared memory gets where `place` has made room for it, or -1 if
   *  that cannot be told before it is copied: it is to be encrypted. */
  checksumOf(record: number, size: number): number {
    if (this.#disk.cipher !== null) return -1;
    const { low, high } = this.#nonce;
    const offset = this.#builder.nextOffset(size);
    return this.#kernel.verbs.checksumOnDisk(record, (low ^ offset) >>> 0, high) >>> 0;
  }

  /** Appends the record that `place` made room for. The last kernel call left its hash. */
  append(
    source: Uint8Array,
    size: number,
    sequence: number,
    expires: number,
    checksum?: number,
  ): void {
    const { hashLow, hashHigh } = this.#kernel.results;
    this.#builder.append(source, 0, size, hashLow, hashHigh, sequence, expires, checksum);
    this.#batch.records += 1;
    this.#batch.maxExpires = Math.max(this.#batch.maxExpires, expires);
    this.#batch.maxSequence = Math.max(this.#batch.maxSequence, sequence);
    const sizeOnDisk = this.#builder.sizeOnDisk(size);
    this.#budget.charge(sizeOnDisk + perRecordBytes);
    this.#shares.note(this.#open, source[recordSpace] as number, sizeOnDisk);
    if (!isChunk(source[recordFlags] as number)) {
      this.#kernel.count(counter.counterFlushedRecords, 1);
    }
    this.#kernel.count(counter.counterFlushedBytes, size);
  }

  /** Leaves the room from `place` empty: the entry was removed while its location was being
   *  announced, and the thread that removed it may write its tombstone. It counts as a record
   *  because that tombstone takes an index in the tombstone list. */
  skip(size: number): void {
    this.#builder.skip(size);
    this.#batch.records += 1;
  }

  /** Registers an outcome to call once the batch under construction is on disk or has failed. */
  afterBatch(outcome: BatchOutcome): void {
    this.#outcomes.push(outcome);
  }

  #takeOutcomes(): BatchOutcome[] {
    const outcomes = this.#outcomes;
    this.#outcomes = [];
    return outcomes;
  }

  /** Writes the batch under construction. If that fails, calls each `failed`, then throws
   *  ERR_DISK_IO. */
  commit(): void {
    const outcomes = this.#takeOutcomes();
    if (this.#open >= 0 && this.#builder.count > 0) {
      const end = this.#builder.endOffset;
      const bytes = this.#builder.finish(this.#kernel.control.schemaCount());
      this.#write(bytes, outcomes);
      const { records, maxExpires, maxSequence } = this.#batch;
      this.#kernel.verbs.extendDisk(this.#open, end, records, maxExpires, maxSequence);
      this.#kernel.count(counter.counterDiskWrites, 1);
      this.#kernel.count(counter.counterDiskWriteBytes, bytes.length);
      this.#writes += 1;
      this.#begin();
    }
    for (const outcome of outcomes) outcome.written();
  }

  #write(bytes: Buffer, outcomes: readonly BatchOutcome[]): void {
    const fd = this.#disk.files.fd(this.#open);
    const offset = this.table.endOffset(this.#open) || segmentHeaderSize;
    try {
      this.#assertWritable();
      writeBatch(fd, bytes, offset, this.#device);
      this.#assertWritable();
    } catch (error) {
      // A failed write may have reached the file whole. Its locations are about to be dropped, so
      // make it void: a later session must not bring its records back.
      const recordCount = this.table.recordCount(this.#open);
      const isVoid = voidBatch(this.#disk, this.#open, offset, recordCount, this.#device);
      if (isVoid) this.#kernel.verbs.sealDisk(this.#open);
      else this.#kernel.verbs.setDiskState(this.#open, codes.diskQuarantined);
      this.#open = -1;
      for (const outcome of outcomes) outcome.failed();
      throw error;
    }
  }

  /** Throws if another thread has quarantined the open segment. */
  #assertWritable(): void {
    if (this.table.state(this.#open) === codes.diskOpen) return;
    const text = "Cannot write a batch: a tombstone could not be written to its segment";
    throw new UndercroftError("ERR_DISK_IO", text);
  }

  /** Writes the batch under construction and seals the open segment. */
  seal(): void {
    if (this.#open < 0) return;
    this.commit();
    this.#kernel.verbs.sealDisk(this.#open);
    this.#open = -1;
  }

  /** Counts successful writes. */
  get writes(): number {
    return this.#writes;
  }

  /** Tests the disk with a write that changes nothing. Throws ERR_DISK_IO if it fails. */
  probe(): void {
    const segment = findFree(this.table);
    if (segment < 0) return;
    voidSegment(this.#disk.files.fd(segment), this.#device);
    this.#writes += 1;
  }

  #openNext(now: number): void {
    let segment = findFree(this.table);
    if (segment < 0) {
      this.dropQuarantined();
      segment = findFree(this.table);
    }
    if (segment < 0) {
      // Only after a failed reclaim. Without a spare segment nothing that was hit can be rewritten.
      ({ segment } = this.#reclaimNext(now, 0));
      if (this.table.state(segment) !== codes.diskFree) {
        throw new UndercroftError("ERR_DISK_IO", "Cannot write to disk: no segment is free");
      }
    }
    const nonce = randomBytes(8).readBigUInt64LE(0);
    const serial = this.table.maxSerial() + 1;
    const identity = { nonce, serial, createdMs: now };
    const key = segmentKeyOf(this.#disk.seed, segment);
    const fd = this.#disk.files.fd(segment);
    // Once any thread has asked for an fsync, a power loss must not undo the reset: the old records
    // would return without their tombstones.
    const { syncResets } = filesOf(this.#disk);
    const sync = syncResets || this.#kernel.flushes.syncRequested() !== 0;
    resetSegment(fd, this.#disk.segmentBytes, identity, key, this.#hasher, sync, this.#device);
    const low = Number(nonce & 0xffff_ffffn);
    this.#kernel.verbs.openDisk(segment, low, Number(nonce >> 32n), serial, now);
    this.#open = segment;
    this.#shares.begin(segment);
    this.#begin();
    if (findFree(this.table) < 0) {
      this.#reclaimNext(now, this.#disk.segmentBytes * reinsertionShare);
    }
    // While the disk is made smaller, two leave for each that is opened, or it would never end.
    const { end, isUnderWay } = this.#emptied;
    if (end >= 0 && !isUnderWay && usedSegments(this.table) > end) this.#reclaimOne(now);
  }

  /** Makes a step towards having nothing in the segments with a number from `end` on, and a spare
   *  one below; answers whether that is so. What is oldest and was not hit leaves until the rest
   *  fits; then what is left there moves, since the first free segment is the next to be opened.
   *  Throws ERR_DISK_IO. */
  emptyFrom(end: number, now: number): boolean {
    const last = lastUsed(this.table);
    const surplus = usedSegments(this.table) - end + 1;
    if (last < end && surplus <= 0) return true;
    // What is quarantined is emptied before the next flush.
    if (!isTrusted(this.table)) return false;
    if (surplus <= 0) {
      if (last === this.#open) this.seal();
      this.#reclaimer.move(last, now);
      this.#writes += 1;
      return false;
    }
    // As much as leaves may be written again, or what was hit long ago would leave for what is
    // newer; then no more than at any reclaim, so it ends.
    const left = surplus * this.#disk.segmentBytes;
    if (this.#emptied.end !== end) this.#emptied = { end, left, isUnderWay: false };
    this.#reclaimOne(now);
    return false;
  }

  /** Reclaims a segment since there are too many. */
  #reclaimOne(now: number): void {
    const { segmentBytes } = this.#disk;
    const emptied = this.#emptied;
    const share = segmentBytes * reinsertionShare;
    const budget = Math.max(share, Math.min(segmentBytes, emptied.left));
    emptied.isUnderWay = true;
    try {
      emptied.left -= this.#reclaimNext(now, budget).rewritten;
    } finally {
      emptied.isUnderWay = false;
    }
  }

  /** No segment is to be emptied, or none any more. */
  emptyNothing(): void {
    this.#emptied.end = -1;
  }

  /** Reclaims the next victim (see chooseVictim). */
  #reclaimNext(
    now: number,
    budget: number,
  ): { readonly segment: number; readonly rewritten: number } {
    const { control } = this.#kernel;
    const segment = chooseVictim(this.table, control, now, this.#open, this.#shares);
    if (segment < 0) {
      const text = "Cannot write to disk: no segment can be reclaimed";
      throw new UndercroftError("ERR_DISK_IO", text);
    }
    const rewritten = this.#reclaimer.reclaim(segment, now, budget);
    this.#writes += 1;
    return { segment, rewritten };
  }

  /** Voids and empties the quarantined segments: a thread failed to write a tombstone there, and
   *  perhaps failed to void the segment too. Every entry in them is dropped; records still in
   *  memory are written again. Throws ERR_DISK_IO. The tier must not come up before this has
   *  succeeded. */
  dropQuarantined(): void {
    for (let segment = 0; segment < this.table.count(); segment++) {
      if (this.table.state(segment) !== codes.diskQuarantined) continue;
      if (segment === this.#open) {
        this.#open = -1;
        for (const outcome of this.#takeOutcomes()) outcome.failed();
      }
      voidSegment(this.#disk.files.fd(segment), this.#device);
      this.#writes += 1;
      if (!this.table.hasPendingTombstone(segment)) this.#reclaimer.free(segment, false);
    }
  }
}
