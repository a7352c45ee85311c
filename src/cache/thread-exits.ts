// Which caches this thread has, and how threads are seen to end: by this thread's own exit, when it
// gives back what it has, and by the exits of workers it started, whose thread ids it recovers.
// Called by thread-registration.ts. Invariant: however many caches there are, the process object
// has one listener of each event.
import type { Worker } from "node:worker_threads";

/** One cache of this thread. */
export interface ThreadExitListener {
  /** Whether the cache is closed for all threads. If so there is nothing to give back. */
  isOver(): boolean;
  /** This thread ends. Nothing asynchronous runs any more. */
  threadExits(): void;
  /** A worker that this thread started has ended. `workerId` is its `threadId` in Node. */
  workerExited(workerId: number): void;
}

const listeners = new Set<ThreadExitListener>();

/** Reports exits to `listener` until `unregister`. */
export function register(listener: ThreadExitListener): void {
  // Drops caches whose opener closed them and that were never closed here; they would pile up.
  for (const other of listeners) if (other.isOver()) unregister(other);
  if (listeners.size === 0) {
    process.once("exit", threadExits);
    process.on("worker", watch);
  }
  listeners.add(listener);
}

/** Stops reporting to `listener`. */
export function unregister(listener: ThreadExitListener): void {
  if (!listeners.delete(listener) || listeners.size > 0) return;
  process.off("exit", threadExits);
  process.off("worker", watch);
}

function threadExits(): void {
  for (const listener of Array.from(listeners)) listener.threadExits();
}

function watch(worker: Worker): void {
  // Read now: after its exit a worker no longer knows its id.
  const { threadId } = worker;
  worker.once("exit", () => {
    for (const listener of listeners) listener.workerExited(threadId);
  });
}
