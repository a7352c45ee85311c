// An open cache directory: what the opener holds from open to close. openDirectory makes it.
// Invariant: it is closed as clean only if recovery had finished and every file was synced.

import type { Socket } from "node:net";
import { assert, UndercroftError } from "../base/mod.js";
import { closeFile, type Device, type FileIdentity } from "../device/mod.js";
import type { Hasher } from "../hash/mod.js";
import { attempt, openSegment, snapshotName, syncDirectory } from "./directory-files.js";
import { snapshotBytesMax } from "./geometry.js";
import type { SnapshotPlace } from "./index-snapshot.js";
import type { DirectoryLock } from "./owner/lock.js";
import type { ManifestFields, ManifestFile, SnapshotEnd } from "./manifest.js";
import type { NamespaceSlot } from "./namespace-slots.js";
import { assertPresent } from "./trust/presence.js";
import type { OpenCircumstances, Recovery } from "./trust/recovery.js";
import { unsyncedStorage } from "./trust/storage.js";
import type { TimeLeft } from "./trust/session-time.js";
import type { SchemasReading } from "./schema-file.js";
import type { TagHistory } from "./tag-file.js";

/** Segment files that a sync has open at once. */
const syncsAtOnce = 4;

const unsyncedReason =
  "Node's permission model forbids fsync, so a stop of the machine ends what is kept";

/** How a session ends. */
export interface DirectoryEnd {
  /** Everything was flushed, and the next open may trust it. */
  readonly clean: boolean;
  readonly nextSequence: number;
  /** The cache's time, how far it is ahead of the wall clock (0), and the uptime (0: not known). */
  readonly lastAliveMs: number;
  readonly clockAheadMs?: number;
  readonly uptimeMs?: number;
  /** Schema ids given out. */
  readonly schemas: number;
  /** Default: "none". */
  readonly snapshot?: SnapshotEnd;
}

/** What the steps of an open share. An error closes every descriptor in `fds`. */
export interface Opening {
  readonly path: string;
  readonly hasher: Hasher;
  readonly device: Device;
  /** False where files cannot be synced; `device` does not try then. */
  readonly isSynced: boolean;
  readonly lock: DirectoryLock;
  readonly fds: number[];
  readonly now: OpenCircumstances;
}

/** ERR_DIRECTORY_LOCKED: another cache has taken the directory. */
export function lostError(path: string): UndercroftError {
  const text =
    `Cannot write to ${path} any more: another cache has taken it over, or its lock was deleted; ` +
    "this cache keeps to memory, and the directory starts cold at its next open";
  return new UndercroftError("ERR_DIRECTORY_LOCKED", text);
}

/** A directory that its opener holds until `close`. */
export class OpenDirectory {
  readonly path: string;
  readonly identity: Buffer;
  /** From which the keys of its files are derived; null where nothing is encrypted. */
  readonly dataKey: Buffer | null;
  /** Seed of the key hash, and of every checksum that binds a file to this directory. */
  readonly seed: bigint;
  readonly segmentBytes: number;
  readonly epochsFd: number;
  readonly tagsFd: number;
  /** Where the mirror of the tag table is in the tags file. */
  readonly tagMirror: number;
  readonly schemasFd: number;
  readonly manifestFd: number;
  /** The schemas that its records may name. */
  readonly schemas: SchemasReading;
  /** Above every sequence that the manifest names. A scan may find higher ones. */
  readonly nextSequence: number;
  readonly clearEpoch: number;
  /** Which tags earlier sessions invalidated. */
  readonly tags: TagHistory;
  /** The namespaces of earlier sessions. */
  readonly namespaces: readonly NamespaceSlot[];
  readonly recovery: Recovery;
  /** False where files cannot be synced: a stop of the machine ends what is kept. */
  readonly isSynced: boolean;
  /** The snapshot to read at open; null unless `recovery.kind` is "clean". */
  readonly snapshotToRead: SnapshotPlace | null;
  /** The snapshot to write before a clean close. */
  readonly snapshotToWrite: SnapshotPlace;
  /** What the manifest said before this session. */
  readonly #found: ManifestFields;
  readonly #manifest: ManifestFile;
  readonly #lock: DirectoryLock;
  readonly #device: Device;
  #segments: () => readonly FileIdentity[];
  #syncFault: UndercroftError | null = null;
  #closed: Promise<void> | undefined;
  #isVoided = false;

