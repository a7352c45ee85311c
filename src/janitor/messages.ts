// What the opener gives a janitor, and what the janitor reports. While it works the janitor reads
// no messages: words in shared memory tell it to stop, flush or wake. Its port is for sending only.
import type { MessagePort } from "node:worker_threads";
import type { SnapshotPlace } from "../directory/mod.js";
import type { JanitorEnd, RecoveryReport, RecoveryTask } from "../disk-log/mod.js";
import type { Removal, WorkerHandle } from "../eviction/mod.js";

export interface JanitorTask {
  readonly handle: WorkerHandle;
  /** The thread id that the opener claimed for the janitor. */
  readonly thread: number;
  /** What to recover from disk; null for a memory-only cache or for a janitor that fails over. */
  readonly recovery: RecoveryTask | null;
  /** Where to write the index at a clean close. */
  readonly snapshot: SnapshotPlace | null;
  readonly port: MessagePort;
}

/** How a start ended: see `startJanitor`. */
export type JanitorStart = "started" | "other-files" | "no-address-space";

export type JanitorMessage =
  | { readonly kind: "ready"; readonly recovery: RecoveryReport | null }
  | { readonly kind: "removed"; readonly entries: readonly Removal[] }
  | { readonly kind: "disk-down"; readonly code: string; readonly message: string }
  | { readonly kind: "disk-up" }
  | { readonly kind: "disk-resized" }
  | { readonly kind: "sync"; readonly ticket: number; readonly sequence: number }
  | { readonly kind: "end"; readonly end: JanitorEnd };
