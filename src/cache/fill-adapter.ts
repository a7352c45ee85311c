// The cache as read-through sees it: reader, writer and flights behind one interface.
import type { Clock } from "../base/mod.js";
import type { ResolvedSetOptions } from "../config/mod.js";
import { layout as at } from "../kernel/mod.js";
import type { WriteOutcome } from "../memory/mod.js";
import { histogramLoad } from "../stats/mod.js";
import type { EntryReader } from "./entry-reader.js";
import type { EntryWriter } from "./entry-writer.js";
import type { FillStore, FoundValue, Key } from "./fill-store.js";
import type { ThreadCore } from "./thread-core.js";

export class FillAdapter<V> implements FillStore<V> {
  readonly clock: Clock;
  readonly #core: ThreadCore;
  readonly #reader: EntryReader<V>;
  readonly #writer: EntryWriter<V>;

  constructor(core: ThreadCore, reader: EntryReader<V>, writer: EntryWriter<V>) {
    this.clock = core.clock;
    this.#core = core;
    this.#reader = reader;
    this.#writer = writer;
  }

  peek(key: Key, quiet?: boolean): FoundValue<V> | undefined {
    return this.#reader.peek(key, quiet);
  }

  read(key: Key, quiet?: boolean): Promise<FoundValue<V> | undefined> {
    return this.#reader.read(key, quiet);
  }

  beginFlight(key: Key): number {
    const { store, kernel } = this.#core;
    const keyBytes = store.keys.write(key);
    if (keyBytes < 0) return -1;
    kernel.verbs.hashKey(store.keys.at, keyBytes);
    return kernel.verbs.beginFlight();
  }

  endFlight(flight: number): void {
    if (flight >= 0) this.#core.kernel.verbs.endFlight(flight);
  }

  isOvertaken(flight: number): boolean {
    if (flight < 0) return false;
    const { kernel } = this.#core;
    const word = (at.flightTable + flight * at.flightSize) / 4;
    if (Atomics.load(kernel.views.i32, word) !== at.flightActive) return true;
    const low = kernel.views.u32[word + at.flightSequence / 4] as number;
    const high = kernel.views.u32[word + at.flightSequence / 4 + 1] as number;
    return low + high * 2 ** 32 < kernel.clearEpoch();
  }

  fill(
    key: Key,
    value: unknown,
    fields: ResolvedSetOptions,
    flight: number,
  ): { readonly outcome: WriteOutcome; readonly value: V } {
    return this.#writer.fill(key, value, fields, flight);
  }

  count(counter: number, amount: number): void {
    this.#core.kernel.count(counter, amount);
  }

  sampleLoad(nanoseconds: number): void {
    this.#core.sample(histogramLoad, nanoseconds);
  }
}
