// Opens a cache directory: locks it, decides what may come back, and makes every file of the capacity. The owner thread
// calls it and keeps the result open; other threads use the descriptors as numbers.
// Invariant: the clean flag is cleared durably before anything else is written, and on any error no descriptor stays
// open and the lock is free.

import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { UndercroftError, assert } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import { type Hasher, createHasher } from "../hash/mod.js";
import { readBootId } from "./boot.js";
import {
  type DirectoryListing,
  attempt,
  ensureDirectory,
  epochsName,
  listDirectory,
  manifestName,
  openFile,
  removeFile,
  segmentName,
  schemasName,
  snapshotName,
  syncDirectory,
} from "./directory-files.js";
import { emptyEpochs, epochsFileBytes, readClearEpoch } from "./epochs.js";
import { newestTagEpoch, noTagEpochs, readTagEpochs, type TagEpochs } from "./tag-epochs.js";
import { planGeometry, snapshotBytesMax } from "./geometry.js";
import { type DirectoryLock, acquireLock } from "./lock.js";
import {
  ManifestFile,
  type ManifestFields,
  type ManifestReading,
  decodeManifest,
  identityBytes,
  manifestFileBytes,
  manifestVersion,
} from "./manifest.js";
import { type OpenCircumstances, type Recovery, planRecovery } from "./recovery.js";
import { emptySchemas, readSchemas, schemasFileBytes, type SchemasReading } from "./schema-file.js";
import type { SnapshotPlace } from "./snapshot.js";

export interface OpenDirectoryOptions {
  readonly path: string;
  /** Bound of the sum of all files, in bytes. */
  readonly capacityBytes: number;
  /** The largest record as it stands on disk; a segment holds at least two. */
  readonly maxRecordBytes: number;
  /** Who encodes the values, 1 to 64 characters: what another codec wrote is dropped. */
  readonly codecName: string;
  /** Wall-clock milliseconds. */
  readonly wallNow: number;
  /** The name of this boot; read from the system if not given. */
  readonly bootId?: string;
  readonly device?: Device;
}

/** How a directory is left. */
export interface DirectoryEnd {
  /** Everything was flushed, and the next open may trust it. */
  readonly clean: boolean;
  readonly nextSequence: number;
  readonly lastAliveMs: number;
  /** Ids of schemas given out. */
  readonly schemas: number;
}

/** Opens a directory, which is made if it is not there. Throws RangeError if the capacity is too small or too large.
 * Rejects with ERR_DIRECTORY_LOCKED, ERR_NOT_A_DIRECTORY, ERR_DIRECTORY_NOT_WRITABLE, ERR_DIRECTORY_NOT_OURS,
 * ERR_FORMAT_VERSION or ERR_DISK_IO, and then leaves nothing open. */
export async function openDirectory(options: OpenDirectoryOptions): Promise<OpenDirectory> {
  const { path, capacityBytes, maxRecordBytes, codecName, wallNow } = options;
  assert(
    codecName.length >= 1 && codecName.length <= 64,
    "a codec has a name of 1 to 64 characters",
  );
  planGeometry(capacityBytes, maxRecordBytes);
  const hasher = await createHasher();
  ensureDirectory(path);
  const lock = await acquireLock(path);
  const fds: number[] = [];
  try {
    const bootId = options.bootId ?? readBootId(wallNow);
    const now = { capacityBytes, maxRecordBytes, codecName, wallNow, bootId };
    const device = options.device ?? fileDevice;
    return await openLocked({ path, hasher, device, lock, fds, now });
  } catch (error) {
    for (const fd of fds) fs.closeSync(fd);
    await lock.release();
    throw error;
  }
}

/** What the steps of opening share. `fds` collects every descriptor, so that an error can close them. */
interface Opening {
  readonly path: string;
  readonly hasher: Hasher;
  readonly device: Device;
  readonly lock: DirectoryLock;
  readonly fds: number[];
  readonly now: OpenCircumstances;
}

