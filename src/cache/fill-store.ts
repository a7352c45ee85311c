// What `fetch` stands between: the cache below it and the loader above it. The facade implements FillStore, users write
// loaders, ReadThrough knows neither.

import type { Clock } from "../base/mod.js";
import type { WriteOutcome } from "../memory/mod.js";

/** A string and the bytes of its UTF-8 are the same key. */
export type Key = string | Uint8Array;

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

/** A value in the cache: fresh, or expired but within its staleFor. */
export interface FoundValue<V> {
  readonly value: V;
  readonly stale: boolean;
}

/** How a thread stands to the load of a key. "lead": it runs the loader for all threads. "follow": another does, and this
 *  one waits. "alone": there is no place to meet; its loader runs for this thread only, and with flight -1 the value is not
 *  published. */
export interface Entrance {
  readonly role: "lead" | "follow" | "alone";
  readonly flight: number;
}

/** What came of a flight. */
export type FlightEnd =
  /** The value is in the cache. */
  | { readonly kind: "stored" }
  /** There is a value that the cache could not take. */
  | { readonly kind: "unstored" }
  /** The loader gave `undefined`, to be remembered until this wall-clock millisecond; 0 = not at all. */
  | { readonly kind: "nothing"; readonly untilMs: number }
  | { readonly kind: "failed"; readonly error: unknown; readonly mayServeStale: boolean }
  /** It was superseded or given up: who waited looks again. */
  | { readonly kind: "again" }
  /** Its thread died, or was silent for longer than its lease. */
  | { readonly kind: "lost" };

/** The cache as `fetch` sees it; the facade implements it. */
export interface FillStore<V> {
  /** Looks in memory only. Counts a hit or a miss unless `quiet`. */
  peek(key: Key, quiet?: boolean): FoundValue<V> | undefined;
  /** Looks in memory, on disk and in later tiers. Calls `bytesRead` before it makes sure that what it found is current: a
   *  fetch that begins after that must not be given the answer, as the key may have been written or deleted since. */
  read(key: Key, quiet?: boolean, bytesRead?: () => void): Promise<FoundValue<V> | undefined>;
  /** Says who loads a key, before its source is read. `hardTimeoutMs` bounds the lease of who leads. */
  enterFlight(key: Key, forced: boolean, hardTimeoutMs: number): Entrance;
  /** Begins a load of this thread alone, whoever else loads the key. */
  enterApart(key: Key): Entrance;
  /** Ends a flight that this thread leads or has alone; others that wait are told. */
  endFlight(flight: number, end: FlightEnd): void;
  /** Whether the key was written, deleted or cleared, or one of the tags invalidated, since the flight began, by any
   *  thread, or the flight's lease is over. Without it, `forget` tells of this thread's writes only. */
  isSuperseded?(flight: number, tags: readonly string[]): boolean;
  /** Waits for a flight that another thread leads, while `stays` says so. Rejects if the cache is closed. */
  followFlight(flight: number, stays: () => boolean): Promise<FlightEnd>;
  /** Ends what `enterFlight` began with the role "follow". */
  leaveFlight(flight: number): void;
  /** Whether what came of a followed flight is known. */
  isFlightOver(flight: number): boolean;
  /** Whether other threads wait for a flight that this thread leads. */
  hasFollowers(flight: number): boolean;
  /** Resolves when none does any more, or `stays` says no. */
  untilUnfollowed(flight: number, stays: () => boolean): Promise<void>;
  /** Encodes and publishes, unless superseded or `flight` is -1; returns the value as a later hit would return it. */
  fill(
    key: Key,
    value: unknown,
    fields: {
      readonly ttlMs: number;
      readonly staleForMs: number;
      readonly tags: readonly string[];
    },
    flight: number,
  ): { readonly outcome: WriteOutcome; readonly value: V };
  count(counter: number, amount: number): void;
  /** Takes a sample of how long a load took, in nanoseconds. */
  sampleLoad(nanoseconds: number): void;
  readonly clock: Clock;
}
