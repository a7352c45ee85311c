// The caches that this thread has opened or attached to, and the two events by which threads are known to end: its own
// exit, at which it gives back what it holds, and the exits of workers that it started, whose places it recovers. Called
// where caches are made and closed. Invariant: however many caches there are, the process object has one listener of each.
import type { Worker } from "node:worker_threads";

/** One cache of this thread. */
export interface Attachment {
  /** Has the cache ended for all threads? Then there is nothing left to give back. */
  isOver(): boolean;
  /** This thread ends; nothing asynchronous happens any more. */
  threadExits(): void;
  /** A worker that this thread started has ended; `workerId` is its id in Node. */
  workerExited(workerId: number): void;
}

const attachments = new Set<Attachment>();

/** Tells an attachment of exits from now on, until `forget`. */
export function keep(attachment: Attachment): void {
  // Those whose opener closed and that nobody closed here would pile up.
  for (const other of attachments) if (other.isOver()) forget(other);
  if (attachments.size === 0) {
    process.once("exit", threadExits);
    process.on("worker", watch);
  }
  attachments.add(attachment);
}

/** Ends what `keep` began. */
export function forget(attachment: Attachment): void {
  if (!attachments.delete(attachment) || attachments.size > 0) return;
  process.off("exit", threadExits);
  process.off("worker", watch);
}

function threadExits(): void {
  for (const attachment of Array.from(attachments)) attachment.threadExits();
}

function watch(worker: Worker): void {
  // Afterwards the worker does not know its id any more.
  const { threadId } = worker;
  worker.once("exit", () => {
    for (const attachment of attachments) attachment.workerExited(threadId);
  });
}
