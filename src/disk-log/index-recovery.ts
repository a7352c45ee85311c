// Recovers the index at open: from the snapshot of a clean close, else from the index blocks of the
// segment files, newest segment and newest record first. Runs in the janitor: before any other
// thread sees the cache, or, when a directory is taken over, beside threads that use it. Invariant:
// afterwards every live, unexpired record on disk is in the index. A record that could not be
// indexed gets a tombstone, or a later session could bring it back as an older value.
import { assert, elapsedMs, UndercroftError } from "../base/mod.js";
import { schemasMax } from "../dictionary/mod.js";
import { fileDevice } from "../device/mod.js";
import {
  isChunkLocation,
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
  type TagHistory,
} from "../directory/mod.js";
import type { Hasher } from "../hash/mod.js";
import { codes, type Kernel, keyTooLong, KeyWindow } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";
import { PayloadReader } from "./snapshot-stream.js";
import type { DirectoryWriter, ThreadDisk } from "../tiers/mod.js";
import { SegmentRecords } from "./segment-record.js";

/** Sequences skipped after a crash, for writes that reached no file: more than fit in memory. */
const sequenceMargin = 2 ** 24;

/** What to recover, and how. */
export interface RecoveryTask {
  readonly filter: RecoveryFilter;
  /** The tags that earlier sessions invalidated. */
  readonly tags: TagHistory;
  readonly snapshot: SnapshotPlace | null;
  readonly nextSequence: number;
  /** The most to bring back to memory afterwards, in bytes. */
  readonly preloadBytes: number;
}

/** What a recovery found. */
export interface RecoveryReport {
  readonly source: "snapshot" | "scan" | "nothing";
  readonly entries: number;
  readonly damagedBatches: number;
  readonly ms: number;
}

export interface RecoveryResult extends RecoveryReport {
  /** A half-filled segment to continue in, or -1. */
  readonly resume: number;
}

export function recover(
  kernel: Kernel,
  disk: ThreadDisk,
  directory: DirectoryWriter,
  task: RecoveryTask,
  hasher: Hasher,
  now: number,
): RecoveryResult {
  const startedMs = elapsedMs();
  const { clearEpoch } = task.filter;
  kernel.verbs.raiseSequence(Math.max(task.nextSequence, clearEpoch + 1), clearEpoch);
  restoreTags(kernel, task.tags);
  const fromSnapshot = task.snapshot === null ? -1 : loadSnapshot(kernel, disk, task, hasher);
  if (fromSnapshot >= 0) {
    const ms = elapsedMs() - startedMs;
    return { source: "snapshot", entries: fromSnapshot, damagedBatches: 0, resume: -1, ms };
  }
  const scanner = new Scanner(kernel, disk, directory, task, hasher, now);
  scanner.run();
  const ms = elapsedMs() - startedMs;
  const source = scanner.segments > 0 ? "scan" : "nothing";
  const { entries, damagedBatches, resume } = scanner;
  return { source, entries, damagedBatches, resume, ms };
}

/** Brings back which tags were invalidated. What they void is swept later. */
function restoreTags(kernel: Kernel, { floor, dropped, tags }: TagHistory): void {
  const { verbs } = kernel;
  verbs.raiseTagFloor(floor);
  for (const { hash, sequence } of tags) {
    verbs.restoreTag(Number(hash & 0xffff_ffffn), Number(hash >> 32n), Number(sequence));
  }
  if (dropped > 0) kernel.count(counter.counterTagOverflows, dropped);
}

