// ReadThrough's parts over two Maps, for its tests: memory, a "disk" behind an await, and flights
// that writes supersede, as in the kernel's flight table.

import { ManualClock, type UndercroftError } from "../../dist/src/base/mod.js";
import type {
  Filled,
  FillFields,
  FoundValue,
  NegativeFields,
  Peek,
  PeekedEntry,
} from "../../dist/src/entries/mod.js";
import type {
  Backoff,
  BackoffBoard,
  FetchMeter,
  FetchParts,
  FetchReader,
  FetchWriter,
  FlightBoard,
} from "../../dist/src/fetch/fetch-parts.js";
import type { FlightEnd, FlightRole } from "../../dist/src/fetch/flight-end.js";
import { HashedKey, type Key } from "../../dist/src/kernel/mod.js";

interface Entry {
  /** Undefined: a negative answer. */
  readonly text: string | undefined;
  readonly sequence: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly staleUntil: number;
  readonly tags: readonly string[];
}

interface Times {
  readonly ttl?: number;
  readonly staleFor?: number;
  readonly tags?: readonly string[];
}

export type Value = string | number | boolean | null | { readonly [name: string]: Value };

/** What `fill` was called with. */
export interface NotedFill {
  readonly key: Key;
  readonly fields: FillFields;
  readonly flight: number;
  readonly outcome: string;
}

/** The flights of the only thread: it always leads, and nobody follows. */
export class MapFlights implements FlightBoard {
  /** What other threads would have been told, in order. */
  readonly ends: string[] = [];
  /** Every flight ever begun. */
  begun = 0;
  isFull = false;
  /** Loads that went on without a flight. */
  refused = 0;
  #freed: (window: number) => void = () => undefined;
  /** Runs once, just before the next flight is entered: what another thread does meanwhile. */
  beforeEnter: (() => void) | undefined;
  readonly #flights = new Map<number, { key: string; isSuperseded: boolean }>();
  readonly #ofKey = new Map<string, Set<{ key: string; isSuperseded: boolean }>>();

  /** Flights under way. */
  get size(): number {
    return this.#flights.size;
  }

  readonly cacheId = "map";
  readonly isClosed = false;

  guard(): number {
    throw new Error("nobody writes to the source here");
  }

  nameOf(flight: number): string {
    return `map:${flight}`;
  }

  windowsOf(): readonly number[] {
    return [0, 1];
  }

  listen(freed: (window: number) => void): void {
    this.#freed = freed;
  }

  /** Some flights have become free: lets loads that wait enter. */
  free(): void {
    this.isFull = false;
    this.#freed(0);
  }

  refuse(): FlightRole {
    this.refused += 1;
    return { role: "unshared", flight: -1 };
  }

  enter(key: HashedKey): FlightRole {
    const before = this.beforeEnter;
    this.beforeEnter = undefined;
    before?.();
    if (this.isFull) return { role: "full", flight: -1 };
    return { role: "lead", flight: this.#begin(nameOf(key.bytes)) };
  }

  enterUnshared(): FlightRole {
    throw new Error("there is nobody to load apart from");
  }

  #begin(key: string): number {
    const flight = { key, isSuperseded: false };
    this.#flights.set(this.begun, flight);
    const ofKey = this.#ofKey.get(key) ?? new Set();
    this.#ofKey.set(key, ofKey.add(flight));
    return this.begun++;
  }

  end(flight: number, end: FlightEnd): void {
    this.ends.push(end.kind);
    const ended = this.#flights.get(flight);
    if (ended === undefined) throw new Error(`flight ${flight} was ended twice`);
    this.#flights.delete(flight);
    this.#ofKey.get(ended.key)!.delete(ended);
  }

  has(flight: number): boolean {
    return this.#flights.has(flight);
  }

  isSuperseded(flight: number): boolean {
    return this.#flights.get(flight)!.isSuperseded;
  }

  /** A write of a key supersedes its flights, except the one whose fill it is. */
  supersede(key: string, but = -1): void {
    const own = this.#flights.get(but);
    for (const flight of this.#ofKey.get(key) ?? []) flight.isSuperseded = flight !== own;
  }

  follow(): Promise<FlightEnd> {
    throw new Error("there is nobody to follow");
  }

  leave(): void {
    throw new Error("there is nobody to leave");
  }

  isOver(): boolean {
    return false;
  }

  hasFollowers(): boolean {
    return false;
  }

  async untilUnfollowed(): Promise<void> {
    await Promise.resolve();
  }
}

/** What was counted and sampled. */
export class MapMeter implements FetchMeter {
  readonly samples: number[] = [];
  readonly #counts = new Map<number, number>();