async function openLocked(opening: Opening): Promise<OpenDirectory> {
  const { path, now } = opening;
  const listing = listDirectory(path);
  if (!listing.hasManifest && listing.foreign !== null) throw notOurs(path, listing.foreign);
  const manifestFd = keepOpen(opening, manifestName);
  const reading = readManifest(opening, manifestFd);
  if (reading.kind === "otherVersion") throw otherVersion(path, reading.version);
  const epochsFd = keepOpen(opening, epochsName);
  const schemasFd = keepOpen(opening, schemasName);
  const seed = reading.kind === "valid" ? reading.fields.seed : 0n;
  const epochs = readEpochs(opening, epochsFd, seed);
  const plan = planRecovery(reading, listing, epochs?.clear ?? null, now);
  const tags = plan.keep === null || epochs === null ? noTagEpochs() : epochs.tags;
  const before = plan.keep?.fields ?? newFields(now);
  const geometry = plan.keep?.geometry ?? planGeometry(now.capacityBytes, now.maxRecordBytes);
  const { recovery } = plan;
  const manifest = new ManifestFile(
    manifestFd,
    opening.hasher,
    { fields: before, revision: reading.kind === "valid" ? reading.revision : 0 },
    opening.device,
  );
  const voided = Math.max(recovery.clearEpoch, newestTagEpoch(tags));
  const sequence = Math.max(before.nextSequence, before.fsyncBarrier + 1, voided + 1);
  await manifest.writeBoth({
    clean: false,
    segmentBytes: geometry.segmentBytes,
    segmentCount: geometry.segmentCount,
    generation: before.generation + 1,
    nextSequence: sequence,
    keepThrough: recovery.keepThrough,
    dropExpiring: recovery.dropExpiring,
    lastAliveMs: now.wallNow,
    bootId: now.bootId,
  });

  // From here on a kill leaves a directory that the next open scans, or starts anew if the epochs are not there yet.
  if (plan.keep === null) {
    resetFile(opening, epochsFd, epochsFileBytes);
    opening.device.writeAtSync(epochsFd, emptyEpochs(), 0, epochsFileBytes, 0);
  }
  const schemas = keepSchemas(opening, schemasFd, plan.keep === null ? null : before);
  const segmentFds = openSegments(opening, listing, manifest.fields, plan.keep !== null);
  if (recovery.kind !== "clean") removeFile(`${path}/${snapshotName}`);
  syncDirectory(path);
  const files = { manifestFd, epochsFd, schemasFd, segmentFds };
  return new OpenDirectory(opening, manifest, { ...files, schemas }, { recovery, tags });
}

function keepOpen(opening: Opening, name: string): number {
  const fd = openFile(`${opening.path}/${name}`);
  opening.fds.push(fd);
  return fd;
}

function readManifest(opening: Opening, fd: number): ManifestReading {
  const file = Buffer.alloc(manifestFileBytes);
  opening.device.readAtSync(fd, file, 0, manifestFileBytes, 0);
  return decodeManifest(file, opening.hasher);
}

function readEpochs(
  opening: Opening,
  fd: number,
  seed: bigint,
): { readonly clear: number; readonly tags: TagEpochs } | null {
  const file = Buffer.alloc(epochsFileBytes);
  const read = opening.device.readAtSync(fd, file, 0, epochsFileBytes, 0);
  const clear = readClearEpoch(file.subarray(0, read), seed);
  const tags = readTagEpochs(file.subarray(0, read), seed);
  return clear === null || tags === null ? null : { clear, tags };
}

/** The schemas of a directory that is kept (`fields` of its manifest), or of one that starts anew. A file of another length
 * is made anew too, and its schemas are lost; the ids they had are not. */
function keepSchemas(opening: Opening, fd: number, fields: ManifestFields | null): SchemasReading {
  const { device, hasher } = opening;
  const file = Buffer.alloc(schemasFileBytes + 1);
  const length = device.readAtSync(fd, file, 0, file.length, 0);
  const reading = readSchemas(
    file.subarray(0, fields === null ? 0 : length),
    fields?.seed ?? 0n,
    hasher,
  );
  if (fields === null || length !== schemasFileBytes) {
    resetFile(opening, fd, schemasFileBytes);
    device.writeAtSync(fd, emptySchemas(), 0, schemasFileBytes, 0);
  }
  return { ...reading, count: Math.max(reading.count, fields?.schemas ?? 0) };
}

