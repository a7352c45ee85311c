// What `fetch` works on: the entries below it and the loader above it. The entry reader, the entry writer and the shared flights
// are such parts; tests bring others.
import type { Clock } from "../base/mod.js";
import type { FillFields, Filled, FoundValue, Peek } from "../entries/mod.js";
import type { HashedKey, Key } from "../kernel/mod.js";
import type { FlightEnd, FlightRole } from "./flight-end.js";

/** What a loader is given. */
export interface LoadContext<V> {
  /** The key asked for; bytes are a copy. */
  readonly key: Key;
  /** Aborts when the load has run past `timeout.hard`, when nobody waits for it any more, and at `close`. */
  readonly signal: AbortSignal;
  /** The expired value that is still there, to make the new one of; undefined if there is none. */
  readonly stale: V | undefined;
}

/** Gives the value of a key from its source; `undefined` says that the source has none. */
export type Loader<V> = (context: LoadContext<V>) => V | undefined | PromiseLike<V | undefined>;

/** Reads entries, fresh or stale. */
export interface FetchReader<V> {
  /** Looks in memory. Counts a hit, or a miss for a stale value; what is not in memory is counted later. */
  peek(key: Key): Peek<V>;
  /** Reads a key, with its hash, for the calls below. Throws TypeError or RangeError if it is none. */
  readKey(key: Key): HashedKey;
  /** As `readKey`, for the key that `peek` has just looked up. */
  takeKey(key: Key): HashedKey;
  /** Looks in memory once more; counts nothing. */
  peekAgain(key: HashedKey): FoundValue<V> | undefined;
  /** After a `peek` that found no value in memory: the value on disk. Counts a disk hit or a miss. Calls `bytesRead` before it
   *  makes sure that what it found is current: a fetch that begins after that must not be given the answer, as the key may have
   *  been written or deleted since. */
  readDisk(key: HashedKey, bytesRead: () => void): Promise<FoundValue<V> | undefined>;
  /** Looks in memory and on disk; counts nothing. */
  readAgain(key: HashedKey, bytesRead?: () => void): Promise<FoundValue<V> | undefined>;
}

/** Publishes what was loaded. */
export interface FetchWriter<V> {
  /** Encodes and publishes, unless superseded or `flight` is -1; gives the value as a later hit does. */
  fill(key: HashedKey, value: unknown, fields: FillFields, flight: number): Filled<V>;
}

/** The loads of all threads. */
export interface FlightBoard {
  /** Says who loads a key, before its source is read. `hardTimeoutMs` bounds the lease of who leads. */
  enter(key: HashedKey, forced: boolean, hardTimeoutMs: number): FlightRole;
  /** Begins a load of this thread alone, whoever else loads the key. */
  enterUnshared(key: HashedKey): FlightRole;
  /** Ends a flight that this thread leads or has alone; followers in other threads are told. */
  end(flight: number, end: FlightEnd): void;
  /** Whether the key was written, deleted or cleared, or one of the tags invalidated, since the flight began, by any thread, or
   *  the flight's lease is over. */
  isSuperseded(flight: number, tags: readonly string[]): boolean;
  /** Waits for a flight that another thread leads, while `stays` says so. Rejects if the cache is closed. */
  follow(flight: number, stays: () => boolean): Promise<FlightEnd>;
  /** Ends what `enter` began with the role "follow". */
  leave(flight: number): void;
  /** Whether what came of a followed flight is known. */
  isOver(flight: number): boolean;
  /** Whether other threads wait for a flight that this thread leads. */
  hasFollowers(flight: number): boolean;
  /** Resolves when none does any more, or `stays` says no. */
  untilUnfollowed(flight: number, stays: () => boolean): Promise<void>;
}

/** Where fetches are counted. */
export interface FetchMeter {
  count(counter: number, amount: number): void;
  /** Takes a sample of how long a load took, in nanoseconds. */
  sampleLoad(nanoseconds: number): void;
}

export interface FetchParts<V> {
  readonly reader: FetchReader<V>;
  readonly writer: FetchWriter<V>;
  readonly flights: FlightBoard;
  readonly meter: FetchMeter;
  readonly clock: Clock;
}