  count(counter: number, amount: number): void {
    this.#counts.set(counter, (this.#counts.get(counter) ?? 0) + amount);
  }

  counted(counter: number): number {
    return this.#counts.get(counter) ?? 0;
  }

  sampleLoad(nanoseconds: number): void {
    this.samples.push(nanoseconds);
  }
}

export class MapParts implements FetchParts<Value>, FetchReader<Value>, FetchWriter<Value> {
  readonly name = "map";
  readonly reader: FetchReader<Value> = this;
  readonly writer: FetchWriter<Value> = this;
  tiers: FetchParts<Value>["tiers"] = null;
  readonly settle = (): undefined => undefined;
  readonly clock = new ManualClock();
  readonly wallOf = (ms: number): number => ms;
  readonly flights = new MapFlights();
  readonly backoffs: BackoffBoard = {
    read: (key) => this.backoffOf.get(nameOf(key.bytes)),
    write: (key, backoff) => void this.backoffOf.set(nameOf(key.bytes), backoff),
  };
  readonly backoffOf = new Map<string, Backoff>();
  /** What was told of refreshes that failed. */
  readonly refreshErrors: { readonly key: Key; readonly error: UndercroftError }[] = [];
  readonly refreshFailed = (key: Key, error: UndercroftError): void => {
    this.refreshErrors.push({ key, error });
  };
  /** Whether hits return copies. */
  copies = false;
  #sequence = 0;
  readonly meter = new MapMeter();
  readonly memory = new Map<string, Entry>();
  readonly disk = new Map<string, Entry>();
  /** Keys that the index takes for others that are on disk. Only a read tells that they are not. */
  readonly #suspected = new Set<string>();
  readonly fills: NotedFill[] = [];
  /** Lookups in memory, and reads of the disk. */
  peeks = 0;
  reads = 0;
  /** What a read of the disk waits for. */
  readDelay: Promise<unknown> = Promise.resolve();

  // ── Reading ─────────────────────────────────────────────────────────────────────────────────

