// Entries that left, on their way to the listeners of evict and expire. Called by the janitor, which alone can report: its
// port leads to the thread that opened the cache. While nobody listens, nothing is copied.
import type { MessagePort } from "node:worker_threads";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { flagChunk, RecordReader } from "../record/mod.js";
import type { DepartureReport, JanitorMessage } from "./messages.js";

/** Departures reported in one message. */
const departuresMax = 256;

export class Departures {
  readonly #kernel: Kernel;
  readonly #port: MessagePort;
  readonly #reader: RecordReader;
  #reports: DepartureReport[] = [];

  constructor(kernel: Kernel, port: MessagePort) {
    this.#kernel = kernel;
    this.#port = port;
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
    // A chunk's key is internal; its head is told of.
    if ((this.#reader.flags & flagChunk) !== 0) return;
    this.#reports.push({ key: this.#reader.key(), cause });
    if (this.#reports.length >= departuresMax) this.report();
  }

  report(): void {
    if (this.#reports.length === 0) return;
    const message: JanitorMessage = { kind: "departed", entries: this.#reports };
    this.#reports = [];
    this.#port.postMessage(message);
  }
}