/** Copies the index from the snapshot. Returns its number of entries, -1 if it is not usable. */
function loadSnapshot(
  kernel: Kernel,
  { cipher }: ThreadDisk,
  task: RecoveryTask,
  hasher: Hasher,
): number {
  assert(task.snapshot !== null, "only an existing snapshot is loaded");
  const { bucketCount } = kernel.geometry;
  const unpacker = kernel.slots.unpacker();
  const payload = new PayloadReader((packed) => unpacker.add(packed), cipher);
  let isPacked = true;
  let isTouched = false;
  const keep = (chunk: Buffer): void => {
    isTouched = true;
    isPacked = isPacked && payload.add(chunk);
  };
  let states: SegmentState[] | null = null;
  try {
    states = readSnapshot(task.snapshot, bucketCount, keep, hasher);
  } catch (error) {
    // The file changed during the read. Discard what was copied; the scan finds the entries.
    if (!(error instanceof UndercroftError)) throw error;
  }
  if (states === null || !isPacked || !payload.isWhole || !unpacker.isWhole) {
    if (isTouched) kernel.slots.empty();
    return -1;
  }
  for (const [segment, state] of states.entries()) {
    if (state.serial === 0 || segment >= kernel.diskSegments.count()) continue;
    const low = Number(state.nonce & 0xffff_ffffn);
    const high = Number(state.nonce >> 32n);
    kernel.verbs.openDisk(segment, low, high, state.serial, state.createdMs);
    // The snapshot does not keep each segment's newest sequence. Any sequence of that session may
    // be in it, so take the upper bound.
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
  segments = 0;
  damagedBatches = 0;
  resume = -1;
  #maxSequence = 0;
  readonly #kernel: Kernel;
  readonly #disk: ThreadDisk;
  readonly #directory: DirectoryWriter;
  readonly #task: RecoveryTask;
  readonly #hasher: Hasher;
  readonly #now: number;
  readonly #records: SegmentRecords;
  readonly #writeTombstone = (location: number): void => this.#directory.writeTombstone(location);

  constructor(
    kernel: Kernel,
    disk: ThreadDisk,
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
    this.#records = new SegmentRecords(kernel, disk, hasher, fileDevice);
  }

  /** Entries in the index; a value in chunks is one. */
  get entries(): number {
    return this.#kernel.total(counter.counterDiskEntries);
  }

  run(): void {
    for (const segment of this.#newestFirst()) this.#recoverSegment(segment);
    const { verbs } = this.#kernel;
    const { clearEpoch } = this.#task.filter;
    const known = Math.max(this.#task.nextSequence, this.#maxSequence, clearEpoch);
    verbs.raiseSequence(known + sequenceMargin, clearEpoch);
  }

  #newestFirst(): number[] {
    const identities: { segment: number; serial: number }[] = [];
    const { files, segmentBytes, seed } = this.#disk;
    const count = this.#kernel.diskSegments.count();
    for (let segment = 0; segment < count; segment++) {
      const key = segmentKeyOf(seed, segment);
      const identity = readSegmentIdentity(files.fd(segment), segmentBytes, key, this.#hasher);
      if (identity !== null) identities.push({ segment, serial: identity.serial });
    }
    identities.sort((left, right) => right.serial - left.serial);
    return identities.map(({ segment }) => segment);
  }

  #recoverSegment(segment: number): void {
    const { files, segmentBytes, seed, cipher } = this.#disk;
    const fd = files.fd(segment);
    const key = segmentKeyOf(seed, segment);
    const scan = scanSegment(fd, segmentBytes, key, this.#hasher, fileDevice, cipher);
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

  /** Never reuses an id that a record may name, even if its schema is lost. */
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
      const isChunk = entries.isChunk[entry] === 1;
      const location = packLocation(segment, offset, size, this.#disk.segmentBytes, isChunk);
      const low = entries.hashLow[entry] as number;
      const high = entries.hashHigh[entry] as number;
      const isExpired = (entries.expires[entry] as number) <= this.#now;
      const isIndexed = !isExpired && this.#index(low, high, location);
      if (!isIndexed) this.#directory.writeTombstone(location);
      this.#buryVictim();
    }
  }

  /** Whether the record is in the index now. */
  #index(hashLow: number, hashHigh: number, location: number): boolean {
    const answer = this.#kernel.verbs.insertRecovered(hashLow, hashHigh, location);
    if (answer === codes.answerDone) return true;
    return answer === codes.answerSuperseded && this.#supplants(hashLow, hashHigh, location);
  }

  /** For a key that this cache has written with a revision before it had the directory: whether the
   *  record has a newer one, and so is in the index now. */
  #supplants(hashLow: number, hashHigh: number, location: number): boolean {
    if (isChunkLocation(location) || this.#records.read(location) === null) return false;
    const { buffer, keyStart, keyEnd, revision, space } = this.#records.record;
    if (revision === undefined) return false;
    const keys = new KeyWindow(this.#kernel, space);
    if (keys.write(buffer.subarray(keyStart, keyEnd)) === keyTooLong) return false;
    const { verbs } = this.#kernel;
    const { at, extent } = keys;
    const answer = verbs.supplantByRecovered(at, extent, hashLow, hashHigh, location, revision);
    return answer === codes.answerDone;
  }

  /** A full bucket evicted an entry to make room. Its record must not come back either. */
  #buryVictim(): void {
    this.#kernel.tombstones.drain(this.#writeTombstone);
  }
}
