// What a thread does about the ends of threads, its own and others': it gives its thread id back, recovers the workers that it
// started, and notices that the opener died. One for each cache that a thread has; made where caches are made.
// Invariant: once the opener is gone, the state says so to every thread before anything else happens.
import { isMainThread } from "node:worker_threads";
import type { ThreadCore } from "../entries/mod.js";
import {
  codes,
  deadHolderOf,
  holderOf,
  holdersOfWorker,
  isMortal,
  recoverThread,
} from "../kernel/mod.js";
import { register, type ThreadExitListener, unregister } from "./thread-exits.js";

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
    const opener = holderOf(core.kernel, openerThread);
    if (!isOpener && opener !== null && isMortal(opener)) {
      this.#look = setInterval(() => this.#lookForOpener(), openerLookMs).unref();
    }
  }

  isOver(): boolean {
    return this.#core.kernel.control.isClosed();
  }

  #lookForOpener(): void {
    const { kernel } = this.#core;
    if (!this.isOver() && deadHolderOf(kernel, openerThread, true) !== null) this.#openerDied();
    if (this.isOver()) clearInterval(this.#look);
  }

  /** The janitor is gone with it, and so are its descriptors. */
  #openerDied(): void {
    const { control, flushes, verbs } = this.#core.kernel;
    control.setState(codes.stateClosed);
    verbs.noteEpoch();
    flushes.wakeAll();
  }

  workerExited(workerId: number): void {
    const { kernel, directory } = this.#core;
    for (const holder of holdersOfWorker(kernel, workerId)) {
      if (holder.thread === openerThread) this.#openerDied();
      recoverThread(kernel, holder, (location) => directory?.writeTombstone(location));
    }
  }

  threadExits(): void {
    // With the main thread the process ends, and until then its last listeners may read.
    if (isMainThread) return;
    this.#core.close();
    if (this.#isOpener) this.#openerDied();
    else this.leave();
  }

  /** Gives the thread's id back. Nothing of this thread may touch the cache's memory afterwards. */
  leave(): void {
    this.end();
    this.#core.detach();
  }

  /** Stops watching. */
  end(): void {
    clearInterval(this.#look);
    unregister(this);
  }
}