  constructor(
    opening: Opening,
    manifest: ManifestFile,
    files: {
      readonly manifestFd: number;
      readonly epochsFd: number;
      readonly tagsFd: number;
      readonly tagMirror: number;
      readonly schemasFd: number;
      readonly schemas: SchemasReading;
      readonly segments: readonly FileIdentity[];
    },
    found: {
      readonly recovery: Recovery;
      readonly tags: TagHistory;
      readonly namespaces: readonly NamespaceSlot[];
      readonly fields: ManifestFields;
    },
    dataKey: Buffer | null,
  ) {
    const { fields } = manifest;
    this.path = opening.path;
    this.dataKey = dataKey;
    this.identity = fields.identity;
    this.seed = fields.seed;
    this.segmentBytes = fields.segmentBytes;
    this.epochsFd = files.epochsFd;
    this.tagsFd = files.tagsFd;
    this.tagMirror = files.tagMirror;
    this.schemasFd = files.schemasFd;
    this.schemas = files.schemas;
    this.#segments = () => files.segments;
    this.nextSequence = fields.nextSequence;
    const { recovery } = found;
    this.clearEpoch = recovery.clearEpoch;
    this.isSynced = opening.isSynced;
    this.recovery = this.isSynced
      ? recovery
      : { ...recovery, reason: `${recovery.reason}; ${unsyncedReason}` };
    this.tags = found.tags;
    this.namespaces = found.namespaces;
    const snapshot = {
      file: `${opening.path}/${snapshotName}`,
      bytesMax: snapshotBytesMax(opening.now.capacityBytes),
      identity: fields.identity,
      seed: fields.seed,
      isSynced: opening.isSynced,
    };
    this.snapshotToWrite = { ...snapshot, generation: fields.generation };
    const isClean = recovery.kind === "clean";
    this.snapshotToRead = isClean ? { ...snapshot, generation: fields.generation - 1 } : null;
    this.#found = found.fields;
    this.#manifest = manifest;
    this.manifestFd = files.manifestFd;
    this.#lock = opening.lock;
    this.#device = opening.device;
  }

  /** Which files the segment files in use are. */
  get segments(): readonly FileIdentity[] {
    return this.#segments();
  }

  get segmentCount(): number {
    return this.segments.length;
  }

  /** From now on `segments` says which files are in use: their number may change. */
  follow(segments: () => readonly FileIdentity[]): void {
    this.#segments = segments;
  }

  /** How far the cache's time is ahead of the wall clock at the open. */
  get clockAheadMs(): number {
    return this.#manifest.fields.clockAheadMs;
  }

  /** Whether the directory is still this cache's: asked before anything is made final. If not, all
   *  that it has is made void for later opens, since two have written to it: what one of them
   *  deleted the other may have brought back. */
  isHeld(): boolean {
    if (this.#lock.isHeld()) return true;
    if (!this.#isVoided) {
      this.#isVoided = true;
      // A file of the wrong length counts as damaged, and the next open starts cold.
      attempt("cut", this.path, () => this.#device.truncateSync(this.epochsFd, 0));
    }
    return false;
  }

  /** Resolves when it is noticed that the directory is not this cache's any more. */
  get lost(): Promise<void> {
    return this.#lock.lost;
  }

  /** Has a function take the connections of operators, while the directory is held. */
  answer(accept: (socket: Socket) => void): void {
    this.#lock.answer(accept);
  }

  #assertHeld(): void {
    if (!this.isHeld()) throw lostError(this.path);
  }

  /** Every write up to this sequence survives a power loss; 0 = none. */
  get fsyncBarrier(): number {
    return this.#manifest.fields.fsyncBarrier;
  }

  /** Records the progress of this session; resolves once synced. Rejects with ERR_DISK_IO. */
  writeManifest(
    change: Partial<Omit<TimeLeft, "bootId"> & { readonly nextSequence: number }>,
  ): Promise<void> {
    return this.#manifest.write({ ...change, segmentCount: this.segmentCount });
  }

  /** At the exit of the process: notes for the next open how many entries are not written. */
  noteLeftOut(entries: number): void {
    if (this.isHeld()) this.#manifest.writeAtExit({ leftOut: entries });
  }

  /**
   * Call it once every segment is reconciled: what the filter left out has tombstones by then, so
   * the manifest can forget the filter. Before it there is no barrier and no clean close. Rejects
   * with ERR_DISK_IO.
   */
  async finishRecovery(): Promise<void> {
    const { keepThrough, dropExpiring } = this.#manifest.fields;
    if (keepThrough === Infinity && !dropExpiring) return;
    await this.#manifest.writeBoth({ keepThrough: Infinity, dropExpiring: false });
  }

  /**
   * Syncs all files, then sets the barrier to `sequence`; the caller has flushed every write up to
   * it. Rejects with ERR_DISK_IO: whatever was written since the last success may be lost.
   */
  async syncThrough(sequence: number): Promise<void> {
    assert(this.#isRecovered(), "recovery ends before a barrier is set");
    this.#assertHeld();
    await this.#syncFiles();
    this.#assertHeld();
    const { fsyncBarrier, nextSequence } = this.#manifest.fields;
    await this.#manifest.write({
      segmentCount: this.segmentCount,
      fsyncBarrier: Math.max(fsyncBarrier, sequence),
      nextSequence: Math.max(nextSequence, sequence + 1),
    });
  }

