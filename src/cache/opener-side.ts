// What the thread that opens a cache has beside the others: the directory, the worker pool, and the events they lead to.
// Invariant: whatever fails at open, nothing stays half open: no descriptor, no lock, no thread.
import { UndercroftError } from "../base/mod.js";
import type { OpenDirectory } from "../directory/mod.js";
import type { RecoveryReport } from "../disk-log/mod.js";
import type { ThreadCore } from "../entries/mod.js";
import type { Removal, WorkerHandle } from "../eviction/mod.js";
import type { JanitorMessage } from "../janitor/mod.js";
import { codes, hasPendingTombstone, type Kernel } from "../kernel/mod.js";
import { type DiskPlan, WorkerPool } from "../pool/mod.js";
import type { CacheEvents } from "./events.js";

/** Milliseconds that close waits for a thread that is writing a dead mark or a schema. */
const writeWaitMs = 1000;
/** How often the directory is told that the cache lives: a clock that was set back while it was killed shows by that. */
const aliveEveryMs = 10_000;

export class OpenerSide {
  readonly pool: WorkerPool;
  readonly #core: ThreadCore;
  readonly #directory: OpenDirectory | null;
  readonly #events: CacheEvents;
  #closed: Promise<void> | undefined;
  #alive: NodeJS.Timeout | undefined;

  constructor(
    core: ThreadCore,
    handle: WorkerHandle,
    directory: OpenDirectory | null,
    events: CacheEvents,
  ) {
    this.#core = core;
    this.#directory = directory;
    this.#events = events;
    this.pool = new WorkerPool(core.kernel, handle, {
      message: (message) => this.#message(message),
      restarted: (worker, reason) => this.#restarted(worker, reason),
      failed: (error) => events.emit("error", { error }),
      writeTombstone: (location) => core.directory?.writeTombstone(location),
    });
  }

  /** Starts the workers and waits until what is on disk is back. */
  async start(): Promise<void> {
    const directory = this.#directory;
    if (directory === null) {
      await this.pool.start(null);
      return;
    }
    const plan: DiskPlan = {
      recovery: {
        filter: directory.recovery,
        tags: directory.tags,
        snapshot: directory.snapshotToRead,
        nextSequence: directory.nextSequence,
      },
      snapshot: directory.snapshotToWrite,
    };
    const report = await this.pool.start(plan);
    await directory.finishRecovery();
    this.#alive = setInterval(() => {
      // One that fails only leaves an older moment there.
      directory.writeManifest({ lastAliveMs: this.#core.clock.now() }).catch(() => undefined);
    }, aliveEveryMs).unref();
    this.#recovered(directory, report);
  }

  #recovered(directory: OpenDirectory, report: RecoveryReport | null): void {
    const { kind, reason, lostSegments } = directory.recovery;
    const { entries, ms } = report ?? { entries: 0, ms: 0 };
    // After `openCache` has resolved, or nobody could be listening yet.
    setImmediate(() => {
      this.#events.emit("recovered", { kind, reason, entries, lostSegments, ms });
    });
  }

  #message(message: JanitorMessage): void {
    const events = this.#events;
    switch (message.kind) {
      case "removed":
        this.removed(message.entries);
        return;
      case "disk-down":
        this.diskFault(new UndercroftError("ERR_DISK_IO", message.message));
        return;
      case "disk-up":
        events.emit("tier-up", { tier: "disk" });
        return;
      case "sync":
        void this.#sync(message.ticket, message.sequence);
        return;
      case "ready":
      case "end":
        return; // the pool has taken them
    }
  }

  /** Entries left; some thread has counted them as waiting for this. */
  removed(entries: readonly Removal[]): void {
    this.#core.kernel.control.addPendingRemovals(-entries.length);
    for (const { key, cause } of entries) {
      if (cause === "expired") this.#events.emit("expire", { key });
      else this.#events.emit("evict", { key, cause, tier: cause === "disk" ? "disk" : "memory" });
    }
  }

  #restarted(worker: "janitor" | "store", reason: string): void {
    // What a dead janitor had counted and not sent would wait for ever.
    if (worker === "janitor") this.#core.kernel.control.resetPendingRemovals();
    this.#events.emit("worker-restarted", { worker, reason });
  }

  /** A write to disk failed in some thread: the cache goes on in memory. */
  diskFault(error: UndercroftError): void {
    this.#events.emit("tier-down", { tier: "disk", error });
    this.#events.emit("error", { error });
  }

  /** Makes what the janitor has flushed durable against a power loss, and wakes who waits for it. */
  async #sync(ticket: number, sequence: number): Promise<void> {
    let hasFailed = false;
    try {
      await this.#directory?.syncThrough(sequence, this.#core.clock.now());
    } catch (error) {
      if (!(error instanceof UndercroftError)) throw error;
      hasFailed = true;
      this.diskFault(error);
    }
    this.#core.kernel.flushes.markSyncDone(ticket, hasFailed);
  }

  /** Ends the cache for all threads. Idempotent. Rejects with ERR_DISK_IO if the directory could not be left clean. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { kernel, clock } = this.#core;
    const { control } = kernel;
    clearInterval(this.#alive);
    control.setState(codes.stateClosing);
    kernel.verbs.noteEpoch();
    const end = await this.pool.stop();
    control.setState(codes.stateClosed);
    await waitForWrites(kernel);
    this.#events.removeAll();
    const lastAliveMs = clock.now();
    const nextSequence = Math.max(end.nextSequence, control.sequence() + 1);
    const schemas = control.schemaCount();
    await this.#directory?.close({ clean: end.flushed, nextSequence, lastAliveMs, schemas });
  }
}

/** Waits until no thread is about to write a tombstone or a schema: its descriptor is about to be closed. */
async function waitForWrites(kernel: Kernel): Promise<void> {
  const isWriting = (): boolean => kernel.locks.schema.isLocked() || hasPendingTombstone(kernel);
  for (let waited = 0; waited < writeWaitMs && isWriting(); waited++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
