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

/** The cache as `fetch` sees it; the facade implements it. */
export interface FillStore<V> {
  /** Looks in memory only. Counts a hit or a miss unless `quiet`. */
  peek(key: Key, quiet?: boolean): FoundValue<V> | undefined;
  /** Looks in memory, on disk and in later tiers. */
  read(key: Key, quiet?: boolean): Promise<FoundValue<V> | undefined>;
  /** Registers a fill before its source is read; -1 if there is no place for it. */
  beginFlight(key: Key): number;
  endFlight(flight: number): void;
  /** Whether the key was written, deleted or cleared since the flight began, by any thread. Without it, `forget` tells
   *  of this thread's writes only. */
  isOvertaken?(flight: number): boolean;
  /** Encodes and publishes, unless overtaken or `flight` is -1; returns the value as a later hit would return it. */
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
