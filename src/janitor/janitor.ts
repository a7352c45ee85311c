// The janitor: one long task in a pool worker. It keeps a watermark of free segments, flushes
// sealed segments, serves flush requests, removes expired entries, recovers dead threads and ticks
// the coarse clock, however busy every event loop is. It sleeps on a word in shared memory that
// writers ring (rest.ts). Its file I/O is synchronous: the thread has nothing else to do.
import { elapsedMs, UndercroftError } from "../base/mod.js";
import { Closing, isTrusted, type JanitorEnd } from "../disk-log/mod.js";
import { Evictor, policyOver, RemovalReporter, sharedClock } from "../eviction/mod.js";
import { snapshotBytesMax } from "../directory/mod.js";
import { codes, hasReached, Kernel, type TombstoneWriter } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";
import { filesIdleMs } from "../tiers/mod.js";
import { DiskRoom } from "./disk-room.js";
import { IndexSweep } from "./index-sweep.js";
import { type JanitorDisk, startDisk, sweptDisk } from "./janitor-disk.js";
import type { JanitorMessage, JanitorTask } from "./messages.js";
import { MemoryRoom } from "./memory-room.js";
import { NamespaceRecount } from "./namespace-recount.js";
import { Preloader } from "./preloader.js";
import { Rest, type RoundEnd } from "./rest.js";
import { TagSweeper } from "./tag-sweeper.js";
import { ThreadWatch } from "./thread-watch.js";
import { startTuning, type Tuning } from "./tuning.js";

/** Milliseconds between flushes of open segments. Bounds what a `kill -9` loses. */
const openFlushMs = 1000;
/** Milliseconds between two looks whether the files are there, while nothing is written. */
const presenceEveryMs = 10_000;
/** Milliseconds after a disk error until the next attempt to write. */
const diskRetryMs = 5000;

export class Janitor {
  readonly #task: JanitorTask;
  readonly #kernel: Kernel;
  readonly #now: () => number;
  readonly #evictor: Evictor;
  readonly #threads: ThreadWatch;
  readonly #tuning: Tuning | null;
  readonly #tags: TagSweeper;
  readonly #recount: NamespaceRecount;
  readonly #writeTombstone: TombstoneWriter;
  readonly #disk: JanitorDisk | null;
  readonly #room: MemoryRoom;
  readonly #diskRoom: DiskRoom | null;
  readonly #preloader: Preloader | null;
  readonly #removals: RemovalReporter;
  readonly #sweep: IndexSweep;
  readonly #rest: Rest;
  #idleLookMs = 0;
  #openFlushDueMs = 0;
  /** The newest sequence before the last flush of open segments. */
  #flushedSequence = -1;
  /** A flush is to be tried again: it could not visit something. */
  #isFlushPending = false;
  #diskRetryAtMs = 0;
  #wasDiskUp = true;
  #clearEpoch = 0;
  #namespaceClears = 0;
  /** The newest flush ticket whose fsync was requested from the opener. */
  #syncPosted = 0;
  /** The last error of the disk. */
  #fault = "";

  private constructor(
    task: JanitorTask,
    kernel: Kernel,
    disk: JanitorDisk | null,
    removals: RemovalReporter,
  ) {
    this.#task = task;
    this.#kernel = kernel;
    const clock = sharedClock(kernel, task.handle.isClockInjected);
    this.#now = () => clock.now();
    this.#disk = disk;
    this.#removals = removals;
    const writeTombstone = (location: number): void => disk?.directory.writeTombstone(location);
    this.#writeTombstone = writeTombstone;
    this.#tags = new TagSweeper(kernel, sweptDisk(kernel, disk), writeTombstone);
    this.#recount = new NamespaceRecount(kernel);
    this.#sweep = new IndexSweep(kernel, removals, writeTombstone);
    this.#rest = new Rest(kernel);
    const policy = policyOver(kernel);
    this.#evictor = new Evictor(kernel, policy, writeTombstone, removals);
    this.#tuning = kernel.samples.areKept ? startTuning(kernel, policy) : null;
    this.#threads = new ThreadWatch(kernel, writeTombstone);
    this.#syncPosted = kernel.flushes.syncDone();
    this.#room = new MemoryRoom(kernel, this.#evictor, policy);
    this.#diskRoom =
      disk && new DiskRoom(kernel, disk.own, disk.log, { port: task.port, device: disk.device });
    this.#preloader = this.#preloaderOf(task);
  }

