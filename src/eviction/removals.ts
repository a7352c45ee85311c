// Reports removed entries to the listeners of evict and expire, who are in the opener's thread.
// Called by the janitor, by reclaim of segment files and by writers that evict. Copies nothing
// while nobody listens. Invariant: about removalsPendingMax removals are pending at most, and each
// one dropped is counted.
import type { Kernel } from "../kernel/mod.js";
import { isInternal, RecordReader } from "../record/mod.js";
import { counterEventsDropped } from "../stats/mod.js";

/** A removed entry, for listeners of evict and expire. */
export interface Removal {
  readonly key: string | Uint8Array;
  /** The id of the namespace of the key. */
  readonly space: number;
  readonly cause: "capacity" | "disk" | "expired";
}

/** Removals reported in one message. */
const removalsPerMessage = 256;
/** Most removals sent and not yet delivered, so that a blocked event loop does not fill the
 *  memory. */
const removalsPendingMax = 65_536;

/** Sends removals to the opener's thread. */
export type SendRemovals = (entries: readonly Removal[]) => void;

export class RemovalReporter {
  readonly #kernel: Kernel;
  readonly #send: SendRemovals | null;
  readonly #reader: RecordReader;
  #reports: Removal[] = [];

  constructor(kernel: Kernel, send: SendRemovals | null) {
    this.#kernel = kernel;
    this.#send = send;
    this.#reader = new RecordReader(4096, kernel.control.createdBaseMs);
  }

  /** Is there a listener? */
  get isWanted(): boolean {
    return this.#kernel.control.hasRemovalListeners();
  }

  /** Reports the entry of a record. The record must not be overwritten during the call. */
  add(record: number, cause: Removal["cause"]): void {
    if (!this.isWanted) return;
    this.copy(record, this.#kernel.records.size(record));
    this.tell(cause);
  }

  /** Copies a record's bytes. Call `tell` to report it once the copy is known to be whole. */
  copy(record: number, size: number): void {
    this.#kernel.records.copyTo(this.#reader, record, size);
  }

  tell(cause: Removal["cause"]): void {
    this.#reader.parse(0);
    this.tellOf(this.#reader, cause);
  }

  /** Reports the entry of a parsed record. */
  tellOf(record: RecordReader, cause: Removal["cause"]): void {
    // A chunk's key is internal; its head record is reported instead.
    if (isInternal(record.flags)) return;
    const waiting = this.#kernel.control.pendingRemovals();
    if (this.#send === null || waiting + this.#reports.length >= removalsPendingMax) {
      this.#kernel.count(counterEventsDropped, 1);
      return;
    }
    this.#reports.push({ key: record.key(), space: record.space, cause });
    if (this.#reports.length >= removalsPerMessage) this.report();
  }

  report(): void {
    if (this.#send === null || this.#reports.length === 0) return;
    const reports = this.#reports;
    this.#reports = [];
    this.#kernel.control.addPendingRemovals(reports.length);
    this.#send(reports);
  }
}
