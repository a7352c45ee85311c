// What only the opener has: the directory, the worker pool, and the events they cause. Made by
// `openCache`. Invariant: if open fails, `close` leaves no descriptor, lock or thread behind.
import {
  clearInterval,
  setImmediate,
  setInterval,
  setTimeout,
  UndercroftError,
  uptimeMs,
} from "../base/mod.js";
import { lostError, type OpenDirectory } from "../directory/mod.js";
import type { RecoveryReport } from "../disk-log/mod.js";
import type { ThreadCore } from "../entries/mod.js";
import { type Removal, unwrittenEntries, type WorkerHandle } from "../eviction/mod.js";
import type { JanitorMessage } from "../janitor/mod.js";
import { codes, hasPendingTombstone, type Kernel } from "../kernel/mod.js";
import { type DiskPlan, WorkerPool } from "../pool/mod.js";
import { forgetClosed } from "./by-name/open-caches.js";
import type { AwaitedDirectory, DiskAtOpen } from "./disk/opening.js";
import { TakeOver } from "./disk/take-over.js";
import type { CacheEvents, CacheRecovery } from "./events.js";
import type { OperatorsSide } from "./operators/operators-side.js";

/** Milliseconds that close waits for a thread that is writing a tombstone or a schema. */
const writeWaitMs = 1000;
/**
 * Milliseconds between writes of the current time to the manifest. The next open compares it with
 * its own clock to notice that the clock was set back.
 */
const aliveEveryMs = 10_000;

export class OpenerSide {
  readonly pool: WorkerPool;
  readonly #core: ThreadCore;
  #directory: OpenDirectory | null;
  readonly #events: CacheEvents;
  /** The janitor could not begin, so nothing was written. */
  #isNothing = false;
  /** Called when a directory that another cache had is this one's, with what it had. */
  tookOver: () => void = () => undefined;
  readonly #awaited: AwaitedDirectory | null;
  #takeOver: TakeOver | undefined;
  #recovery: CacheRecovery | null = null;
  #closed: Promise<void> | undefined;
  #alive: NodeJS.Timeout | undefined;
  #operators: OperatorsSide | undefined;

  constructor(
    core: ThreadCore,
    handle: WorkerHandle,
    { directory, awaited }: DiskAtOpen,
    events: CacheEvents,
  ) {
    this.#core = core;
    this.#directory = directory;
    this.#awaited = awaited;
    this.#events = events;
    // While it waits for its directory a cache has the janitor of one without a disk.
    const first = awaited === null ? handle : { ...handle, disk: null };
    this.pool = new WorkerPool(core.kernel, first, {
      message: (message) => this.#message(message),
      restarted: (worker, reason) => this.#restarted(worker, reason),
      failed: (error) => events.emit("error", { error }),
      writeTombstone: (location) => core.directory?.writeTombstone(location),
    });
  }

  /** What was recovered from the directory; null while there is none. */
  get recovery(): CacheRecovery | null {
    return this.#recovery;
  }

