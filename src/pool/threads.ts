// What the pool asks of its threads. Two modules make them, and package.json's "#threads" says
// which: file-threads.ts, Piscina over the worker files of the package; in bundles (condition
// "module", which bundlers set and Node does not) source-threads.ts, which needs no file.
import type { Transferable, Worker } from "node:worker_threads";
import { isAccessDenied, runtimeError } from "../base/mod.js";

/** A function of a worker: the janitor's, or the one of asynchronous sets. */
export type WorkerFunction = "startJanitor" | "storeValue";

export interface Threads {
  /** The workers that have not ended. */
  readonly threads: readonly Worker[];
  /** Tasks that wait for a thread. */
  readonly queueSize: number;
  /** Runs the threads' function in one of them. Rejects with what it throws, if the thread dies,
   *  or if too many tasks wait. */
  run(task: object, options: RunOptions): Promise<unknown>;
  /** "error": a worker threw outside of a task. "workerCreate": a worker was started. */
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "workerCreate", listener: () => void): unknown;
  /** Ends the threads at once; their tasks reject. */
  destroy(): Promise<unknown>;
}

export interface RunOptions {
  readonly transferList: Transferable[];
}

export interface ThreadsOptions {
  readonly min: number;
  readonly max: number;
  /** Most tasks that wait; the next is rejected. */
  readonly queue: number;
}

/** V8's young generation in a worker. Workers make little garbage; by default V8 would take up
 *  to 48 MiB, 10 resident. */
export const youngGenerationMb = 2;

/** What to throw when a worker cannot be started: ERR_RUNTIME where the permission model forbids
 *  it. */
export function startError(error: unknown): unknown {
  if (!isAccessDenied(error)) return error;
  const fault = "its workers need --allow-worker under Node's permission model";
  return runtimeError(fault, "allow them", { cause: error });
}
