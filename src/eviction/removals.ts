// Entries that left, on their way to the listeners of evict and expire, who are in the thread that opened the cache. Called by
// the janitor and by writers that evict. While nobody listens, nothing is copied. Invariant: at most removalsPendingMax are
// under way, and each one that is not told of is counted.
import type { Kernel } from "../kernel/mod.js";
import { flagChunk, RecordReader } from "../record/mod.js";
import { counterEventsDropped } from "../stats/mod.js";

/** An entry that left, for listeners of evict and expire. */
export interface Removal {
  readonly key: string | Uint8Array;
  readonly cause: "capacity" | "disk" | "expired";
}

/** Removals reported in one message. */
const removalsPerMessage = 256;
/** Removals under way: a blocked event loop does not fill the memory. */
const removalsPendingMax = 65_536;

/** Brings removals to the thread that opened the cache; null in a thread that has no way to it. */
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

  /** Does anybody listen? */
  get isWanted(): boolean {
    return this.#kernel.control.hasRemovalListeners();
  }

  /** A record that nobody writes over meanwhile has left. */
  add(record: number, cause: Removal["cause"]): void {
    if (!this.isWanted) return;
    this.copy(record, this.#kernel.records.size(record));
    this.tell(cause);
  }

  /** Takes a record's bytes along; `tell` reports it, once they are known to be whole. */
  copy(record: number, size: number): void {
    this.#kernel.records.copyTo(this.#reader, record, size);
  }

  tell(cause: Removal["cause"]): void {
    this.#reader.parse(0);
    this.tellOf(this.#reader, cause);
  }

  /** Reports the entry of a record that was taken apart. */
  tellOf(record: RecordReader, cause: Removal["cause"]): void {
    // A chunk's key is internal; its head is told of.
    if ((record.flags & flagChunk) !== 0) return;
    const waiting = this.#kernel.control.pendingRemovals();
    if (this.#send === null || waiting + this.#reports.length >= removalsPendingMax) {
      this.#kernel.count(counterEventsDropped, 1);
      return;
    }
    this.#reports.push({ key: record.key(), cause });
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
