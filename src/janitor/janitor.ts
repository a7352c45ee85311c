// The janitor: one long task in a pool worker that keeps a watermark of free segments, flushes what is sealed, answers
// flush requests, removes what expired, and ticks the coarse clock, however busy every event loop is. It sleeps on a word
// in shared memory that writers ring, and it does its file I/O synchronously: the thread has nothing else to do.
import { UndercroftError } from "../base/mod.js";
import { createHasher } from "../hash/mod.js";
import { Kernel, layout as at } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";
import { DiskTier } from "../tiers/mod.js";
import { MemoryStore, SchemaArea } from "../memory/mod.js";
import { Admission } from "./admission.js";
import { Closing, type DiskSide } from "./closing.js";
import { RemovalReporter } from "./removals.js";
import { DiskLog } from "./disk-log.js";
import { policyOver, watermarkOf } from "./eviction.js";
import { type RemovalCallback, Evictor } from "./evictor.js";
import { Flusher } from "./flusher.js";
import type { JanitorEnd, JanitorMessage, JanitorTask, RecoveryReport } from "./messages.js";
import { DictionaryTrainer } from "./dictionary-trainer.js";
import { recover } from "./recovery.js";
import { sharedTime } from "./shared-time.js";
import { failOver } from "./failover.js";
import { startTuning, type Tuning } from "./tuning.js";
import { ThreadWatch } from "./thread-watch.js";

/** The longest sleep: bounds the coarse clock's lag and the wait for expired entries. */
const roundMs = 20;
/** Records of segments still open are flushed after this long, so that a kill loses at most so much. */
const openFlushMs = 1000;
/** Buckets looked through for expired entries in one round; a round is at most every millisecond. */
const sweepBuckets = 4096;
/** After a disk error, how long until writing is tried again. */
const diskRetryMs = 5000;

/** Starts a janitor in this thread. Resolves when it has recovered what is on disk; from then on it has the thread to
 *  itself until controlStop is set, and reports through the task's port. */
export async function startJanitor(task: JanitorTask): Promise<void> {
  const janitor = await Janitor.start(task);
  // After the pool has heard that the task is done: it must not count as running, or it would keep the process alive.
  setTimeout(() => janitor.run(), 0);
}

class Janitor {
  readonly #task: JanitorTask;
  readonly #kernel: Kernel;
  readonly #now: () => number;
  readonly #evictor: Evictor;
  readonly #threads: ThreadWatch;
  readonly #tuning: Tuning | null;
  readonly #symbols: DictionaryTrainer;
  readonly #disk: DiskSide | null;
  readonly #watermark: number;
  readonly #removals: RemovalReporter;
  #sweepFrom = 0;
  #sweepDueMs = 0;
  #openFlushDueMs = 0;
  #diskRetryAtMs = 0;
  #wasDiskUp = true;
  #clearEpoch = 0;
  /** The newest flush ticket whose sync was asked of the owner. */
  #syncPosted = 0;

  private constructor(
    task: JanitorTask,
    kernel: Kernel,
    disk: DiskSide | null,
    removals: RemovalReporter,
  ) {
    this.#task = task;
    this.#kernel = kernel;
    this.#now = sharedTime(kernel, task.handle.clockAnchorMs);
    this.#disk = disk;
    this.#removals = removals;
    const writeTombstone = (location: number): void => disk?.tier.writeTombstone(location);
    const removed: RemovalCallback = (record, cause) => removals.add(record, cause);
    const policy = policyOver(kernel);
    this.#evictor = new Evictor(kernel, policy, writeTombstone, removed);
    this.#tuning = kernel.geometry.sampleSlots === 0 ? null : startTuning(kernel, policy);
    const write = disk === null ? null : disk.tier.writeSchema.bind(disk.tier);
    this.#symbols = new DictionaryTrainer(kernel, new SchemaArea(kernel, write));
    this.#threads = new ThreadWatch(kernel, writeTombstone);
    this.#syncPosted = Atomics.load(kernel.views.i32, at.controlSyncDone / 4);
    this.#watermark = watermarkOf(kernel.geometry);
  }

