// What one thread gives another so that it may attach: plain data, structured-cloneable, the memory shared by reference.
import type { Config } from "../config/mod.js";
import type { WorkerHandle } from "../eviction/mod.js";

/** A cache as it travels between threads of one process. Opaque: pass it to `attachCache`. */
export interface CacheHandle {
  readonly kind: "undercroft-handle";
  readonly version: 1;
  /** Unique in the process. */
  readonly id: string;
  readonly config: Config;
  readonly worker: WorkerHandle;
}

/** Whether something a user passed is a handle of this version of the package. */
export function isHandle(value: unknown): value is CacheHandle {
  if (typeof value !== "object" || value === null) return false;
  const handle = value as Partial<CacheHandle>;
  return handle.kind === "undercroft-handle" && handle.version === 1;
}