  /**
   * Closes every descriptor and releases the lock; no thread may use a descriptor afterwards. With
   * `clean` all files are synced first, and the next open trusts them. Idempotent. Rejects with
   * ERR_DISK_IO if the manifest or a sync failed; the directory is closed all the same.
   */
  close(end: DirectoryEnd): Promise<void> {
    this.#closed ??= this.#release(() => this.#end(end));
    return this.#closed;
  }

  /**
   * As `close`, for a session that has come to nothing and has written no segment file: a directory
   * that was clean is clean again, with its snapshot.
   */
  abandon(): Promise<void> {
    this.#closed ??= this.#release(async () => {
      const isWhole = this.segmentCount === this.#found.segmentCount;
      if (this.recovery.kind === "clean" && isWhole) await this.#manifest.writeBoth(this.#found);
    });
    return this.#closed;
  }

  async #end(end: DirectoryEnd): Promise<void> {
    this.#assertHeld();
    const isWhole = end.clean && this.#isRecovered();
    const clean = isWhole && this.isSynced;
    const closedUnsynced = isWhole && !this.isSynced;
    if (isWhole) assertPresent(this);
    if (clean) {
      await this.#syncFiles();
      syncDirectory(this.path);
    }
    this.#assertHeld();
    const nextSequence = Math.max(this.#manifest.fields.nextSequence, end.nextSequence);
    const schemas = Math.max(this.schemas.count, end.schemas);
    const { lastAliveMs, clockAheadMs = 0, uptimeMs = 0 } = end;
    const time = { lastAliveMs, clockAheadMs, uptimeMs };
    const { snapshot = "none" } = end;
    const { segmentCount } = this;
    const closed = { clean, closedUnsynced, nextSequence, schemas, snapshot, segmentCount };
    await this.#manifest.write({ ...closed, ...time });
  }

  async #release(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } finally {
      const { epochsFd, tagsFd, schemasFd } = this;
      for (const fd of [epochsFd, tagsFd, schemasFd, this.manifestFd]) {
        closeFile(fd);
      }
      await this.#lock.release();
    }
  }

  /** Whether a sync of one of its files has failed. */
  get isSyncLost(): boolean {
    return this.#syncFault !== null;
  }

  /**
   * A sync of one of its files has failed: the system tells of lost writes once, and the next sync
   * would succeed without them. From now on no sync and no clean close succeeds, and the manifest
   * says that the next open starts empty. If that cannot be written, each later write of the
   * manifest says it too.
   */
  async loseSync(cause?: UndercroftError): Promise<void> {
    this.#syncFault ??= syncLost(this.path, cause);
    await this.#manifest.write({ storage: unsyncedStorage }).catch(() => undefined);
  }

  async #syncFiles(): Promise<void> {
    // A file that could not be opened has lost nothing: the next sync may work.
    if (this.#syncFault === null) await this.#syncAll();
    if (this.#syncFault === null) return;
    await this.loseSync();
    throw this.#syncFault;
  }

  async #sync(fd: number): Promise<void> {
    await this.#device.fsync(fd).catch((error: unknown) => {
      if (!(error instanceof UndercroftError)) throw error;
      this.#syncFault ??= syncLost(this.path, error);
    });
  }

  async #syncAll(): Promise<void> {
    const fds = [this.epochsFd, this.tagsFd, this.schemasFd];
    await Promise.all(fds.map((fd) => this.#sync(fd)));
    const left = Array.from(this.segments.entries());
    const syncSome = async (): Promise<void> => {
      for (let one = left.pop(); one !== undefined; one = left.pop()) {
        await this.#syncSegment(...one);
      }
    };
    await Promise.all(Array.from({ length: syncsAtOnce }, syncSome));
  }

  /** What was written through other descriptors is synced too, and a write that failed since the
   *  last sync fails this one. */
  async #syncSegment(segment: number, identity: FileIdentity): Promise<void> {
    if (!this.isSynced) return;
    let fd: number;
    try {
      fd = openSegment(this.path, segment, identity);
    } catch (error) {
      // One that has left the disk meanwhile was void, and synced before.
      const now = this.segments[segment];
      if (now?.inode !== identity.inode || now.born !== identity.born) return;
      throw error;
    }
    try {
      await this.#sync(fd);
    } finally {
      closeFile(fd);
    }
  }

  #isRecovered(): boolean {
    const { keepThrough, dropExpiring } = this.#manifest.fields;
    return keepThrough === Infinity && !dropExpiring;
  }
}

function syncLost(path: string, cause?: UndercroftError): UndercroftError {
  const reason = cause?.message ?? "a sync of one of its files has failed";
  const text = `Cannot keep ${path} as it is: ${reason}; the next open starts empty`;
  return new UndercroftError("ERR_DISK_IO", text, { cause });
}