  /** Starts the workers, and what takes the directory over if another cache has it. */
  async start(): Promise<void> {
    const directory = this.#directory;
    if (directory === null) {
      await this.pool.start(null);
      if (this.#awaited !== null) this.#await(this.#awaited);
      return;
    }
    const plan: DiskPlan = {
      recovery: {
        filter: directory.recovery,
        tags: directory.tags,
        snapshot: directory.snapshotToRead,
        nextSequence: directory.nextSequence,
        preloadBytes: this.#core.config.disk?.preloadBytes ?? 0,
      },
      snapshot: directory.snapshotToWrite,
    };
    const report = await this.#startPool(plan);
    await directory.finishRecovery();
    this.#begin(directory, report);
  }

  /** Answers operators from now on, or from when it has the directory. Rejects with ERR_DISK_IO. */
  async answer(operators: OperatorsSide): Promise<void> {
    this.#operators = operators;
    if (this.#directory !== null) operators.over(this.#directory);
    else if (this.#awaited === null) await operators.overName();
  }

  /** A session of the directory has begun. */
  #begin(directory: OpenDirectory, report: RecoveryReport | null): void {
    const { kernel } = this.#core;
    void directory.lost.then(() => this.#lost(directory));
    this.#alive = setInterval(() => {
      // A failed write leaves an older time in the manifest, which is harmless. By the sequence a
      // cache that waits for the directory knows where its own may begin.
      const nextSequence = kernel.control.sequence() + 1;
      this.#hearSyncLost();
      directory.writeManifest({ ...this.#time(), nextSequence }).catch(() => undefined);
    }, aliveEveryMs).unref();
    this.#recovery = this.#recovered(directory, report);
    this.#operators?.over(directory);
  }

  /** A write failed. It may have, since another cache has replaced a file. */
  #diskDown(error: UndercroftError): void {
    const directory = this.#directory;
    this.#hearSyncLost();
    if (directory?.isHeld() === false) this.#lost(directory);
    else this.diskFault(error);
  }

  /** The janitor may have found that a sync failed. */
  #hearSyncLost(): void {
    const directory = this.#directory;
    if (directory === null || directory.isSyncLost || !this.#core.kernel.flushes.isSyncLost()) {
      return;
    }
    void directory.loseSync();
  }

  /** Another cache has the directory: this one keeps to memory, and makes nothing final there. */
  #lost(directory: OpenDirectory): void {
    const { control } = this.#core.kernel;
    if (directory.isHeld() || control.isDirectoryOthers()) return;
    control.setDirectory(codes.directoryOthers);
    control.markDiskDown();
    clearInterval(this.#alive);
    if (this.#closed === undefined) this.diskFault(lostError(directory.path));
  }

  /** Takes the directory over when it is free. */
  #await(awaited: AwaitedDirectory): void {
    const tier = "disk";
    const down = { tier, error: awaited.error };
    const told = this.#events.emit("tier-down", down);
    // Once more after `openCache` has resolved, for those who listen from then on.
    setImmediate(() => this.#events.emit("tier-down", down, told));
    this.#takeOver = new TakeOver({
      core: this.#core,
      pool: this.pool,
      awaited,
      opened: (directory) => {
        this.#directory = directory;
      },
      done: (directory, report) => {
        this.tookOver();
        this.#begin(directory, report);
        this.#events.emit("tier-up", { tier });
      },
      failed: (error) => this.diskFault(error),
    });
  }

