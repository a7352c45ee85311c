// The caches that this thread has opened or attached to, and the two events by which threads are known to end: its own
// exit, at which it gives back what it holds, and the exits of workers that it started, whose places it recovers. Called
// where caches are made and closed. Invariant: however many caches there are, the process object has one listener of each.
import type { Worker } from "node:worker_threads";

/** One cache of this thread. */
export interface ThreadExitListener {
  /** Has the cache ended for all threads? Then there is nothing left to give back. */
  isOver(): boolean;
  /** This thread ends; nothing asynchronous happens any more. */
  threadExits(): void;
  /** A worker that this thread started has ended; `workerId` is its id in Node. */
  workerExited(workerId: number): void;
}

const listeners = new Set<ThreadExitListener>();

/** Tells an attachment of exits from now on, until `unregister`. */
export function register(listener: ThreadExitListener): void {
  // Those whose opener closed and that nobody closed here would pile up.
  for (const other of listeners) if (other.isOver()) unregister(other);
  if (listeners.size === 0) {
    process.once("exit", threadExits);
    process.on("worker", watch);
  }
  listeners.add(listener);
}

/** Ends what `register` began. */
export function unregister(listener: ThreadExitListener): void {
  if (!listeners.delete(listener) || listeners.size > 0) return;
  process.off("exit", threadExits);
  process.off("worker", watch);
}

function threadExits(): void {
  for (const listener of Array.from(listeners)) listener.threadExits();
}

function watch(worker: Worker): void {
  // Afterwards the worker does not know its id any more.
  const { threadId } = worker;
  worker.once("exit", () => {
    for (const listener of listeners) listener.workerExited(threadId);
  });
}
