// Opens a cache directory: takes its lock, decides what may come back, and creates its files. The
// opener calls it and keeps the result until close; other threads use the descriptors as numbers,
// and open segment files themselves.
// Invariant: the clean flag is cleared and synced before anything else is written. On any error no
// descriptor stays open and the lock is released.

import { randomBytes } from "node:crypto";
import { UndercroftError, assert } from "../base/mod.js";
import type { EncryptionKeys } from "../config/mod.js";
import {
  closeFile,
  type Device,
  fileDevice,
  isFileOf,
  lengthOf,
  maySync,
  unsynced,
} from "../device/mod.js";
import { createHasher } from "../hash/mod.js";
import { readBootId } from "./trust/boot.js";
import {
  ensureDirectory,
  epochsName,
  listDirectory,
  manifestName,
  openFile,
  removeFile,
  schemasName,
  snapshotName,
  syncDirectory,
  tagsName,
} from "./directory-files.js";
import { distrustedBytes, readEpochs } from "./epochs.js";
import { keepOpen, keepSchemas, startEpochs, startTagFile } from "./start/session-files.js";
import { cipherOf, type DataKey, keptKeyOf, newDataKey } from "./trust/data-key.js";
import type { NamespaceSlot } from "./namespace-slots.js";
import { planGeometry } from "./geometry.js";
import { fitPlan, type MemoryMade } from "./owner/fit.js";
import { acquireLock } from "./owner/lock.js";
import {
  ManifestFile,
  type ManifestFields,
  type ManifestReading,
  decodeManifest,
  identityBytes,
  manifestFileBytes,
  manifestVersion,
} from "./manifest.js";
import { type OpenCircumstances, planRecovery } from "./trust/recovery.js";
import { OpenDirectory, type Opening } from "./open-directory.js";
import { makeSegments } from "./segment-set.js";
import { resumeTime } from "./trust/session-time.js";
import { readStorage } from "./trust/storage.js";
import {
  carryTags,
  longestTagFileBytes,
  mirrorOffset,
  newestInvalidation,
  noTagHistory,
  readTagFile,
  type TagHistory,
} from "./tag-file.js";

export interface OpenDirectoryOptions {
  readonly path: string;
  /** Upper bound of the sum of all files, in bytes. */
  readonly capacityBytes: number;
  /** What that may become while the directory is open. Default: the same. */
  readonly capacityMostBytes?: number;
  /** Size of the largest record on disk. A segment holds at least two. */
  readonly maxRecordBytes: number;
  /** The least that this may be: smaller segments than a new directory has are kept for it.
   *  Default: `maxRecordBytes`. */
  readonly leastRecordBytes?: number;
  /** Slots of the tag table in shared memory. */
  readonly tagSlots: number;
  /** Name of the codec, 1 to 64 characters. What another codec wrote is dropped. */
  readonly codecName: string;
  /** What is stored belongs to it; none if absent. What another version stored is dropped. */
  readonly version?: string;
  /** Wall-clock milliseconds. */
  readonly wallNow: number;
  /** Milliseconds since the boot; absent if that says nothing of `wallNow`. */
  readonly uptimeMs?: number | undefined;
  /** Name of this boot of the machine; read from the system if absent. */
  readonly bootId?: string;
  /** Name of the mount that the directory is on; read from the system if absent. */
  readonly storage?: string;
  /** What a memory was made for that began without the directory; it takes the directory over. */
  readonly made?: MemoryMade | undefined;
  readonly device?: Device;
  /** The keys of an encrypted directory; null or absent for one that is not. */
  readonly encryption?: EncryptionKeys | null;
}

/**
 * Opens a directory; creates it if it does not exist.
 *
 * Rejects with RangeError if the capacity is too small or too large, else with
 * ERR_DIRECTORY_LOCKED, ERR_NOT_A_DIRECTORY, ERR_DIRECTORY_NOT_WRITABLE, ERR_DIRECTORY_NOT_OURS,
 * ERR_FORMAT_VERSION or ERR_DISK_IO. After a rejection nothing is left open.
 */