  async #startPool(plan: DiskPlan): Promise<RecoveryReport | null> {
    try {
      return await this.pool.start(plan);
    } catch (error) {
      // The runtime lets no janitor begin.
      this.#isNothing = error instanceof UndercroftError && error.code === "ERR_RUNTIME";
      throw error;
    }
  }

  #recovered(directory: OpenDirectory, report: RecoveryReport | null): CacheRecovery {
    const { kind, reason, lostSegments } = directory.recovery;
    const { entries, ms } = report ?? { entries: 0, ms: 0 };
    const recovery = Object.freeze({ kind, reason, entries, lostSegments, ms });
    const told = this.#events.emit("recovered", recovery);
    // Once more after `openCache` has resolved, for those who listen from then on.
    setImmediate(() => this.#events.emit("recovered", recovery, told));
    return recovery;
  }

  #message(message: JanitorMessage): void {
    const events = this.#events;
    switch (message.kind) {
      case "removed":
        this.removed(message.entries);
        return;
      case "disk-down":
        this.#diskDown(new UndercroftError("ERR_DISK_IO", message.message));
        return;
      case "disk-up":
        events.emit("tier-up", { tier: "disk" });
        return;
      case "disk-resized":
        // A failed write leaves the old number of files in the manifest, which is harmless: the
        // next open looks what there is.
        this.#directory?.writeManifest({}).catch(() => undefined);
        return;
      case "sync":
        void this.#sync(message.ticket, message.sequence);
        return;
      case "ready":
      case "end":
        return; // the pool handles these
    }
  }

  /** Entries were removed. The thread that removed them counted them as pending removals. */
  removed(entries: readonly Removal[]): void {
    this.#core.kernel.control.addPendingRemovals(-entries.length);
    const { namespaces } = this.#core.kernel;
    for (const { key, space, cause } of entries) {
      const named = space === 0 ? { key } : { key, namespace: namespaces.nameOf(space) };
      if (cause === "expired") this.#events.emit("expire", named);
      else
        this.#events.emit("evict", { ...named, cause, tier: cause === "disk" ? "disk" : "memory" });
    }
  }

  #restarted(worker: "janitor" | "store", reason: string): void {
    // What the dead janitor counted as pending and did not send would stay pending for ever.
    if (worker === "janitor") this.#core.kernel.control.resetPendingRemovals();
    this.#events.emit("worker-restarted", { worker, reason });
  }

  /** A write to disk failed in some thread. The cache goes on in memory. */
  diskFault(error: UndercroftError): void {
    this.#events.emit("tier-down", { tier: "disk", error });
    this.#events.emit("error", { error });
  }

  /** The process ends, and so many entries are not written. Nothing asynchronous runs any more. */
  leftOut(entries: number): void {
    const path = this.#core.config.disk?.path ?? "disk";
    const text =
      `Cannot write all to ${path} before the process ends: ` +
      (entries === 1 ? "1 entry is" : `${entries} entries are`) +
      " lost; await close() before the end";
    this.#events.emit("error", { error: new UndercroftError("ERR_DISK_IO", text) });
    try {
      this.#directory?.noteLeftOut(entries);
    } catch (error) {
      // The event has told it.
      if (!(error instanceof UndercroftError)) throw error;
    }
  }

  /** Fsyncs what the janitor has flushed up to `sequence`, then wakes the threads that wait. */
  async #sync(ticket: number, sequence: number): Promise<void> {
    let hasFailed = false;
    this.#hearSyncLost();
    try {
      await this.#directory?.syncThrough(sequence);
    } catch (error) {
      if (!(error instanceof UndercroftError)) throw error;
      hasFailed = true;
      if (this.#directory?.isSyncLost === true) this.#core.kernel.flushes.noteSyncLost();
      // The tier is not down: what needs no sync goes on, and nothing would say that it is up.
      if (this.#directory?.isHeld() === false) this.#lost(this.#directory);
      else this.#events.emit("error", { error });
    }
    this.#core.kernel.flushes.markSyncDone(ticket, hasFailed);
  }

  /**
   * Closes the cache for all threads. Idempotent. Rejects with ERR_DISK_IO if the directory could
   * not be left clean; the message says what was lost.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { kernel } = this.#core;
    const { control } = kernel;
    // A take-over under way ends first: it uses the workers and the directory.
    if (this.#takeOver !== undefined) await this.#takeOver.end();
    clearInterval(this.#alive);
    this.#operators?.close();
    // Asked before the janitor flushes and writes the snapshot.
    if (this.#directory?.isHeld() === false) this.#lost(this.#directory);
    control.setState(codes.stateClosing);
    forgetClosed();
    kernel.verbs.noteEpoch();
    const end = await this.pool.stop();
    control.setState(codes.stateClosed);
    await waitForWrites(kernel);
    this.#core.closeFiles();
    this.#events.removeAll();
    if (this.#isNothing) {
      await this.#directory?.abandon();
      return;
    }
    const nextSequence = Math.max(end.nextSequence, control.sequence() + 1);
    const schemas = control.schemaCount();
    const directory = this.#directory;
    if (directory === null) return;
    this.#hearSyncLost();
    const lost = end.flushed ? 0 : unwrittenEntries(kernel, this.#core.clock.now());
    const { flushed: clean, snapshot } = end;
    await directory.close({ clean, nextSequence, ...this.#time(), schemas, snapshot });
    if (!end.flushed) throw notKept(directory.path, lost, end.fault);
  }

  /** The time, by which the next open knows how much has passed. */
  #time(): { lastAliveMs: number; clockAheadMs: number; uptimeMs: number } {
    const core = this.#core;
    // The time first: it notices a step of the wall clock.
    const lastAliveMs = core.clock.now();
    const uptime = core.handle.isClockInjected ? 0 : uptimeMs();
    return { lastAliveMs, clockAheadMs: core.clockAheadMs, uptimeMs: uptime };
  }
}

function notKept(path: string, entries: number, fault: string): UndercroftError {
  const text =
    `Cannot leave ${path} as it should be at the close of the cache: ` +
    (entries === 1
      ? "1 entry that was not on disk is"
      : `${entries} entries that were not on disk are`) +
    " lost, and the next open reads what was written before; " +
    (fault === "" ? "the worker that writes has not answered" : fault);
  return new UndercroftError("ERR_DISK_IO", text);
}

/**
 * Waits, at most `writeWaitMs`, until no thread is about to write a tombstone or a schema: the
 * descriptors close next.
 */
async function waitForWrites(kernel: Kernel): Promise<void> {
  const { schema, namespace } = kernel.locks;
  const isWriting = (): boolean =>
    schema.isLocked() || namespace.isLocked() || hasPendingTombstone(kernel);
  for (let waited = 0; waited < writeWaitMs && isWriting(); waited++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
