// The opener's side of its workers: one thread for the janitor, which is replaced if it dies, and
// up to two for asynchronous sets (threads.ts). Invariants: no task gets an AbortSignal, since
// aborting terminates the thread; workers do not keep the process alive; what a dead worker held
// is recovered before its thread id is reused.
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { startThreads } from "#threads";
import {
  addressSpaceError,
  clearTimeout,
  elapsedMs,
  runtimeError,
  setImmediate,
  setTimeout,
  UndercroftError,
} from "../base/mod.js";
import type { SnapshotPlace } from "../directory/mod.js";
import type { JanitorEnd, RecoveryReport } from "../disk-log/mod.js";
import type { WorkerHandle } from "../eviction/mod.js";
import type { JanitorMessage, JanitorStart, JanitorTask } from "../janitor/mod.js";
import {
  claimThread,
  holderOf,
  holdersOfWorker,
  type Kernel,
  recoverThread,
  type ThreadHolder,
  workerIdOf,
} from "../kernel/mod.js";
import type { WriteOutcome } from "../memory/mod.js";
import { counterEncodeTasks, counterSetsOverloaded, counterWorkerRestarts } from "../stats/mod.js";
import type { StoreTask } from "./pool-messages.js";
import type { Threads } from "./threads.js";

/** A janitor that is not ready after this long has failed: its file may have thrown on import. */
const startTimeoutMs = 30_000;
/** Longest wait at close for the janitor to flush and to write the snapshot. */
const endTimeoutMs = 120_000;
/** Longest wait at close for asynchronous sets under way. */
const storesTimeoutMs = 30_000;
/** After more deaths of the janitor than this within a minute it is not restarted; the cache
 *  runs in memory only. */
const deathsMax = 5;
const deathsWindowMs = 60_000;
const storeThreadsMax = 2;
/** Most asynchronous sets waiting for a worker; the next is refused as "overloaded". */
const storeQueueMax = 256;

const nothingFlushed: JanitorEnd = {
  flushed: false,
  snapshot: "none",
  nextSequence: 0,
  fault: "",
};

/** What the pool reports to the opener. */
export interface WorkerListener {
  message(message: JanitorMessage): void;
  restarted(worker: "janitor" | "store", reason: string): void;
  failed(error: UndercroftError): void;
  /** Writes a tombstone that a dead thread had announced. */
  writeTombstone(location: number): void;
}

/** How to recover at start, and where to write the snapshot at close; null without a disk tier. */
export interface DiskPlan {
  readonly recovery: JanitorTask["recovery"];
  readonly snapshot: SnapshotPlace;
}

/** One run of the janitor, until it or its worker has ended. */
interface JanitorRun {
  /** The thread id that this thread claimed for it; the janitor takes the id over. */
  readonly holder: ThreadHolder;
  readonly port: MessagePort;
  isOver: boolean;
}

export class WorkerPool {
  readonly #kernel: Kernel;
  /** What janitors get: without a disk while the directory is another cache's. */
  #handle: WorkerHandle;
  readonly #listener: WorkerListener;
  readonly #janitors: Threads;
  #stores: Threads | undefined;
  #run: JanitorRun | undefined;
  /** Why the janitor threw. The exit of its worker comes later and counts as its death. */
  #lastFault: string | undefined;
  #deaths: number[] = [];
  #isStopping = false;
  #end: { resolve(end: JanitorEnd): void } | undefined;
  #snapshot: SnapshotPlace | null = null;

  constructor(kernel: Kernel, handle: WorkerHandle, listener: WorkerListener) {
    this.#kernel = kernel;
    this.#handle = handle;
    this.#listener = listener;
    this.#janitors = startThreads("startJanitor", { min: 1, max: 1, queue: 1 });
    this.#janitors.on("error", (error) => (this.#lastFault = reasonOf(error)));
  }

  /** Starts the janitor; resolves when it has recovered what is on disk. Rejects with
   *  ERR_WORKER. */
  async start(plan: DiskPlan | null): Promise<RecoveryReport | null> {
    this.#snapshot = plan?.snapshot ?? null;
    return this.#startJanitor(plan?.recovery ?? null);
  }