  /** Attaches, and brings back what is on disk. */
  static async start(task: JanitorTask): Promise<Janitor> {
    const { module, memory, disk, clockAnchorMs } = task.handle;
    const kernel = Kernel.adopt(module, memory, task.thread);
    const post = (message: JanitorMessage): void => task.port.postMessage(message);
    const removals = new RemovalReporter(kernel, (entries) => post({ kind: "removed", entries }));
    if (disk === null) {
      post({ kind: "ready", recovery: null });
      return new Janitor(task, kernel, null, removals);
    }
    const hasher = await createHasher();
    const onFault = (error: UndercroftError): void =>
      post({ kind: "disk-down", code: error.code, message: error.message });
    const tier = new DiskTier(new MemoryStore(kernel), disk, onFault);
    const admission = new Admission(kernel, disk.admission);
    const log = new DiskLog(kernel, disk, hasher, admission.budget);
    log.tellOf(removals);
    let report: RecoveryReport | null = null;
    if (task.recovery === null) {
      failOver(kernel, disk);
    } else {
      const now = sharedTime(kernel, clockAnchorMs)();
      const { resume, ...rest } = recover(kernel, disk, tier, task.recovery, hasher, now);
      if (resume >= 0) log.resume(resume);
      report = rest;
    }
    post({ kind: "ready", recovery: report });
    const flusher = new Flusher(kernel, log, admission);
    return new Janitor(task, kernel, { log, tier, hasher, flusher }, removals);
  }

  run(): void {
    const { i32 } = this.#kernel.views;
    while (Atomics.load(i32, at.controlStop / 4) === 0) {
      const bell = Atomics.load(i32, at.controlDoorbell / 4);
      const busy = this.#round();
      if (!busy) Atomics.wait(i32, at.controlDoorbell / 4, bell, roundMs);
    }
    this.#finish();
  }

