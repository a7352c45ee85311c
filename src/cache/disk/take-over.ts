// Takes a directory over for a cache that began in memory, since another cache had it
// (`disk.whenLocked: "memory"`). The opener makes it.
//
// What this cache has changed meanwhile is newer than all that the directory has:
// - its sequences begin above those of the directory (directory/owner/peek.ts), so that clears and
//   invalidated tags void what is there, and are written down first;
// - each key that was written or deleted is in a filter of the shared memory
//   (kernel/assembly/written-keys.ts), and the scan leaves it out; only a record with a newer
//   revision takes the place of an older one;
// - a namespace of another name than the directory has for its id voids what is there.
// What the scan leaves out gets a tombstone, so no later session brings it back. Order: the
// descriptors are set, then the word by which other threads write to the directory themselves, then
// what they had changed before is written, then the scan runs. Until it has ended nothing is
// flushed: a crash before that leaves the directory as the other cache did, and what this one did
// meanwhile is lost with it.
import { randomUUID } from "node:crypto";
import { clearTimeout, setTimeout, UndercroftError } from "../../base/mod.js";
import type { NamespaceSlot, OpenDirectory } from "../../directory/mod.js";
import type { RecoveryReport } from "../../disk-log/mod.js";
import type { ThreadCore } from "../../entries/mod.js";
import { codes, type Kernel } from "../../kernel/mod.js";
import { loadSchemas } from "../../memory/mod.js";
import type { WorkerPool } from "../../pool/mod.js";
import { type DiskHandle, segmentsOf, setFiles } from "../../tiers/mod.js";
import { type AwaitedDirectory, isLocked } from "./opening.js";

/** Milliseconds between two attempts to take the directory over. */
const attemptEveryMs = 250;
/** The same after the directory could not be opened for another reason. */
const faultEveryMs = 5000;
/** Most waits of a millisecond for a thread that adds a namespace. */
const namespaceLockWaitsMax = 200;

export interface TakeOverParts {
  readonly core: ThreadCore;
  readonly pool: WorkerPool;
  readonly awaited: AwaitedDirectory;
  /** The directory is the cache's from here on: it is to be closed with the cache. */
  opened(directory: OpenDirectory): void;
  /** It is scanned, and the tier is up. */
  done(directory: OpenDirectory, report: RecoveryReport | null): void;
  /** An attempt failed, otherwise than before. */
  failed(error: UndercroftError): void;
}

export class TakeOver {
  readonly #parts: TakeOverParts;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> | undefined;
  #lastFault = "";
  #isEnded = false;

  constructor(parts: TakeOverParts) {
    this.#parts = parts;
    this.#later(attemptEveryMs);
  }

  /** Ends the attempts; resolves when one under way has ended. */
  async end(): Promise<void> {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    await this.#underWay;
  }