function newFields(now: OpenCircumstances): ManifestFields {
  return {
    clean: false,
    identity: randomBytes(identityBytes),
    seed: randomBytes(8).readBigUInt64LE(0),
    segmentBytes: 0,
    segmentCount: 0,
    generation: 0,
    nextSequence: 1,
    fsyncBarrier: 0,
    keepThrough: Infinity,
    dropExpiring: false,
    lastAliveMs: now.wallNow,
    bootId: now.bootId,
    codecName: now.codecName,
    schemas: 0,
  };
}

/** Deletes surplus segment files before it makes missing ones, so that the capacity holds at every moment. */
function openSegments(
  opening: Opening,
  listing: DirectoryListing,
  fields: ManifestFields,
  keep: boolean,
): number[] {
  const { segmentBytes, segmentCount } = fields;
  for (const segment of listing.segments.keys()) {
    if (!keep || segment >= segmentCount) removeFile(`${opening.path}/${segmentName(segment)}`);
  }
  const segmentFds: number[] = [];
  for (let segment = 0; segment < segmentCount; segment++) {
    const fd = keepOpen(opening, segmentName(segment));
    // A file of another length lost its dead list with its end, so nothing in it may come back.
    if (!keep || listing.segments.get(segment) !== segmentBytes) {
      resetFile(opening, fd, segmentBytes);
    }
    segmentFds.push(fd);
  }
  return segmentFds;
}

function resetFile(opening: Opening, fd: number, length: number): void {
  opening.device.truncateSync(fd, 0);
  opening.device.truncateSync(fd, length);
}

function notOurs(path: string, name: string): UndercroftError {
  const text = `Cannot open ${path} as a cache directory: it holds ${JSON.stringify(name)} and no cache; an empty or missing directory is needed`;
  return new UndercroftError("ERR_DIRECTORY_NOT_OURS", text);
}

function otherVersion(path: string, version: number): UndercroftError {
  const text = `Cannot open ${path}: its format has version ${version}; this release reads version ${manifestVersion}`;
  return new UndercroftError("ERR_FORMAT_VERSION", text);
}

/** A directory that this thread owns until `close`. */
export class OpenDirectory {
  readonly path: string;
  readonly identity: Buffer;
  /** Of the key hash, and of every checksum that binds a file to this directory. */
  readonly seed: bigint;
  readonly segmentBytes: number;
  readonly segmentCount: number;
  /** The descriptor of each segment file. Other threads may use the numbers until `close`. */
  readonly fds: readonly number[];
  readonly epochsFd: number;
  readonly schemasFd: number;
  /** The schemas that its records may name. */
  readonly schemas: SchemasReading;
  /** Above every sequence the manifest knows of; a scan may find higher ones. */
  readonly nextSequence: number;
  readonly clearEpoch: number;
  /** Which tags earlier lives invalidated. */
  readonly tags: TagEpochs;
  readonly recovery: Recovery;
  /** The snapshot to read now; null unless `recovery.kind` is "clean". */
  readonly snapshotToRead: SnapshotPlace | null;
  /** The snapshot to write just before a clean close. */
  readonly snapshotToWrite: SnapshotPlace;
  readonly #manifest: ManifestFile;
  readonly #manifestFd: number;
  readonly #lock: DirectoryLock;
  readonly #device: Device;
  #closed: Promise<void> | undefined;

