// Entries that left, on their way to the listeners of evict and expire, who are in the thread that opened the cache. Called by
// the janitor and by writers that evict. While nobody listens, nothing is copied. Invariant: at most departuresWaitingMax are
// under way, and each one that is not told of is counted.
import { type Kernel, layout as at } from "../kernel/mod.js";
import { flagChunk, RecordReader } from "../record/mod.js";
import { counterEventsDropped } from "../stats/mod.js";
import type { DepartureReport } from "./messages.js";

/** Departures reported in one message. */
const departuresMax = 256;
/** Departures under way: a blocked event loop does not fill the memory. */
const departuresWaitingMax = 65_536;

/** Brings departures to the thread that opened the cache; null in a thread that has no way to it. */
export type SendDepartures = (entries: readonly DepartureReport[]) => void;

export class Departures {
  readonly #kernel: Kernel;
  readonly #send: SendDepartures | null;
  readonly #reader: RecordReader;
  #reports: DepartureReport[] = [];

  constructor(kernel: Kernel, send: SendDepartures | null) {
    this.#kernel = kernel;
    this.#send = send;
    this.#reader = new RecordReader(4096, kernel.createdBaseMs);
  }

  /** Does anybody listen? */
  get isWanted(): boolean {
    return Atomics.load(this.#kernel.views.i32, at.controlEventMask / 4) !== 0;
  }

  /** A record that nobody writes over meanwhile has left. */
  add(record: number, cause: DepartureReport["cause"]): void {
    if (!this.isWanted) return;
    this.copy(record, this.#kernel.views.u32[record / 4] as number);
    this.tell(cause);
  }

  /** Takes a record's bytes along; `tell` reports it, once they are known to be whole. */
  copy(record: number, size: number): void {
    this.#reader.ensure(size);
    this.#reader.buffer.set(this.#kernel.views.u8.subarray(record, record + size), 0);
  }

  tell(cause: DepartureReport["cause"]): void {
    this.#reader.parse(0);
    this.tellOf(this.#reader, cause);
  }

  /** Reports the entry of a record that was taken apart. */
  tellOf(record: RecordReader, cause: DepartureReport["cause"]): void {
    // A chunk's key is internal; its head is told of.
    if ((record.flags & flagChunk) !== 0) return;
    const waiting = Atomics.load(this.#kernel.views.i32, at.controlEventsWaiting / 4);
    if (this.#send === null || waiting + this.#reports.length >= departuresWaitingMax) {
      this.#kernel.count(counterEventsDropped, 1);
      return;
    }
    this.#reports.push({ key: record.key(), cause });
    if (this.#reports.length >= departuresMax) this.report();
  }

  report(): void {
    if (this.#send === null || this.#reports.length === 0) return;
    const reports = this.#reports;
    this.#reports = [];
    Atomics.add(this.#kernel.views.i32, at.controlEventsWaiting / 4, reports.length);
    this.#send(reports);
  }
}
