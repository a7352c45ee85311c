// What a thread posts to the workers that compress and store values of asynchronous sets; and how a
// thread of a bundle (source-threads.ts) is asked and answers.
import type { WorkerHandle } from "../eviction/mod.js";
import type { WorkerFunction } from "./threads.js";

/** One asynchronous set. Times are wall-clock milliseconds; Infinity = never. */
export interface StoreTask {
  readonly handle: WorkerHandle;
  /** Identifies the cache in this process, so that a worker attaches to it once. */
  readonly cacheId: string;
  /** The id of the namespace of the key. */
  readonly space: number;
  readonly key: string | Uint8Array;
  readonly codecId: number;
  /** The encoded value. Its buffer is transferred. */
  readonly bytes: Uint8Array;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly staleUntilMs: number;
  readonly tags: readonly string[];
  /** The flight that the caller began. A later write of the key supersedes this set. */
  readonly flight: number;
  /** Whether the record may be written to disk; the calling thread ran the user's filter. */
  readonly forDisk: boolean;
}

/** A task for a thread of a bundle, and the function to call with it. */
export interface JobRequest {
  readonly name: WorkerFunction;
  readonly task: unknown;
}

/** What the thread posts when the task has ended: what the function returned, or what it threw. */
export type JobAnswer =
  | { readonly isRejected: false; readonly value: unknown }
  | { readonly isRejected: true; readonly error: unknown };
