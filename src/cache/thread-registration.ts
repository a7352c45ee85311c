// What a thread does about the ends of threads, its own and others': it gives its place back, recovers the workers that it
// started, and notices that the opener died. One for each cache that a thread has; made where caches are made.
// Invariant: once the opener is gone, the state says so to every thread before anything else happens.
import { isMainThread } from "node:worker_threads";
import {
  deadHolderOf,
  type Kernel,
  layout as at,
  holderOf,
  holdersOfWorker,
  recoverThread,
} from "../kernel/mod.js";
import { type ThreadExitListener, unregister, register } from "./thread-exits.js";
import type { ThreadCore } from "./thread-core.js";

/** The opener attaches first. */
const openerThread = 0;
/** How often a thread that is not the opener's asks whether a worker that opened the cache lives. */
const openerLookMs = 100;

export class ThreadRegistration implements ThreadExitListener {
  readonly #core: ThreadCore;
  readonly #isOpener: boolean;
  #look: NodeJS.Timeout | undefined;

  constructor(core: ThreadCore, isOpener: boolean) {
    this.#core = core;
    this.#isOpener = isOpener;
    register(this);
    if (!isOpener && isOpenerMortal(core.kernel)) {
      this.#look = setInterval(() => this.#lookForOpener(), openerLookMs).unref();
    }
  }

  isOver(): boolean {
    return Atomics.load(this.#core.kernel.views.i32, at.controlState / 4) === at.stateClosed;
  }

  #lookForOpener(): void {
    if (!this.isOver() && deadHolderOf(this.#core.kernel.views, openerThread, true) !== null) {
      this.#openerDied();
    }
    if (this.isOver()) clearInterval(this.#look);
  }

  /** The janitor is gone with it, and so are its descriptors. */
  #openerDied(): void {
    const { views, verbs } = this.#core.kernel;
    const { i32 } = views;
    Atomics.store(i32, at.controlState / 4, at.stateClosed);
    verbs.noteEpoch();
    for (const word of [at.controlFlushDone, at.controlSyncDone]) Atomics.notify(i32, word / 4);
  }

  workerExited(workerId: number): void {
    const { kernel, tier } = this.#core;
    for (const holder of holdersOfWorker(kernel.views, workerId)) {
      if (holder.thread === openerThread) this.#openerDied();
      recoverThread(kernel, holder, (location) => tier?.writeTombstone(location));
    }
  }

  threadExits(): void {
    // With the main thread the process ends, and until then its last listeners may read.
    if (isMainThread) return;
    this.#core.close();
    if (this.#isOpener) this.#openerDied();
    else this.leave();
  }

  /** Gives the thread's place back. Nothing of this thread may touch the cache's memory afterwards. */
  leave(): void {
    this.end();
    const { kernel, tier } = this.#core;
    this.#core.isDetached = true;
    kernel.detach((location) => tier?.writeTombstone(location));
  }

  /** Stops watching. */
  end(): void {
    clearInterval(this.#look);
    unregister(this);
  }
}

/** Whether the opener may die while the process lives, and the system tells when. */
function isOpenerMortal(kernel: Kernel): boolean {
  const holder = holderOf(kernel.views, openerThread);
  if (holder === null || (holder.state & at.threadBySystem) === 0) return false;
  return holder.state >>> at.threadIdShift !== process.pid;
}
