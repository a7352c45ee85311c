// Handles the end of threads for one cache in one thread: gives this thread's id back, recovers the
// workers it started, and notices that the opener died. Made where caches are made. Invariant: once
// the opener is dead, the shared state is set to closed before anything else happens.
import { isMainThread } from "node:worker_threads";
import { setInterval, clearInterval } from "../base/mod.js";
import { flushAtExit, type ThreadCore } from "../entries/mod.js";
import {
  codes,
  deadHolderOf,
  holderOf,
  holdersOfWorker,
  isMortal,
  recoverThread,
} from "../kernel/mod.js";
import { forgetClosed } from "./by-name/open-caches.js";
import { register, type ThreadExitListener, unregister } from "./thread-exits.js";

/** The opener claims its thread id first, so it has id 0. */
const openerThread = 0;
/** Milliseconds between an attached thread's checks that the opener, if a worker, is alive. */
const openerLookMs = 100;

export class ThreadRegistration implements ThreadExitListener {
  readonly #core: ThreadCore;
  readonly #isOpener: boolean;
  readonly #leftOut: (entries: number) => void;
  #look: NodeJS.Timeout | undefined;

  /** For the opener: `leftOut` is told how many entries the exit of the process loses, if any. */
  constructor(core: ThreadCore, leftOut: ((entries: number) => void) | null) {
    const isOpener = leftOut !== null;
    this.#core = core;
    this.#isOpener = isOpener;
    this.#leftOut = leftOut ?? (() => undefined);
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

  /** The janitor and its descriptors died with the opener. */
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
    // A script that ends without `close` keeps what it has set.
    if (this.#isOpener && this.#core.disk !== null) {
      const leftOut = flushAtExit(this.#core);
      if (leftOut > 0) this.#leftOut(leftOut);
    }
    // When the main thread exits the process ends, and its last exit listeners may still read.
    if (isMainThread) return;
    this.#core.close();
    if (this.#isOpener) this.#openerDied();
    else this.leave();
  }

  /** Gives this thread's id back. The thread must not touch the shared memory afterwards. */
  leave(): void {
    this.end();
    this.#core.detach();
  }

  /** Stops watching for exits. */
  end(): void {
    clearInterval(this.#look);
    unregister(this);
    forgetClosed();
  }
}
