// A FillStore over two Maps, for the tests of ReadThrough: memory, "disk" behind an await, and a flight table that
// writes mark, as the kernel's does.

import { ManualClock } from "../../dist/src/base/mod.js";
import type {
  Entrance,
  FillStore,
  FlightEnd,
  FoundValue,
  Key,
} from "../../dist/src/cache/fill-store.js";

interface Entry {
  readonly text: string;
  readonly expiresAt: number;
  readonly staleUntil: number;
}

export type Value = string | number | boolean | null | { readonly [name: string]: Value };

/** What `fill` was called with. */
export interface Filled {
  readonly key: Key;
  readonly fields: { ttlMs: number; staleForMs: number; tags: readonly string[] };
  readonly flight: number;
  readonly outcome: string;
}

export class MapStore implements FillStore<Value> {
  readonly clock = new ManualClock();
  readonly memory = new Map<string, Entry>();
  readonly disk = new Map<string, Entry>();
  readonly flights = new Map<number, { key: string; superseded: boolean }>();
  readonly #flightsOf = new Map<string, Set<{ key: string; superseded: boolean }>>();
  readonly counts = new Map<number, number>();
  readonly fills: Filled[] = [];
  readonly samples: number[] = [];
  /** What other threads would have been told, in order. */
  readonly ends: string[] = [];
  /** Every flight ever begun. */
  begun = 0;
  peeks = 0;
  reads = 0;
  /** What `read` waits for. */
  readDelay: Promise<unknown> = Promise.resolve();
  flightsFull = false;

  peek(key: Key): FoundValue<Value> | undefined {
    this.peeks++;
    return this.#find(this.memory, key);
  }

  async read(key: Key): Promise<FoundValue<Value> | undefined> {
    this.reads++;
    await this.readDelay;
    return this.#find(this.memory, key) ?? this.#find(this.disk, key);
  }

  /** There is one thread, so it leads. */
  enterFlight(key: Key): Entrance {
    if (this.flightsFull) return { role: "alone", flight: -1 };
    return { role: "lead", flight: this.#begin(key) };
  }

  enterApart(): Entrance {
    throw new Error("there is nobody to load apart from");
  }

  #begin(key: Key): number {
    const flight = { key: nameOf(key), superseded: false };
    this.flights.set(this.begun, flight);
    const ofKey = this.#flightsOf.get(flight.key) ?? new Set();
    this.#flightsOf.set(flight.key, ofKey.add(flight));
    return this.begun++;
  }

  endFlight(flight: number, end: FlightEnd): void {
    this.ends.push(end.kind);
    const ended = this.flights.get(flight);
    if (ended === undefined) throw new Error(`flight ${flight} was ended twice`);
    this.flights.delete(flight);
    this.#flightsOf.get(ended.key)!.delete(ended);
  }

  followFlight(): Promise<FlightEnd> {
    throw new Error("there is nobody to follow");
  }

  leaveFlight(): void {
    throw new Error("there is nobody to leave");
  }

  isFlightOver(): boolean {
    return false;
  }

  hasFollowers(): boolean {
    return false;
  }

  async untilUnfollowed(): Promise<void> {
    await Promise.resolve();
  }

  isSuperseded(flight: number): boolean {
    return this.flights.get(flight)!.superseded;
  }

  fill(
    key: Key,
    value: unknown,
    fields: { ttlMs: number; staleForMs: number; tags: readonly string[] },
    flight: number,
  ): { outcome: "stored" | "superseded"; value: Value } {
    if (typeof value === "function") throw new TypeError("Cannot encode a function");
    const text = JSON.stringify(value);
    if (flight !== -1 && !this.flights.has(flight)) {
      this.fills.push({ key, fields, flight, outcome: "after its end" });
    }
    const isStored = flight !== -1 && !this.isSuperseded(flight);
    if (isStored) {
      // The kernel ends the flight's say with its publication: other flights of the key are superseded by it.
      const own = this.flights.get(flight)!;
      this.#supersede(nameOf(key));
      own.superseded = false;
      const expiresAt = this.clock.now() + fields.ttlMs;
      const staleUntil = expiresAt + fields.staleForMs;
      this.memory.set(nameOf(key), { text, expiresAt, staleUntil });
    }
    const outcome = isStored ? "stored" : "superseded";
    this.fills.push({ key, fields, flight, outcome });
    return { outcome, value: JSON.parse(text) as Value };
  }

  count(counter: number, amount: number): void {
    this.counts.set(counter, (this.counts.get(counter) ?? 0) + amount);
  }

  counted(counter: number): number {
    return this.counts.get(counter) ?? 0;
  }

  sampleLoad(nanoseconds: number): void {
    this.samples.push(nanoseconds);
  }

  /** A write by any thread. */
  set(key: Key, value: Value, times: { ttl?: number; staleFor?: number } = {}): void {
    this.delete(key);
    this.memory.set(nameOf(key), this.#entry(value, times));
  }

  /** Puts an entry where only `read` finds it. */
  setOnDisk(key: Key, value: Value, times: { ttl?: number; staleFor?: number } = {}): void {
    this.disk.set(nameOf(key), this.#entry(value, times));
  }

  /** A delete by any thread. */
  delete(key: Key): void {
    this.#supersede(nameOf(key));
    this.memory.delete(nameOf(key));
    this.disk.delete(nameOf(key));
  }

  valueOf(key: Key): Value | undefined {
    return this.#find(this.memory, key)?.value;
  }

  #entry(value: Value, times: { ttl?: number; staleFor?: number }): Entry {
    const expiresAt = this.clock.now() + (times.ttl ?? Infinity);
    return {
      text: JSON.stringify(value),
      expiresAt,
      staleUntil: expiresAt + (times.staleFor ?? 0),
    };
  }

  #supersede(key: string): void {
    for (const flight of this.#flightsOf.get(key) ?? []) flight.superseded = true;
  }

  #find(tier: Map<string, Entry>, key: Key): FoundValue<Value> | undefined {
    const entry = tier.get(nameOf(key));
    const now = this.clock.now();
    if (entry === undefined || now >= entry.staleUntil) return undefined;
    return { value: JSON.parse(entry.text) as Value, stale: now >= entry.expiresAt };
  }
}

function nameOf(key: Key): string {
  return Buffer.from(key as Uint8Array).toString("hex"); // a string becomes its UTF-8
}