  /** After an open, not after a failover. */
  #preloaderOf({ recovery }: JanitorTask): Preloader | null {
    if (this.#disk === null || recovery === null) return null;
    const writeTombstone = this.#writeTombstone;
    const parts = { bytes: recovery.preloadBytes, watermark: this.#room.watermark, writeTombstone };
    return new Preloader(this.#kernel, this.#disk.own, this.#disk.hasher, parts);
  }

  /** Attaches, then recovers what is on disk, or fails over. */
  static async start(task: JanitorTask): Promise<Janitor> {
    const { module, memory, disk } = task.handle;
    const kernel = Kernel.attachAs(module, memory, task.thread);
    const post = (message: JanitorMessage): void => task.port.postMessage(message);
    const removals = new RemovalReporter(kernel, (entries) => post({ kind: "removed", entries }));
    if (disk === null) {
      post({ kind: "ready", recovery: null });
      return new Janitor(task, kernel, null, removals);
    }
    const onFault = (error: UndercroftError): void =>
      post({ kind: "disk-down", code: error.code, message: error.message });
    const made = await startDisk(task, disk, kernel, removals, onFault);
    post({ kind: "ready", recovery: made.report });
    return new Janitor(task, kernel, made.disk, removals);
  }

  run(): void {
    const { control } = this.#kernel;
    while (!control.isStopRequested()) {
      const heard = control.doorbell();
      const sequence = control.sequence();
      const end = this.#round();
      if (end !== "busy") this.#rest.sleep(heard, sequence, end);
    }
    this.#finish();
  }

  /** One round of all duties. "busy": there is more to do at once. */
  #round(): RoundEnd | "busy" {
    // Read before the time: what had expired when a flush was requested is expired for that flush.
    const requested = this.#kernel.flushes.requested();
    const now = this.#now();
    if (!this.#task.handle.isClockInjected) this.#kernel.verbs.tick(now);
    this.#threads.look();
    if (this.#disk === null || this.#isDiskUp()) this.#noticeClear();
    this.#flush(requested, now);
    const diskUp = this.#isDiskUp();
    const hasRoom = this.#room.make(now, diskUp);
    const isFitting = this.#room.fit(now, diskUp);
    const isResizing = this.#diskRoom?.run(now, (step) => this.#attempt(step)) === true;
    this.#sweep.step(now);
    this.#recount.run();
    const isSweeping = this.#sweepTags();
    this.#removals.report();
    const hasSamples = this.#tuning?.run() === true;
    const isPreloading = this.#preloader?.run(now) === true;
    this.#closeIdleFiles();
    const isBusy =
      isFitting ||
      isResizing ||
      isPreloading ||
      isSweeping ||
      hasSamples ||
      (!hasRoom && diskUp && this.#kernel.segments.hasState(codes.segmentSealed));
    return isBusy ? "busy" : this.#endOf(now, hasRoom);
  }

  #closeIdleFiles(): void {
    if (elapsedMs() < this.#idleLookMs) return;
    this.#idleLookMs = elapsedMs() + filesIdleMs;
    this.#disk?.own.files.closeIdle();
  }

  #endOf(now: number, hasRoom: boolean): RoundEnd {
    const { control } = this.#kernel;
    const hasHeard = this.#tuning?.hasHeard === true;
    return {
      isActive: this.#sweep.isUnderWay || this.#recount.isUnderWay || hasHeard,
      isPending: this.#isFlushPending || !hasRoom || !this.#tags.isIdle,
      dueMs: control.hasFlights() ? 0 : Math.min(this.#expiresIn(now), this.#flushesIn(now)),
    };
  }

  /** An injected clock stands still, and who moves it wakes the janitor. */
  #expiresIn(now: number): number {
    if (this.#task.handle.isClockInjected) return Infinity;
    return this.#kernel.control.soonestDeadline() - now;
  }

  #flushesIn(now: number): number {
    if (this.#disk === null || this.#kernel.control.sequence() === this.#flushedSequence) {
      return Infinity;
    }
    return this.#openFlushDueMs - now;
  }

  /** Whether open segments are to be flushed: if something may have come since they were; and now
   *  and then anyway, since a flush looks whether the files are there. */
  #isOpenFlushDue(now: number): boolean {
    const { control, segments } = this.#kernel;
    if (now < this.#openFlushDueMs) return false;
    const mayHaveCome =
      control.sequence() !== this.#flushedSequence || segments.haveLostDiskCopies();
    return mayHaveCome || now >= this.#openFlushDueMs + presenceEveryMs;
  }

  #isDiskUp(): boolean {
    const { control } = this.#kernel;
    return control.isDiskUp() && !control.isDirectoryOthers();
  }

  /** After a clear: restarts the sweep, and seals the disk segment so that new records do not share
   *  it with cleared ones. Writes the clear to disk as well, since the thread that cleared may have
   *  died or failed before it did. False until that write succeeds. */
  #noticeClear(): boolean {
    if (!this.#noticeNamespaceClears()) return false;
    const epoch = this.#kernel.control.clearEpoch();
    if (epoch === this.#clearEpoch) return true;
    this.#sweep.restart();
    if (this.#disk?.directory.writeClear(epoch) === false) return false;
    this.#clearEpoch = epoch;
    if (this.#isDiskUp()) this.#attempt(() => this.#disk?.log.seal());
    return true;
  }

  /** The same for clears of namespaces; their entries on disk leave when they are reclaimed. */
  #noticeNamespaceClears(): boolean {
    const { namespaces } = this.#kernel;
    const clears = namespaces.clears();
    if (clears === this.#namespaceClears) return true;
    this.#sweep.restart();
    for (let id = 1; id <= codes.namespacesMax; id++) {
      if (namespaces.clearEpoch(id) === 0) continue;
      if (this.#disk?.directory.writeNamespaceClear(id) === false) return false;
    }
    this.#namespaceClears = clears;
    return true;
  }

  /** Writes what is due, then answers the flush requests up to `requested`. */
  #flush(requested: number, now: number): void {
    const { flushes, control } = this.#kernel;
    // A thread asks for an fsync after it took its ticket, which may already be answered.
    const isAsked = requested !== flushes.done() || this.#syncAsked(requested) !== null;
    const sequence = control.sequence();
    const outcome = this.#write(isAsked, now);
    this.#isFlushPending = outcome === "again";
    if (!isAsked || outcome === "again") return;
    if (outcome === "failed") flushes.markFailed(requested);
    const sync = this.#syncAsked(requested);
    if (outcome === "done" && sync !== null) {
      this.#syncPosted = sync;
      const report: JanitorMessage = { kind: "sync", ticket: sync, sequence };
      this.#task.port.postMessage(report);
    }
    flushes.markDone(requested);
  }

  /** The newest ticket up to `requested` whose fsync the opener has not been asked for, or null. */
  #syncAsked(requested: number): number | null {
    const sync = this.#kernel.flushes.syncRequested();
    const isNew = !hasReached(this.#syncPosted, sync);
    return isNew && hasReached(requested, sync) ? sync : null;
  }

  /** "again": something could not be visited for a moment. "failed": the disk failed or is down. */
  #write(isAsked: boolean, now: number): "done" | "again" | "failed" {
    const disk = this.#disk;
    if (disk === null) return "done";
    if (!this.#mayWrite(now) || !this.#noticeClear()) return "failed";
    const isDue = this.#isOpenFlushDue(now);
    const reach = isAsked ? "all" : isDue ? "open" : "sealed";
    if (reach !== "sealed") {
      this.#openFlushDueMs = now + openFlushMs;
      this.#flushedSequence = this.#kernel.control.sequence();
    }
    const keepRoom = (): void => {
      this.#room.make(now, true);
    };
    let isComplete = false;
    const worked = this.#attempt(() => {
      const before = disk.log.writes;
      disk.log.dropQuarantined();
      disk.directory.mend();
      isComplete = disk.flusher.flush(reach, now, keepRoom);
      // What went to a file that somebody has removed is lost.
      if (reach !== "sealed" || !this.#isDiskUp()) disk.assertPresent();
      // A flush with nothing to write does not prove that the disk works again.
      if (!this.#isDiskUp() && disk.log.writes === before) disk.log.probe();
      return disk.log.writes > before && isTrusted(disk.log.table);
    });
    if (!worked) return "failed";
    return isComplete ? "done" : "again";
  }

  /** True if the disk tier is up, or it is time to try again. */
  #mayWrite(now: number): boolean {
    if (this.#isDiskUp()) {
      this.#wasDiskUp = true;
      return true;
    }
    if (this.#kernel.control.isDirectoryOthers()) return false;
    // Another thread took the tier down: wait as after a failed write of the janitor's own.
    if (this.#wasDiskUp) this.#diskRetryAtMs = now + diskRetryMs;
    this.#wasDiskUp = false;
    if (now < this.#diskRetryAtMs) return false;
    this.#diskRetryAtMs = now + diskRetryMs;
    return true;
  }

  /** Runs a write and keeps the word that says whether the tier is up. True if `write` did not
   *  throw. A tier that was down comes up only if `write` returns true: a write has succeeded. */
  #attempt(write: () => unknown): boolean {
    const { control } = this.#kernel;
    // If another thread takes the tier down during `write`, this success must not bring it up.
    const wasUp = this.#isDiskUp();
    try {
      const isProof = write() === true;
      if (this.#task.handle.disk === null || wasUp || !isProof) return true;
      control.markDiskUp();
      this.#task.port.postMessage({ kind: "disk-up" } satisfies JanitorMessage);
      return true;
    } catch (error) {
      if (!(error instanceof UndercroftError)) throw error;
      this.#kernel.count(counter.counterDiskErrors, 1);
      this.#diskRetryAtMs = this.#now() + diskRetryMs;
      const { code, message } = error;
      this.#fault = message;
      if (!control.markDiskDown()) return false;
      const report: JanitorMessage = { kind: "disk-down", code, message };
      this.#task.port.postMessage(report);
      return false;
    }
  }

  /** Goes on with the sweep that makes room for tags. True if there is more to do at once. */
  #sweepTags(): boolean {
    let isSweeping = false;
    // While the disk is down no tombstone can be written, so no tag may be forgotten.
    // Nor while the directory is another cache's: what it has is to be void as well.
    const isHere = this.#disk === null && !this.#kernel.control.isDirectoryOthers();
    const mayGoOn = isHere || (this.#isDiskUp() && this.#noticeClear());
    const clearEpoch = this.#disk === null ? this.#kernel.control.clearEpoch() : this.#clearEpoch;
    const worked =
      mayGoOn &&
      this.#attempt(() => {
        isSweeping = this.#tags.run(clearEpoch);
      });
    if (!worked) this.#tags.abandon();
    return isSweeping;
  }

  #finish(): void {
    let end: JanitorEnd | null = null;
    const mayFinish = !this.#kernel.control.isDirectoryOthers();
    if (mayFinish && this.#disk && this.#task.snapshot !== null && this.#noticeClear()) {
      const bytesMax = snapshotBytesMax(this.#kernel.control.diskCapacity());
      const place = { ...this.#task.snapshot, bytesMax };
      const closing = new Closing(this.#kernel, this.#disk, place);
      this.#attempt(() => {
        end = closing.run(this.#now());
      });
    }
    end ??= { flushed: false, snapshot: "none", nextSequence: 0, fault: this.#fault };
    this.#removals.report();
    this.#task.port.postMessage({ kind: "end", end } satisfies JanitorMessage);
    this.#task.port.close();
  }
}
