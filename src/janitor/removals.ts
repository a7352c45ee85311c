// Entries that left, on their way to the listeners of evict and expire, who are in the thread that opened the cache. Called by
// the janitor and by writers that evict. While nobody listens, nothing is copied. Invariant: at most removalsPendingMax are
// under way, and each one that is not told of is counted.
import { type Kernel, layout as at } from "../kernel/mod.js";
import { flagChunk, RecordReader } from "../record/mod.js";
import { counterEventsDropped } from "../stats/mod.js";
import type { Removal } from "./messages.js";

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
    this.#reader = new RecordReader(4096, kernel.createdBaseMs);
  }

  /** Does anybody listen? */
  get isWanted(): boolean {
    return Atomics.load(this.#kernel.views.i32, at.controlEventMask / 4) !== 0;
  }

  /** A record that nobody writes over meanwhile has left. */
  add(record: number, cause: Removal["cause"]): void {
    if (!this.isWanted) return;
    this.copy(record, this.#kernel.views.u32[record / 4] as number);
    this.tell(cause);
  }

  /** Takes a record's bytes along; `tell` reports it, once they are known to be whole. */
  copy(record: number, size: number): void {
    this.#reader.ensure(size);
    this.#reader.buffer.set(this.#kernel.views.u8.subarray(record, record + size), 0);
  }

  tell(cause: Removal["cause"]): void {
    this.#reader.parse(0);
    this.tellOf(this.#reader, cause);
  }

  /** Reports the entry of a record that was taken apart. */
  tellOf(record: RecordReader, cause: Removal["cause"]): void {
    // A chunk's key is internal; its head is told of.
    if ((record.flags & flagChunk) !== 0) return;
    const waiting = Atomics.load(this.#kernel.views.i32, at.controlEventsWaiting / 4);
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
    Atomics.add(this.#kernel.views.i32, at.controlEventsWaiting / 4, reports.length);
    this.#send(reports);
  }
}
