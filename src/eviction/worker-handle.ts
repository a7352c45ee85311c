// What a thread needs to attach to a cache's memory and directory: structured-cloneable, posted with a handle and to workers.
import type { DiskHandle } from "../tiers/mod.js";

export interface WorkerHandle {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly disk: DiskHandle | null;
  /** Wall-clock ms at monotonic zero; null when the opener's injected clock is read from shared memory. */
  readonly clockAnchorMs: number | null;
}