  /** Replaces the janitor of a cache that began without its directory by one that scans what is
   *  on disk. Resolves when it has. Rejects with ERR_WORKER; the tier stays down then. */
  async takeOver(handle: WorkerHandle, plan: DiskPlan): Promise<RecoveryReport | null> {
    const run = this.#run;
    if (run?.isOver === false) {
      await this.#endOf(run);
      this.#giveBack(run);
      this.#kernel.control.clearStop();
    }
    if (this.#isStopping) throw new UndercroftError("ERR_CACHE_CLOSED", "The cache is closing");
    try {
      this.#snapshot = plan.snapshot;
      this.#handle = handle;
      return await this.#startJanitor(plan.recovery);
    } catch (error) {
      // The index lacks a part of what is on disk, so nothing may be written there.
      this.#snapshot = null;
      this.#handle = { ...handle, disk: null };
      if (!this.#isStopping) this.#startAgain(reasonOf(error));
      throw error;
    }
  }

  /** Tells the janitor to end, and resolves to how it did. No other is started instead. */
  async #endOf(run: JanitorRun): Promise<JanitorEnd> {
    run.isOver = true;
    run.port.ref();
    const ended = new Promise<JanitorEnd>((resolve) => {
      this.#end = { resolve };
    });
    for (const worker of this.#janitors.threads) {
      worker.once("exit", () => this.#end?.resolve(nothingFlushed));
    }
    this.#kernel.control.requestStop();
    this.#kernel.verbs.ring();
    const end = await withTimeout(ended, endTimeoutMs, "stop the janitor");
    run.port.close();
    return end;
  }

  async #startJanitor(recovery: JanitorTask["recovery"]): Promise<RecoveryReport | null> {
    const { port1, port2 } = new MessageChannel();
    const run: JanitorRun = {
      holder: claimThread(this.#kernel, "pool"),
      port: port1,
      isOver: false,
    };
    this.#run = run;
    let report: RecoveryReport | null = null;
    port1.on("message", (message: JanitorMessage) => {
      if (message.kind === "ready") report = message.recovery;
      else if (message.kind === "end") this.#end?.resolve(message.end);
      else this.#listener.message(message);
    });
    const task: JanitorTask = {
      handle: this.#handle,
      thread: run.holder.thread,
      recovery,
      snapshot: this.#snapshot,
      port: port2,
    };
    let isSettled = false;
    const started = this.#janitors
      .run(task, { transferList: [port2] })
      .finally(() => (isSettled = true));
    try {
      const start = await withTimeout(started, startTimeoutMs, "start the janitor");
      if ((start as JanitorStart) === "other-files") throw notShared();
      if ((start as JanitorStart) === "no-address-space") throw addressSpaceError();
    } catch (error) {
      // A janitor that is only late may still be running, so nothing it holds is recovered.
      if (isSettled) this.#giveBack(run);
      else run.isOver = true;
      throw error;
    }
    // Messages arrive in order, so "ready" has been handled once the port has been read.
    await new Promise((resolve) => setImmediate(resolve));
    this.#watch(run);
    port1.unref();
    return report;
  }

  /** Watches the worker of this very run; a successor may be in the pool already. */
  #watch(run: JanitorRun): void {
    const workerId = workerIdOf(this.#kernel, run.holder.thread);
    const worker = this.#janitors.threads.find(({ threadId }) => threadId === workerId);
    if (worker === undefined) {
      this.#janitorDied(run, `thread ${workerId} ended`);
      return;
    }
    worker.once("exit", (code) => this.#janitorDied(run, `thread ${workerId} exited with ${code}`));
  }

  /** Recovers what a run that is over held. */
  #giveBack(run: JanitorRun): void {
    run.isOver = true;
    run.port.close();
    const { thread, incarnation } = run.holder;
    const holder = holderOf(this.#kernel, thread);
    // Another thread may have recovered it already, and a third may have claimed the id since.
    if (holder?.incarnation === incarnation) this.#recover(holder);
  }

  #janitorDied(run: JanitorRun, exit: string): void {
    if (this.#isStopping || run.isOver) return;
    this.#giveBack(run);
    const reason = this.#lastFault ?? exit;
    this.#lastFault = undefined;
    this.#startAgain(reason);
  }

  #startAgain(reason: string): void {
    this.#kernel.count(counterWorkerRestarts, 1);
    this.#listener.restarted("janitor", reason);
    const now = elapsedMs();
    this.#deaths = this.#deaths.filter((death) => now - death < deathsWindowMs);
    this.#deaths.push(now);
    if (this.#deaths.length > deathsMax) {
      const text =
        `Cannot keep the janitor running: it died ${this.#deaths.length} times within a minute ` +
        `(last reason: ${reason}); the cache continues in memory only until it is reopened`;
      this.#kernel.control.markDiskDown();
      this.#listener.failed(new UndercroftError("ERR_WORKER", text));
      return;
    }
    this.#startJanitor(null).catch((error: unknown) => {
      if (!this.#isStopping) this.#startAgain(reasonOf(error));
    });
  }

  /** Whether one more set may wait for a worker. If not, counts it as overloaded. */
  hasRoom(): boolean {
    const size = this.#stores?.queueSize ?? 0;
    if (size < storeQueueMax) return true;
    this.#kernel.count(counterSetsOverloaded, 1);
    return false;
  }

  /** Stores a value in a worker; ask `hasRoom` first. Rejects with ERR_WORKER if the worker dies.
   *  The caller ends the flight. */
  async store(task: StoreTask): Promise<WriteOutcome> {
    const pool = (this.#stores ??= this.#startStores());
    this.#kernel.count(counterEncodeTasks, 1);
    const transferList = [task.bytes.buffer as ArrayBuffer];
    try {
      return (await this.#underWay(pool.run(task, { transferList }))) as WriteOutcome;
    } catch (error) {
      throw workerError(error);
    }
  }

  /** Remembers a task until it ends: `stop` waits for it. */
  async #underWay<T>(task: Promise<T>): Promise<T> {
    const ended = task.catch(() => undefined);
    this.#storesUnderWay.add(ended);
    try {
      return await task;
    } finally {
      this.#storesUnderWay.delete(ended);
    }
  }

  #startStores(): Threads {
    const options = { min: 0, max: storeThreadsMax, queue: storeQueueMax };
    const pool = startThreads("storeValue", options);
    pool.on("error", () => undefined);
    pool.on("workerCreate", () => {
      for (const worker of pool.threads) {
        const { threadId } = worker;
        if (this.#watched.has(threadId)) continue;
        this.#watched.add(threadId);
        worker.once("exit", (code) => this.#storeDied(threadId, code));
      }
    });
    return pool;
  }

  readonly #watched = new Set<number>();
  readonly #storesUnderWay = new Set<Promise<unknown>>();

  #storeDied(threadId: number, code: number): void {
    this.#watched.delete(threadId);
    for (const holder of holdersOfWorker(this.#kernel, threadId)) this.#recover(holder);
    if (this.#isStopping) return;
    this.#kernel.count(counterWorkerRestarts, 1);
    this.#listener.restarted("store", `thread ${threadId} exited with ${code}`);
  }

  #recover(holder: ThreadHolder): void {
    recoverThread(this.#kernel, holder, (location) => this.#listener.writeTombstone(location));
  }

  /** Stops the workers. Resolves to how the janitor ended: whether it flushed and wrote the
   *  snapshot. */
  async stop(): Promise<JanitorEnd> {
    // Not Piscina's close(): its time limit runs on timers that a test may have replaced.
    const stored = Promise.all(this.#storesUnderWay);
    await withTimeout(stored, storesTimeoutMs, "end asynchronous sets").catch(() => undefined);
    this.#isStopping = true;
    const run = this.#run;
    const isRunning = run?.isOver === false;
    const end = isRunning ? await this.#endOf(run).catch(() => nothingFlushed) : nothingFlushed;
    await Promise.all([this.#janitors.destroy(), this.#stores?.destroy()]);
    return end;
  }
}

async function withTimeout<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const text = `Cannot ${what}: it did not answer within ${ms} ms`;
    timer = setTimeout(() => reject(new UndercroftError("ERR_WORKER", text)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    throw workerError(error);
  } finally {
    clearTimeout(timer);
  }
}

function notShared(): UndercroftError {
  const fault = "this runtime's workers do not share file descriptors, so disk does not work here";
  return runtimeError(fault, "leave disk out, or run Node.js");
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function workerError(error: unknown): UndercroftError {
  if (error instanceof UndercroftError) return error;
  const text = `Cannot run a worker of the cache: ${reasonOf(error)}`;
  return new UndercroftError("ERR_WORKER", text, { cause: error });
}
