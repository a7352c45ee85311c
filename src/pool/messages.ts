// What the owner or an attached thread posts to the workers that compress and publish large values.
import type { WorkerHandle } from "../eviction/mod.js";

/** One asynchronous set. Times are wall-clock milliseconds, Infinity = never. */
export interface StoreTask {
  readonly handle: WorkerHandle;
  /** Names the cache in this process, so that a worker attaches to it once. */
  readonly cacheId: string;
  readonly key: string | Uint8Array;
  readonly codecId: number;
  /** The encoded value; its memory is moved. */
  readonly bytes: Uint8Array;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly staleUntilMs: number;
  readonly tags: readonly string[];
  /** The flight that the caller began: a write of the key since then wins. */
  readonly flight: number;
  /** Whether it may be written to disk; the caller's thread has asked. */
  readonly forDisk: boolean;
}