  constructor(
    opening: Opening,
    manifest: ManifestFile,
    files: {
      readonly manifestFd: number;
      readonly epochsFd: number;
      readonly schemasFd: number;
      readonly schemas: SchemasReading;
      readonly segmentFds: readonly number[];
    },
    found: { readonly recovery: Recovery; readonly tags: TagEpochs },
  ) {
    const { fields } = manifest;
    this.path = opening.path;
    this.identity = fields.identity;
    this.seed = fields.seed;
    this.segmentBytes = fields.segmentBytes;
    this.segmentCount = fields.segmentCount;
    this.fds = files.segmentFds;
    this.epochsFd = files.epochsFd;
    this.schemasFd = files.schemasFd;
    this.schemas = files.schemas;
    this.nextSequence = fields.nextSequence;
    const { recovery } = found;
    this.clearEpoch = recovery.clearEpoch;
    this.recovery = recovery;
    this.tags = found.tags;
    const snapshot = {
      file: `${opening.path}/${snapshotName}`,
      bytesMax: snapshotBytesMax(opening.now.capacityBytes),
      identity: fields.identity,
      seed: fields.seed,
    };
    this.snapshotToWrite = { ...snapshot, generation: fields.generation };
    const isClean = recovery.kind === "clean";
    this.snapshotToRead = isClean ? { ...snapshot, generation: fields.generation - 1 } : null;
    this.#manifest = manifest;
    this.#manifestFd = files.manifestFd;
    this.#lock = opening.lock;
    this.#device = opening.device;
  }

  /** Every write up to this sequence survives a power loss; 0 = none. */
  get fsyncBarrier(): number {
    return this.#manifest.fields.fsyncBarrier;
  }

  /** Remembers how far this life has come; resolves when it is durable. Rejects with ERR_DISK_IO. */
  writeManifest(change: {
    readonly nextSequence?: number;
    readonly lastAliveMs?: number;
  }): Promise<void> {
    return this.#manifest.write(change);
  }

  /** Call it when every segment has been settled after a recovery: what the filter left out is dead durably then, and
   * need not be left out again. Before it there is no barrier and no clean close. Rejects with ERR_DISK_IO. */
  async finishRecovery(): Promise<void> {
    const { keepThrough, dropExpiring } = this.#manifest.fields;
    if (keepThrough === Infinity && !dropExpiring) return;
    await this.#manifest.writeBoth({ keepThrough: Infinity, dropExpiring: false });
  }

  /** Makes everything written to the files so far durable, and with it every write up to `sequence`, which the caller
   * has flushed. Rejects with ERR_DISK_IO; what was written since the last success is unknown then. */
  async syncThrough(sequence: number, lastAliveMs: number): Promise<void> {
    assert(this.#isRecovered(), "recovery ends before a barrier is set");
    await this.#syncFiles();
    const { fsyncBarrier, nextSequence } = this.#manifest.fields;
    await this.#manifest.write({
      fsyncBarrier: Math.max(fsyncBarrier, sequence),
      nextSequence: Math.max(nextSequence, sequence + 1),
      lastAliveMs,
    });
  }

  /** Gives the directory up: no thread may use a descriptor any more. With `clean` everything is synced first and the
   * next open trusts it. Idempotent. Rejects with ERR_DISK_IO if it could not be left clean; it is closed all the same. */
  close(end: DirectoryEnd): Promise<void> {
    this.#closed ??= this.#close(end);
    return this.#closed;
  }

  async #close(end: DirectoryEnd): Promise<void> {
    try {
      const clean = end.clean && this.#isRecovered();
      if (clean) {
        await this.#syncFiles();
        syncDirectory(this.path);
      }
      const nextSequence = Math.max(this.#manifest.fields.nextSequence, end.nextSequence);
      const { lastAliveMs } = end;
      const schemas = Math.max(this.schemas.count, end.schemas);
      await this.#manifest.write({ clean, nextSequence, lastAliveMs, schemas });
    } finally {
      for (const fd of [...this.fds, this.epochsFd, this.schemasFd, this.#manifestFd]) {
        attempt("close", this.path, () => fs.closeSync(fd));
      }
      await this.#lock.release();
    }
  }

  async #syncFiles(): Promise<void> {
    const fds = [...this.fds, this.epochsFd, this.schemasFd];
    await Promise.all(fds.map((fd) => this.#device.fsync(fd)));
  }

  #isRecovered(): boolean {
    const { keepThrough, dropExpiring } = this.#manifest.fields;
    return keepThrough === Infinity && !dropExpiring;
  }
}