export async function openDirectory(options: OpenDirectoryOptions): Promise<OpenDirectory> {
  const {
    path,
    capacityBytes,
    maxRecordBytes,
    tagSlots,
    codecName,
    version = "",
    wallNow,
  } = options;
  assert(
    codecName.length >= 1 && codecName.length <= 64,
    "a codec has a name of 1 to 64 characters",
  );
  planGeometry(capacityBytes, options);
  const hasher = await createHasher();
  ensureDirectory(path);
  const lock = await acquireLock(path);
  const fds: number[] = [];
  try {
    const bootId = options.bootId ?? readBootId(wallNow);
    const storage = options.storage ?? readStorage(path);
    const { uptimeMs = null } = options;
    const { leastRecordBytes = maxRecordBytes, capacityMostBytes = capacityBytes } = options;
    const capacities = { capacityBytes, capacityMostBytes };
    const sizes = { ...capacities, maxRecordBytes, leastRecordBytes, tagSlots };
    const { encryption = null } = options;
    const isEncrypted = encryption !== null;
    const names = { codecName, version, bootId, storage, isEncrypted };
    const now = { ...sizes, ...names, wallNow, uptimeMs };
    const device = options.device ?? fileDevice;
    const made = options.made ?? null;
    const opening = { path, hasher, device, isSynced: true, lock, fds, now };
    return await openLocked(opening, made, encryption);
  } catch (error) {
    for (const fd of fds) closeFile(fd);
    await lock.release();
    throw error;
  }
}

async function openLocked(
  locked: Opening,
  made: MemoryMade | null,
  encryption: EncryptionKeys | null,
): Promise<OpenDirectory> {
  const { path, now } = locked;
  const listing = listDirectory(path);
  if (!listing.hasManifest && listing.foreign !== null) throw notOurs(path, listing.foreign);
  const { opening, manifestFd } = openManifest(locked);
  const reading = readManifest(opening, manifestFd);
  if (reading.kind === "otherVersion") throw otherVersion(path, reading.version);
  // Before anything is written: a key that does not fit leaves all as it is.
  const read = reading.kind === "valid" ? reading.fields : null;
  const keptKey = keptKeyOf(path, read, encryption);
  const epochsFd = keepOpen(opening, epochsName);
  const schemasFd = keepOpen(opening, schemasName);
  const voids = readVoids(opening, epochsFd, read?.seed ?? 0n, keptKey);
  const isCopied = reading.kind === "valid" && !isFileOf(reading.file, manifestFd);
  const found = planRecovery({ reading, isCopied, listing, epochs: voids }, now);
  const plan = made === null ? found : fitPlan(found, made);
  const namespaces = plan.keep === null || voids === null ? [] : voids.namespaces;
  const tags = plan.keep === null || voids === null ? noTagHistory : voids.tags;
  const before = plan.keep?.fields ?? newFields(now, made?.seed);
  const kept = plan.keep === null ? null : keptKey;
  const dataKey = kept ?? newDataKey(encryption, before.identity);
  const geometry = plan.keep?.geometry ?? made ?? planGeometry(now.capacityBytes, now);
  const { recovery } = plan;
  const clockAheadMs = plan.keep === null ? 0 : resumeTime(before, now).aheadMs;
  const manifest = new ManifestFile(
    manifestFd,
    opening.hasher,
    { fields: before, revision: reading.kind === "valid" ? reading.revision : 0 },
    opening.device,
  );
  const clears = namespaces.map(({ clear }) => clear);
  const voided = Math.max(recovery.clearEpoch, newestInvalidation(tags), ...clears);
  // A memory that is in use leaves out more, but only in the scan that follows.
  const { keepThrough, dropExpiring } = plan.keep === null ? recovery : found.recovery;
  const ahead = made?.sequence ?? 0;
  const sequence = Math.max(before.nextSequence, before.fsyncBarrier + 1, voided + 1, ahead);
  await manifest.writeBoth({
    clean: false,
    closedUnsynced: false,
    snapshot: "none",
    leftOut: 0,
    // What earlier sessions synced is overwritten unsynced: a stop of the machine ends it all.
    fsyncBarrier: opening.isSynced ? before.fsyncBarrier : 0,
    segmentBytes: geometry.segmentBytes,
    segmentCount: geometry.segmentCount,
    generation: before.generation + 1,
    sealedKey: dataKey.sealed,
    nextSequence: sequence,
    keepThrough,
    dropExpiring,
    ...startOfTime(now, clockAheadMs),
  });

  // A crash from here on leaves a directory that the next open scans; or, before the epochs are
  // written, one that it starts cold.
  if (plan.keep === null) startEpochs(opening, epochsFd, before.seed);
  const tagsFd = startTagFile(opening, epochsFd, tags, before.seed, dataKey);
  const schemas = keepSchemas(opening, schemasFd, plan.keep === null ? null : before, kept);
  const isKept = plan.keep !== null;
  const segments = makeSegments(path, geometry, listing.segments, isKept, opening.device);
  if (recovery.kind !== "clean") removeFile(`${path}/${snapshotName}`);
  if (opening.isSynced) syncDirectory(path);
  const tagMirror = mirrorOffset(tags.tags.length);
  const files = { manifestFd, epochsFd, tagsFd, tagMirror, schemasFd, segments };
  return new OpenDirectory(
    opening,
    manifest,
    { ...files, schemas },
    { recovery, tags, namespaces, fields: { ...before, sealedKey: dataKey.sealed } },
    dataKey.plain,
  );
}