  #later(ms: number): void {
    if (this.#isEnded) return;
    this.#timer = setTimeout(() => {
      this.#underWay = this.#attempt();
    }, ms).unref();
  }

  async #attempt(): Promise<void> {
    let directory: OpenDirectory;
    try {
      directory = await this.#parts.awaited.open();
    } catch (error) {
      if (!isLocked(error)) this.#noteFault(error);
      this.#later(isLocked(error) ? attemptEveryMs : faultEveryMs);
      return;
    }
    this.#parts.opened(directory);
    // The opener closes it.
    if (this.#isEnded) return;
    try {
      const report = await this.#take(directory);
      this.#parts.done(directory, report);
    } catch (error) {
      this.#void(directory);
      this.#noteFault(error);
    }
  }

  /** Tells a fault, but not each time that it comes again. */
  #noteFault(error: unknown): void {
    if (!(error instanceof UndercroftError)) throw error;
    if (error.message === this.#lastFault || this.#isEnded) return;
    this.#lastFault = error.message;
    this.#parts.failed(error);
  }

  async #take(directory: OpenDirectory): Promise<RecoveryReport | null> {
    const { core, pool, awaited } = this.#parts;
    const { kernel } = core;
    const { disk } = core.handle;
    if (disk === null || core.directory === null) throw new Error("the memory has a disk tier");
    setDirectory(kernel, disk, directory);
    loadSchemas(kernel, directory.schemas);
    const epochs = mergeNamespaces(kernel, directory.namespaces, awaited.peek.sequence);
    kernel.control.setDirectory(codes.directoryTaken);
    if (!core.directory.writeAll()) {
      throw new UndercroftError("ERR_DISK_IO", `Cannot write to ${directory.path}`);
    }
    const clearEpoch = Math.max(directory.clearEpoch, kernel.control.clearEpoch());
    // Where the directory's time is ahead of this cache's, its entries would live too long.
    const isBehind = directory.clockAheadMs > core.clockAheadMs;
    const dropExpiring = directory.recovery.dropExpiring || isBehind;
    const recovery = {
      filter: { ...directory.recovery, clearEpoch, namespaceEpochs: epochs, dropExpiring },
      tags: directory.tags,
      snapshot: null,
      nextSequence: directory.nextSequence,
      preloadBytes: core.config.disk?.preloadBytes ?? 0,
    };
    const snapshot = directory.snapshotToWrite;
    const report = await pool.takeOver(core.handle, { recovery, snapshot });
    await directory.finishRecovery();
    kernel.control.setDirectory(codes.directoryOurs);
    kernel.control.markDiskUp();
    return report;
  }

  /** The index has only a part of the directory: what this session changes would get no tombstone
   *  there. So all that it has is void for later ones, and this one writes nothing to it. */
  #void(directory: OpenDirectory): void {
    const { kernel, directory: writer } = this.#parts.core;
    kernel.control.markDiskDown();
    writer?.writeClear(Math.max(kernel.control.sequence(), directory.nextSequence));
  }
}

/** Gives all threads the descriptors of an open directory. */
export function setDirectory(kernel: Kernel, disk: DiskHandle, directory: OpenDirectory): void {
  const { segments, manifestFd, epochsFd, tagsFd, tagMirror, schemasFd, isSynced } = directory;
  const files = { manifestFd, epochsFd, tagsFd, tagMirror, schemasFd };
  const syncResets = directory.fsyncBarrier > 0;
  setFiles(disk, { ...files, isSynced, syncResets }, segments, directory.dataKey);
  directory.follow(() => segmentsOf(disk, kernel.diskSegments.count()));
}

/**
 * Brings the namespaces of a directory together with those that this cache has made meanwhile.
 * Returns the clear epoch of each id, for the scan: what an id has is kept only if both mean the
 * same name and version by it. `ceiling` is above every record of the directory.
 */
function mergeNamespaces(
  kernel: Kernel,
  found: readonly NamespaceSlot[],
  ceiling: number,
): number[] {
  const { namespaces, locks } = kernel;
  const isLocked = locks.namespace.lock(namespaceLockWaitsMax);
  try {
    const slots = new Map(found.map((slot) => [slot.id, slot]));
    const epochs = [0];
    for (let id = 1; id <= codes.namespacesMax; id++) {
      const clear = isLocked ? clearOf(kernel, id, slots.get(id), ceiling) : ceiling;
      if (namespaces.isKnown(id)) namespaces.raiseClearEpoch(id, clear);
      epochs[id] = Math.max(clear, namespaces.clearEpoch(id));
    }
    return epochs;
  } finally {
    if (isLocked) locks.namespace.unlock();
  }
}

/** Up to which sequence the records of an id are void; restores a namespace that only the directory
 *  has. Call it with the namespace lock held. */
function clearOf(
  { namespaces }: Kernel,
  id: number,
  slot: NamespaceSlot | undefined,
  ceiling: number,
): number {
  if (slot === undefined) return ceiling;
  if (namespaces.isKnown(id)) {
    const isSame =
      namespaces.nameOf(id) === slot.name && namespaces.versionHash(id) === slot.versionHash;
    return isSame ? slot.clear : ceiling;
  }
  if (namespaces.idOf(slot.name) === 0) {
    namespaces.restore(slot);
    return slot.clear;
  }
  // The name has another id here. The slot gets a name that nobody asks for: a free id would come
  // to another name with what is stored under it.
  namespaces.restore({ ...slot, name: `void ${randomUUID()}`, clear: ceiling });
  return ceiling;
}