  /** One round of everything; true if there is more to do at once. */
  #round(): boolean {
    // Before the time is read: what had expired when a flush was asked for is expired to that flush.
    const requested = Atomics.load(this.#kernel.views.i32, at.controlFlushRequested / 4);
    const now = this.#now();
    if (this.#task.handle.clockAnchorMs !== null) this.#kernel.verbs.tick(now);
    this.#threads.look();
    if (this.#disk === null || this.#isDiskUp()) this.#noticeClear();
    this.#flush(requested, now);
    const diskUp = this.#isDiskUp();
    const hasRoom = this.#evictor.makeRoom(this.#watermark, now, diskUp);
    this.#sweep(now);
    this.#removals.report();
    this.#tuning?.run();
    this.#symbols.run();
    return !hasRoom && diskUp && this.#hasSealed();
  }

  #isDiskUp(): boolean {
    return Atomics.load(this.#kernel.views.i32, at.controlDiskUp / 4) === 1;
  }

  #hasSealed(): boolean {
    const { table } = this.#evictor;
    for (let segment = 0; segment < table.count; segment++) {
      if (table.state(segment) === at.segmentSealed) return true;
    }
    return false;
  }

  /** A clear empties the index at leisure, and new records do not share a disk segment with cleared ones. It is written
   *  down here too: who cleared may have died before, or failed. False as long as that has not worked. */
  #noticeClear(): boolean {
    const epoch = this.#kernel.clearEpoch();
    if (epoch === this.#clearEpoch) return true;
    this.#sweepFrom = 0;
    if (this.#disk?.tier.writeClear(epoch) === false) return false;
    this.#clearEpoch = epoch;
    if (this.#isDiskUp()) this.#attempt(() => this.#disk?.log.seal());
    return true;
  }

  /** Writes what is due, and answers the flushes that were asked for before. */
  #flush(requested: number, now: number): void {
    const { i32 } = this.#kernel.views;
    const done = Atomics.load(i32, at.controlFlushDone / 4);
    // Who asks for a sync says so after taking a ticket, which may have been answered by then.
    const isAsked = requested !== done || this.#syncAsked(requested) !== null;
    const sequence = this.#kernel.sequence();
    const outcome = this.#write(isAsked, now);
    if (!isAsked || outcome === "again") return;
    if (outcome === "failed") Atomics.store(i32, at.controlFlushFailed / 4, requested);
    const sync = this.#syncAsked(requested);
    if (outcome === "done" && sync !== null) {
      this.#syncPosted = sync;
      const report: JanitorMessage = { kind: "sync", ticket: sync, sequence };
      this.#task.port.postMessage(report);
    }
    Atomics.store(i32, at.controlFlushDone / 4, requested);
    Atomics.notify(i32, at.controlFlushDone / 4);
  }

  /** The newest ticket up to `requested` that wants a sync which was not asked of the owner yet, or null. */
  #syncAsked(requested: number): number | null {
    const sync = Atomics.load(this.#kernel.views.i32, at.controlFlushSync / 4);
    const isNew = ((sync - this.#syncPosted) | 0) > 0;
    return isNew && ((requested - sync) | 0) >= 0 ? sync : null;
  }

  /** "again": something could not be looked at for a moment. "failed": the disk refuses, or was not asked. */
  #write(isAsked: boolean, now: number): "done" | "again" | "failed" {
    const disk = this.#disk;
    if (disk === null) return "done";
    if (!this.#mayWrite(now) || !this.#noticeClear()) return "failed";
    const isDue = now >= this.#openFlushDueMs;
    const reach = isAsked ? "all" : isDue ? "open" : "sealed";
    if (reach !== "sealed") this.#openFlushDueMs = now + openFlushMs;
    const keepRoom = (): void => {
      this.#evictor.makeRoom(this.#watermark, now, true);
    };
    let isComplete = false;
    const worked = this.#attempt(() => {
      const before = disk.log.writes;
      disk.log.dropQuarantined();
      isComplete = disk.flusher.flush(reach, now, keepRoom);
      // That nothing had to be written does not show that the disk is well again.
      if (!this.#isDiskUp() && disk.log.writes === before) disk.log.probe();
      return disk.log.writes > before && disk.log.table.isTrusted;
    });
    if (!worked) return "failed";
    return isComplete ? "done" : "again";
  }

  /** The disk tier takes writes, or it is time to try again. */
  #mayWrite(now: number): boolean {
    if (this.#isDiskUp()) {
      this.#wasDiskUp = true;
      return true;
    }
    // Another thread's dead mark failed: as after a failed write, not again at once.
    if (this.#wasDiskUp) this.#diskRetryAtMs = now + diskRetryMs;
    this.#wasDiskUp = false;
    if (now < this.#diskRetryAtMs) return false;
    this.#diskRetryAtMs = now + diskRetryMs;
    return true;
  }

  /** Runs something that writes, and keeps the word that says whether the tier is up; true if it did not throw. If the
   *  tier was down, it comes up when `write` answers that a write has worked. */
  #attempt(write: () => unknown): boolean {
    const { i32 } = this.#kernel.views;
    // If another thread takes the tier down meanwhile, this is no news of it.
    const wasUp = this.#isDiskUp();
    try {
      const isProof = write() === true;
      if (this.#task.handle.disk === null || wasUp || !isProof) return true;
      Atomics.store(i32, at.controlDiskUp / 4, 1);
      this.#task.port.postMessage({ kind: "disk-up" } satisfies JanitorMessage);
      return true;
    } catch (error) {
      if (!(error instanceof UndercroftError)) throw error;
      this.#kernel.count(counter.counterDiskErrors, 1);
      this.#diskRetryAtMs = this.#now() + diskRetryMs;
      if (!this.#isDiskUp()) return false;
      Atomics.store(i32, at.controlDiskUp / 4, 0);
      const { code, message } = error;
      const report: JanitorMessage = { kind: "disk-down", code, message };
      this.#task.port.postMessage(report);
      return false;
    }
  }

  #sweep(now: number): void {
    // In real time: with an injected clock, `now` may stand still.
    if (performance.now() < this.#sweepDueMs) return;
    this.#sweepDueMs = performance.now() + 1;
    const { bucketCount } = this.#kernel.geometry;
    if (this.#removals.isWanted) this.#tellExpired(now);
    this.#kernel.verbs.sweep(this.#sweepFrom, sweepBuckets, now);
    this.#sweepFrom += sweepBuckets;
    if (this.#sweepFrom >= bucketCount) this.#sweepFrom = 0;
  }

  /** Removes expired entries as sweep does, but each with its key, for whoever listens. */
  #tellExpired(now: number): void {
    const { verbs, block, views, geometry } = this.#kernel;
    const end = Math.min(this.#sweepFrom + sweepBuckets, geometry.bucketCount) * 8;
    const word = block / 4;
    const next = (from: number): number => verbs.nextExpired(from, end, now);
    for (let slot = next(this.#sweepFrom * 8); slot >= 0; slot = next(slot + 1)) {
      const low = views.u32[word + at.resultSlotLow / 4] as number;
      const high = views.u32[word + at.resultSlotHigh / 4] as number;
      const record = views.u32[word + at.resultRecord / 4] as number;
      const size = views.u32[word + at.resultRecordSize / 4] as number;
      // Torn: the segment is being written anew, and the slot has changed.
      if (size > geometry.segmentBytes) continue;
      this.#removals.copy(record, size);
      if (verbs.validate(slot, low, high) !== 1) continue;
      if (verbs.dropSlot(slot, low, high) !== at.answerDone) continue;
      this.#kernel.count(counter.counterExpirations, 1);
      this.#removals.tell("expired");
    }
  }

  #finish(): void {
    let end: JanitorEnd = { flushed: false, snapshotWritten: false, nextSequence: 0 };
    if (this.#disk !== null && this.#task.snapshot !== null && this.#noticeClear()) {
      const closing = new Closing(this.#kernel, this.#disk, this.#task.snapshot);
      this.#attempt(() => {
        end = closing.run(this.#now());
      });
    }
    this.#removals.report();
    this.#task.port.postMessage({ kind: "end", end } satisfies JanitorMessage);
    this.#task.port.close();
  }
}
