// The cache as read-through sees it: reader, writer and flights behind one interface.
import type { Clock } from "../base/mod.js";
import type { ResolvedSetOptions } from "../config/mod.js";
import type { WriteOutcome } from "../memory/mod.js";
import { histogramLoad } from "../stats/mod.js";
import type { EntryReader } from "./entry-reader.js";
import type { EntryWriter } from "./entry-writer.js";
import type { Entrance, FillStore, FlightEnd, FoundValue, Key } from "./fill-store.js";
import { SharedFlights } from "./shared-flights.js";
import type { ThreadCore } from "./thread-core.js";

export class FillAdapter<V> implements FillStore<V> {
  readonly clock: Clock;
  readonly #core: ThreadCore;
  readonly #reader: EntryReader<V>;
  readonly #writer: EntryWriter<V>;
  readonly #flights: SharedFlights;

  constructor(core: ThreadCore, reader: EntryReader<V>, writer: EntryWriter<V>) {
    this.clock = core.clock;
    this.#core = core;
    this.#reader = reader;
    this.#writer = writer;
    this.#flights = new SharedFlights(core);
  }

  peek(key: Key, quiet?: boolean): FoundValue<V> | undefined {
    return this.#reader.peek(key, quiet);
  }

  read(key: Key, quiet?: boolean, bytesRead?: () => void): Promise<FoundValue<V> | undefined> {
    return this.#reader.read(key, quiet, bytesRead);
  }

  enterFlight(key: Key, forced: boolean, hardTimeoutMs: number): Entrance {
    return this.#flights.enter(key, forced, hardTimeoutMs);
  }

  enterApart(key: Key): Entrance {
    return this.#flights.enterApart(key);
  }

  endFlight(flight: number, end: FlightEnd): void {
    this.#flights.end(flight, end);
  }

  isSuperseded(flight: number, tags: readonly string[]): boolean {
    return this.#flights.isSuperseded(flight, tags);
  }

  followFlight(flight: number, stays: () => boolean): Promise<FlightEnd> {
    return this.#flights.follow(flight, stays);
  }

  leaveFlight(flight: number): void {
    this.#flights.leave(flight);
  }

  isFlightOver(flight: number): boolean {
    return this.#flights.isOver(flight);
  }

  hasFollowers(flight: number): boolean {
    return this.#flights.hasFollowers(flight);
  }

  untilUnfollowed(flight: number, stays: () => boolean): Promise<void> {
    return this.#flights.untilUnfollowed(flight, stays);
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
