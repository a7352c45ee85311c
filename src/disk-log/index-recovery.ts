// Bringing the index back at open: from the snapshot of a clean close, else from the index blocks of the segments,
// newest segment and newest record first. Runs in the janitor before any other thread sees the cache. Invariant: every
// record on disk that is alive and unexpired afterwards is in the index; what could not be indexed was marked dead, or
// it could come back one day as an older value.
import { assert, UndercroftError } from "../base/mod.js";
import { schemasMax } from "../dictionary/mod.js";
import {
  packLocation,
  readSegmentIdentity,
  type RecoveryFilter,
  scanSegment,
  segmentKeyOf,
  type SegmentScan,
  reconcileSegment,
} from "../disk/mod.js";
import {
  readSnapshot,
  type SegmentState,
  type SnapshotPlace,
  type TagEpochs,
} from "../directory/mod.js";
import type { Hasher } from "../hash/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";
import type { DirectoryWriter, DiskHandle } from "../tiers/mod.js";

/** Sequences skipped after an unclean stop, for writes that reached no file: 2^24 is more than fit in memory. */
const sequenceMargin = 2 ** 24;

/** What to bring back from disk, and how. */
export interface RecoveryTask {
  readonly filter: RecoveryFilter;
  /** Which tags earlier sessions invalidated. */
  readonly tags: TagEpochs;
  readonly snapshot: SnapshotPlace | null;
  readonly nextSequence: number;
}

/** What a recovery brought back. */
export interface RecoveryReport {
  readonly source: "snapshot" | "scan" | "nothing";
  readonly entries: number;
  readonly damagedBatches: number;
  readonly ms: number;
}

export interface RecoveryResult extends RecoveryReport {
  /** A half-filled segment to go on in, or -1. */
  readonly resume: number;
}

export function recover(
  kernel: Kernel,
  disk: DiskHandle,
  directory: DirectoryWriter,
  task: RecoveryTask,
  hasher: Hasher,
  now: number,
): RecoveryResult {
  const startedMs = performance.now();
  const { clearEpoch } = task.filter;
  kernel.verbs.raiseSequence(Math.max(task.nextSequence, clearEpoch + 1), clearEpoch);
  kernel.verbs.raiseTagFloor(task.tags.floor);
  for (const [cell, sequence] of task.tags.cells.entries()) {
    if (sequence !== 0) kernel.verbs.restoreTagCell(cell, sequence);
  }
  const fromSnapshot = task.snapshot === null ? -1 : loadSnapshot(kernel, task, hasher);
  if (fromSnapshot >= 0) {
    const ms = performance.now() - startedMs;
    return { source: "snapshot", entries: fromSnapshot, damagedBatches: 0, resume: -1, ms };
  }
  const scanner = new Scanner(kernel, disk, directory, task, hasher, now);
  scanner.run();
  const ms = performance.now() - startedMs;
  const source = scanner.segments > 0 ? "scan" : "nothing";
  const { entries, damagedBatches, resume } = scanner;
  return { source, entries, damagedBatches, resume, ms };
}

/** Copies the index out of the snapshot; answers its entries, or -1 if there is no usable snapshot. */
function loadSnapshot(kernel: Kernel, task: RecoveryTask, hasher: Hasher): number {
  assert(task.snapshot !== null, "a snapshot is read where there may be one");
  const { bucketCount } = kernel.geometry;
  const index = kernel.slots.bytes();
  let filled = 0;
  const keep = (chunk: Buffer): void => {
    assert(filled + chunk.length <= index.length, "a snapshot is as long as the index");
    index.set(chunk, filled);
    filled += chunk.length;
  };
  let states: SegmentState[] | null = null;
  try {
    states = readSnapshot(task.snapshot, bucketCount, keep, hasher);
  } catch (error) {
    // It changed while it was read: what was copied counts for nothing, and the scan finds the rest.
    if (!(error instanceof UndercroftError)) throw error;
    index.fill(0);
  }
  if (states === null) return -1;
  for (const [segment, state] of states.entries()) {
    if (state.serial === 0 || segment >= kernel.geometry.diskSegmentCount) continue;
    const low = Number(state.nonce & 0xffff_ffffn);
    const high = Number(state.nonce >> 32n);
    kernel.verbs.openDisk(segment, low, high, state.serial, state.createdMs);
    // The snapshot does not keep the newest sequence of each segment: anything written before now may be in it.
    const maxSequence = task.nextSequence;
    const { endOffset, recordCount, maxExpires, tombstoneCount } = state;
    kernel.verbs.extendDisk(segment, endOffset, recordCount, maxExpires, maxSequence);
    kernel.verbs.setTombstoneCount(segment, tombstoneCount);
    kernel.verbs.setDiskState(segment, codes.diskSealed);
  }
  const entries = kernel.verbs.reconcileIndex();
  kernel.count(counter.counterDiskEntries, entries);
  return entries;
}

