// What a thread needs to attach to a cache's memory and directory. It can be structured-cloned; it
// is posted to workers and inside the handle that users post.
import type { KernelModule, SharedMemory } from "../kernel/mod.js";
import type { DiskHandle } from "../tiers/mod.js";

export interface WorkerHandle {
  readonly module: KernelModule;
  readonly memory: SharedMemory;
  readonly disk: DiskHandle | null;
  /** The time is the coarse clock in shared memory: the opener injected a clock. */
  readonly isClockInjected: boolean;
  /** The counters of the namespaces (stats/space-counters.ts). */
  readonly spaceCounts: SharedArrayBuffer;
  /** The keys of sampled requests (stats/recent-keys.ts); null if nobody is told of them. */
  readonly recentKeys: SharedArrayBuffer | null;
  /** The requests of a recording (stats/request-ring.ts); null if nobody may record. */
  readonly requests: SharedArrayBuffer | null;
}
