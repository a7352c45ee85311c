// What the owner hands a janitor and what the janitor reports. The janitor never reads messages while it works: it is
// told to stop, to flush and to wake through words in shared memory; its port only goes out.
import type { MessagePort } from "node:worker_threads";
import type { RecoveryFilter, SnapshotPlace, TagEpochs } from "../disk/mod.js";
import type { DiskHandle } from "../tiers/mod.js";

/** Everything a worker needs to serve a cache; structured-cloneable. */
export interface WorkerHandle {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly disk: DiskHandle | null;
  /** Wall-clock ms at monotonic zero; null when the owner's injected clock is read from shared memory. */
  readonly clockAnchorMs: number | null;
}

export interface JanitorTask {
  readonly handle: WorkerHandle;
  /** The thread block that the owner claimed for the janitor. */
  readonly thread: number;
  /** What to bring back from disk first; null for a memory-only cache or a restarted janitor. */
  readonly recovery: RecoveryTask | null;
  /** Where to write the index at the end. */
  readonly snapshot: SnapshotPlace | null;
  readonly port: MessagePort;
}

export interface RecoveryTask {
  readonly filter: RecoveryFilter;
  /** Which tags earlier lives invalidated. */
  readonly tags: TagEpochs;
  readonly snapshot: SnapshotPlace | null;
  readonly nextSequence: number;
}

/** What a recovery brought back. */
export interface RecoveryReport {
  readonly source: "snapshot" | "scan" | "nothing";
  readonly entries: number;
  readonly damagedBatches: number;
  readonly ms: number;
}

/** An entry that left, for listeners of evict and expire. */
export interface Removal {
  readonly key: string | Uint8Array;
  readonly cause: "capacity" | "disk" | "expired";
}

export type JanitorMessage =
  | { readonly kind: "ready"; readonly recovery: RecoveryReport | null }
  | { readonly kind: "removed"; readonly entries: readonly Removal[] }
  | { readonly kind: "disk-down"; readonly code: string; readonly message: string }
  | { readonly kind: "disk-up" }
  | { readonly kind: "sync"; readonly ticket: number; readonly sequence: number }
  | { readonly kind: "end"; readonly end: JanitorEnd };

/** How the janitor ended. */
export interface JanitorEnd {
  /** Everything live is on disk. */
  readonly flushed: boolean;
  readonly snapshotWritten: boolean;
  readonly nextSequence: number;
}