class Scanner {
  entries = 0;
  segments = 0;
  damagedBatches = 0;
  resume = -1;
  #maxSequence = 0;
  readonly #kernel: Kernel;
  readonly #disk: DiskHandle;
  readonly #directory: DirectoryWriter;
  readonly #task: RecoveryTask;
  readonly #hasher: Hasher;
  readonly #now: number;

  constructor(
    kernel: Kernel,
    disk: DiskHandle,
    directory: DirectoryWriter,
    task: RecoveryTask,
    hasher: Hasher,
    now: number,
  ) {
    this.#kernel = kernel;
    this.#disk = disk;
    this.#directory = directory;
    this.#task = task;
    this.#hasher = hasher;
    this.#now = now;
  }

  run(): void {
    for (const segment of this.#newestFirst()) this.#recoverSegment(segment);
    const { verbs } = this.#kernel;
    const { clearEpoch } = this.#task.filter;
    const known = Math.max(this.#task.nextSequence, this.#maxSequence, clearEpoch);
    verbs.raiseSequence(known + sequenceMargin, clearEpoch);
  }

  #newestFirst(): number[] {
    const lives: { segment: number; serial: number }[] = [];
    const { fds, segmentBytes, seed } = this.#disk;
    for (const [segment, fd] of fds.entries()) {
      const key = segmentKeyOf(seed, segment);
      const life = readSegmentIdentity(fd, segmentBytes, key, this.#hasher);
      if (life !== null) lives.push({ segment, serial: life.serial });
    }
    lives.sort((left, right) => right.serial - left.serial);
    return lives.map(({ segment }) => segment);
  }

  #recoverSegment(segment: number): void {
    const { fds, segmentBytes, seed } = this.#disk;
    const fd = fds[segment] as number;
    const scan = scanSegment(fd, segmentBytes, segmentKeyOf(seed, segment), this.#hasher);
    if (scan === null) return;
    const reconciled = reconcileSegment(fd, segmentBytes, scan, this.#task.filter);
    const { verbs } = this.#kernel;
    const low = Number(scan.nonce & 0xffff_ffffn);
    verbs.openDisk(segment, low, Number(scan.nonce >> 32n), scan.serial, scan.createdMs);
    const { endOffset, recordCount, maxExpires, maxSequence } = scan;
    verbs.extendDisk(segment, endOffset, recordCount, maxExpires, maxSequence);
    verbs.setTombstoneCount(segment, reconciled.tombstoneCount);
    const resumes = this.segments === 0 && reconciled.appendable;
    if (resumes) this.resume = segment;
    else verbs.setDiskState(segment, codes.diskSealed);
    this.segments += 1;
    this.damagedBatches += scan.damagedBatches;
    this.#maxSequence = Math.max(this.#maxSequence, scan.maxSequence);
    this.#raiseSchemas(scan.schemas);
    this.#indexEntries(segment, scan);
  }

  /** An id that a record may name is not given out again, though its schema may be lost. */
  #raiseSchemas(schemas: number): void {
    const { control } = this.#kernel;
    control.setSchemaCount(Math.min(schemasMax, Math.max(control.schemaCount(), schemas)));
  }

  #indexEntries(segment: number, scan: SegmentScan): void {
    const { entries } = scan;
    for (let entry = scan.recordCount - 1; entry >= 0; entry--) {
      if (entries.dead[entry] === 1) continue;
      const offset = (entries.unit[entry] as number) * 16;
      const size = entries.size[entry] as number;
      const location = packLocation(segment, offset, size, this.#disk.segmentBytes);
      const low = entries.hashLow[entry] as number;
      const high = entries.hashHigh[entry] as number;
      const isExpired = (entries.expires[entry] as number) <= this.#now;
      const answer = isExpired
        ? codes.answerAbsent
        : this.#kernel.verbs.insertRecovered(low, high, location);
      if (answer === codes.answerDone) this.entries += 1;
      else this.#directory.writeTombstone(location);
      this.#buryVictim();
    }
  }

  /** In a full bucket an entry gave way: it must not come back either. */
  #buryVictim(): void {
    const write = (location: number): void => this.#directory.writeTombstone(location);
    this.entries -= this.#kernel.tombstones.drain(write);
  }
}
