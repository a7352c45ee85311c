// What the owner hands a janitor and what the janitor reports. The janitor never reads messages while it works: it is
// told to stop, to flush and to wake through words in shared memory; its port only goes out.
import type { MessagePort } from "node:worker_threads";
import type { SnapshotPlace } from "../directory/mod.js";
import type { JanitorEnd, RecoveryReport, RecoveryTask } from "../disk-log/mod.js";
import type { Removal, WorkerHandle } from "../eviction/mod.js";

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

export type JanitorMessage =
  | { readonly kind: "ready"; readonly recovery: RecoveryReport | null }
  | { readonly kind: "removed"; readonly entries: readonly Removal[] }
  | { readonly kind: "disk-down"; readonly code: string; readonly message: string }
  | { readonly kind: "disk-up" }
  | { readonly kind: "sync"; readonly ticket: number; readonly sequence: number }
  | { readonly kind: "end"; readonly end: JanitorEnd };