/**
 * Opens the manifest. Under Node's permission model nothing can be synced: the manifest's writes
 * are durable by the way it is opened, so a stop of the machine is noticed; all else is unsynced.
 */
function openManifest(opening: Opening): {
  readonly opening: Opening;
  readonly manifestFd: number;
} {
  const manifestFd = keepOpen(opening, manifestName);
  if (maySync(manifestFd, opening.device)) return { opening, manifestFd };
  const device = unsynced(opening.device);
  const durableFd = keepOpen(opening, manifestName, true);
  closeFile(manifestFd);
  opening.fds.splice(opening.fds.indexOf(manifestFd), 1);
  return { opening: { ...opening, device, isSynced: false }, manifestFd: durableFd };
}

function readManifest(opening: Opening, fd: number): ManifestReading {
  const file = Buffer.alloc(manifestFileBytes);
  opening.device.readAtSync(fd, file, 0, manifestFileBytes, 0);
  return decodeManifest(file, opening.hasher);
}

/** What the epochs and tags files say. */
interface Voids {
  readonly clear: number;
  readonly namespaces: readonly NamespaceSlot[];
  readonly tags: TagHistory;
}

/** What clears and tags have made void, and the namespaces; null if a file is missing or damaged.
 *  */
function readVoids(
  opening: Opening,
  epochsFd: number,
  seed: bigint,
  dataKey: DataKey | null,
): Voids | null {
  const file = Buffer.alloc(distrustedBytes);
  const read = opening.device.readAtSync(epochsFd, file, 0, distrustedBytes, 0);
  const epochs = readEpochs(file.subarray(0, read), seed);
  const tagsFile = readWhole(opening, tagsName, longestTagFileBytes);
  const tags = readTagFile(tagsFile, seed, opening.hasher, cipherOf(dataKey));
  if (epochs === null || tags === null) return null;
  const { clear, tagFloor, namespaces } = epochs;
  return { clear, namespaces, tags: carryTags(tags, tagFloor, clear, opening.now.tagSlots) };
}

/** The bytes of a file that this open replaces; empty if there is none, or a longer one. */
function readWhole(opening: Opening, name: string, longest: number): Buffer {
  const fd = openFile(`${opening.path}/${name}`);
  try {
    const size = lengthOf(fd);
    const bytes = Buffer.alloc(size > longest ? 0 : size);
    return bytes.subarray(0, opening.device.readAtSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeFile(fd);
  }
}

function newFields(now: OpenCircumstances, seed?: bigint): ManifestFields {
  return {
    clean: false,
    identity: randomBytes(identityBytes),
    seed: seed ?? randomBytes(8).readBigUInt64LE(0),
    segmentBytes: 0,
    segmentCount: 0,
    generation: 0,
    nextSequence: 1,
    closedUnsynced: false,
    fsyncBarrier: 0,
    keepThrough: Infinity,
    dropExpiring: false,
    ...startOfTime(now, 0),
    codecName: now.codecName,
    schemas: 0,
    snapshot: "none",
    leftOut: 0,
    sealedKey: null,
  };
}

/** What the manifest says of the time and of what an open depends on. */
function startOfTime({ wallNow, uptimeMs, bootId, storage }: OpenCircumstances, ahead: number) {
  const lastAliveMs = wallNow + ahead;
  return { lastAliveMs, clockAheadMs: ahead, uptimeMs: uptimeMs ?? 0, bootId, storage };
}

function notOurs(path: string, name: string): UndercroftError {
  const text =
    `Cannot open ${path} as a cache directory: it holds ${JSON.stringify(name)} and no cache; ` +
    "choose an empty or missing directory";
  return new UndercroftError("ERR_DIRECTORY_NOT_OURS", text);
}

function otherVersion(path: string, version: number): UndercroftError {
  const text =
    `Cannot open ${path}: its format is version ${version}; this release reads version ` +
    `${manifestVersion}; use the release that wrote it, or choose another directory`;
  return new UndercroftError("ERR_FORMAT_VERSION", text);
}