  peek(key: Key): Peek<Value> {
    this.peeks++;
    const found = this.#find(this.memory, nameOf(key));
    if (found !== undefined) {
      const { value, stale, sequence } = found;
      if (value === undefined) return { kind: "negative" };
      return stale ? { kind: "stale", value, sequence } : { kind: "fresh", value };
    }
    return { kind: this.#mayBeOnDisk(nameOf(key)) ? "disk" : "absent" };
  }

  peekEntry(key: Key): PeekedEntry<Value> {
    const peeked = this.peek(key);
    const { kind } = peeked;
    const found = this.#find(this.memory, nameOf(key));
    if (kind !== "fresh" && kind !== "stale") return { kind };
    return { kind: "entry", found: found!, source: "memory" };
  }

  /** All keys have the same hash, so that only their bytes tell them apart. */
  readKey(key: Key): HashedKey {
    return new HashedKey(Buffer.from(key as Uint8Array), typeof key === "string", 1, 1);
  }

  takeKey(key: Key): HashedKey {
    return this.readKey(key);
  }

  peekAgain(key: HashedKey): FoundValue<Value> | undefined {
    this.peeks++;
    return this.#find(this.memory, nameOf(key.bytes));
  }

  async readDisk(key: HashedKey, bytesRead: () => void): Promise<FoundValue<Value> | undefined> {
    this.reads++;
    await this.readDelay;
    const name = nameOf(key.bytes);
    const found = this.#find(this.memory, name) ?? this.#find(this.disk, name);
    if (found !== undefined) bytesRead();
    return found;
  }

  async readAgain(
    key: HashedKey,
    bytesRead: () => void = () => undefined,
  ): Promise<FoundValue<Value> | undefined> {
    const name = nameOf(key.bytes);
    const found = this.#find(this.memory, name);
    if (found !== undefined || !this.#mayBeOnDisk(name)) return found;
    return this.readDisk(key, bytesRead);
  }

  copiesOf(_key: HashedKey, value: Value): () => Value {
    let isFirst = true;
    return () => {
      if (isFirst || !this.copies) {
        isFirst = false;
        return value;
      }
      return structuredClone(value);
    };
  }

  // ── Writing ─────────────────────────────────────────────────────────────────────────────────

  fill(key: HashedKey, value: unknown, fields: FillFields, flight: number): Filled<Value> {
    if (typeof value === "function") throw new TypeError("Cannot encode a function");
    const { ttlMs, staleForMs, tags } = fields;
    const note = { key: key.toKey(), fields: { ttlMs, staleForMs, tags }, flight };
    const text = JSON.stringify(value);
    if (flight !== -1 && !this.flights.has(flight)) {
      this.fills.push({ ...note, outcome: "after its end" });
    }
    const isStored = this.#publish(key, text, fields, flight);
    const outcome = isStored ? "stored" : "superseded";
    this.fills.push({ ...note, outcome });
    const createdAt = this.clock.now();
    return { outcome, value: JSON.parse(text) as Value, createdAt, expiresAt: createdAt + ttlMs };
  }

  fillNegative(key: HashedKey, { negativeTtlMs, tags }: NegativeFields, flight: number): boolean {
    return this.#publish(key, undefined, { ttlMs: negativeTtlMs, staleForMs: 0, tags }, flight);
  }

  #publish(
    key: HashedKey,
    text: string | undefined,
    { ttlMs, staleForMs, tags }: FillFields,
    flight: number,
  ): boolean {
    if (flight === -1 || this.flights.isSuperseded(flight)) return false;
    const name = nameOf(key.bytes);
    // As in the kernel, publishing a fill supersedes the other flights of the key.
    this.flights.supersede(name, flight);
    const createdAt = this.clock.now();
    const expiresAt = createdAt + ttlMs;
    const staleUntil = expiresAt + staleForMs;
    const sequence = ++this.#sequence;
    this.memory.set(name, { text, createdAt, expiresAt, staleUntil, tags, sequence });
    this.disk.delete(name);
    return true;
  }

  remove(key: HashedKey): void {
    this.delete(key.toKey());
  }

  // ── What a test does ────────────────────────────────────────────────────────────────────────

  counted(counter: number): number {
    return this.meter.counted(counter);
  }

  /** A write by any thread. */
  set(key: Key, value: Value, times: Times = {}): void {
    this.delete(key);
    this.memory.set(nameOf(key), this.#entry(value, times));
  }

  /** Stores an entry that only a read of the disk finds. */
  setOnDisk(key: Key, value: Value, times: Times = {}): void {
    this.disk.set(nameOf(key), this.#entry(value, times));
  }

  /** From now on the index takes this key for one that is on disk; only a read shows that it is
   *  not. */
  suspectOnDisk(key: Key): void {
    this.#suspected.add(nameOf(key));
  }

  /** A delete by any thread. */
  delete(key: Key): void {
    this.flights.supersede(nameOf(key));
    this.memory.delete(nameOf(key));
    this.disk.delete(nameOf(key));
  }

  /** The entry may be served stale for so much longer; it stays the same entry. */
  extend(key: Key, ms: number): void {
    const entry = this.memory.get(nameOf(key));
    if (entry === undefined) throw new Error("there is no such entry");
    this.memory.set(nameOf(key), { ...entry, staleUntil: entry.staleUntil + ms });
  }

  valueOf(key: Key): Value | undefined {
    return this.#find(this.memory, nameOf(key))?.value;
  }

  #entry(value: Value, times: Times): Entry {
    const createdAt = this.clock.now();
    const expiresAt = createdAt + (times.ttl ?? Infinity);
    return {
      text: JSON.stringify(value),
      sequence: ++this.#sequence,
      tags: times.tags ?? [],
      createdAt,
      expiresAt,
      staleUntil: expiresAt + (times.staleFor ?? 0),
    };
  }

  #mayBeOnDisk(name: string): boolean {
    return this.disk.has(name) || this.#suspected.has(name);
  }

  #find(tier: Map<string, Entry>, name: string): FoundValue<Value> | undefined {
    const entry = tier.get(name);
    const now = this.clock.now();
    if (entry === undefined || now >= entry.staleUntil) return undefined;
    const { text, ...rest } = entry;
    const value = text === undefined ? undefined : (JSON.parse(text) as Value);
    return { ...rest, value, stale: now >= entry.expiresAt };
  }
}

function nameOf(key: Key): string {
  // A string becomes its UTF-8.
  return Buffer.from(key as Uint8Array).toString("hex");
}
