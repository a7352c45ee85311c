// The parts that `fetch` works with: the entries below it and the loader above it. The entry
// reader, the entry writer, the shared flights and the shared back-offs implement them; tests bring
// others.
import type { Clock, UndercroftError } from "../base/mod.js";
import type { LoadedEntry, Unchanged } from "../config/mod.js";
import type {
  FillFields,
  Filled,
  FoundValue,
  NegativeFields,
  Peek,
  PeekedEntry,
} from "../entries/mod.js";
import type { HashedKey, Key } from "../kernel/mod.js";
import type { FlightEnd, FlightRole } from "./flight-end.js";

/**
 * The argument of a loader.
 *
 * @example
 * ```ts
 * import { type LoadContext, openCache } from "undercroft";
 *
 * const load = async ({ key, signal }: LoadContext<string>): Promise<string> => {
 *   signal.throwIfAborted(); // or pass `signal` on, to the `fetch` of a URL for instance
 *   return `loaded ${String(key)}`;
 * };
 * const cache = await openCache<string>();
 * console.log(await cache.fetch("user:7", load)); // loaded user:7
 * await cache.close();
 * ```
 */
export interface LoadContext<V, K = Key> {
  /** The key being loaded, as the caller gave it; bytes are a copy. */
  readonly key: K;
  /** Aborts when the load runs past `timeout.hard`, when nobody waits for it any more, and at
   *  `close`. */
  readonly signal: AbortSignal;
  /** The value that is there, to ask the source conditionally or to build the new one from: an
   *  expired one within its `staleFor`, one that `isValid` refused or that is older than
   *  `refreshAfter`, or under `forceRefresh` any. Undefined if there is none. */
  readonly stale: V | undefined;
  /** The time to live in milliseconds and the tags that the fetch asks for. To change them the
   *  loader returns an `entry`: to shorten this ttl, for instance, or to add to these tags. */
  readonly ttl: number;
  readonly tags: readonly string[];
}

/** What a loader may give: a value, one with its own times and tags, that the stale value has not
 *  changed, or nothing. */
export type Loadable<V> = V | LoadedEntry<V | Unchanged> | Unchanged | undefined;

/** The members of V that a value of type L may be. Literals count by their primitive type, and in
 *  an untyped cache L counts itself. */
type KindOf<V, L> = unknown extends V
  ? L
  : L extends undefined
    ? undefined
    : L extends string | number | bigint | boolean
      ? Extract<V, Primitive<L>>
      : V extends unknown
        ? L extends V
          ? V
          : never
        : never;

type Primitive<L> = L extends string
  ? string
  : L extends number
    ? number
    : L extends bigint
      ? bigint
      : boolean;

type LoadedKind<V, R> =
  R extends LoadedEntry<infer L>
    ? KindOf<V, Exclude<L, Unchanged>>
    : R extends Unchanged
      ? never
      : KindOf<V, R>;

/** What `fetch` resolves to if its loader gives R: the kinds of V that R shows; V itself if R says
 *  nothing (never, any). */
export type Fetched<V, R> = [R] extends [never]
  ? V
  : 0 extends 1 & R
    ? V
    : [LoadedKind<V, R>] extends [never]
      ? V
      : LoadedKind<V, R>;

/**
 * Gets the value of a key from its source, or an `entry` of it, which says how long it lives.
 * `undefined` means that the source has none: no value is stored, and `fetch` resolves to
 * undefined.
 *
 * @example
 * ```ts
 * import { type Loader, openCache } from "undercroft";
 *
 * const users = new Map([["user:7", "Ada"]]);
 * const load: Loader<string> = ({ key }) => users.get(String(key));
 * const cache = await openCache<string>();
 * console.log(await cache.fetch("user:7", load)); // Ada
 * console.log(await cache.fetch("user:8", load)); // undefined
 * await cache.close();
 * ```
 */
export type Loader<V, K = Key> = (
  context: LoadContext<V, K>,
) => Loadable<V> | PromiseLike<Loadable<V>>;

/** Reads entries, fresh or stale. */
export interface FetchReader<V> {
  /** Looks in memory. Counts a hit, or a miss for a stale value; any other outcome is counted by
   *  the caller. */
  peek(key: Key): Peek<V>;
  /** As `peek`, with what the record says of the value. Counts no hit and no miss. */
  peekEntry(key: Key): PeekedEntry<V>;
  /** Reads and hashes a key for the calls below. Throws TypeError or RangeError if it is not a
   *  key. */
  readKey(key: Key): HashedKey;
  /** As `readKey`, for the key that `peek` has just looked up. */
  takeKey(key: Key): HashedKey;
  /** Looks in memory once more; counts nothing. */
  peekAgain(key: HashedKey): FoundValue<V> | undefined;
  /** After a `peek` that found no value in memory: reads the value on disk; counts nothing. Calls
   *  `bytesRead` before it verifies that what it read is current: the key may be
   *  written or deleted after that, so a fetch that begins later must not get this answer. */
  readDisk(key: HashedKey, bytesRead: () => void): Promise<FoundValue<V> | undefined>;
  /** Looks in memory and on disk; counts nothing. */
  readAgain(key: HashedKey, bytesRead?: () => void): Promise<FoundValue<V> | undefined>;
  /** A function that gives a value that was just read to one caller after another. If hits return
   *  copies, the first gets the value and each further one an object of its own. Call it before
   *  any of them can change the value, so without an await in between. */
  copiesOf(key: HashedKey, value: V): () => V;
}

/** What a tier had for a key. */
export interface FromTier<V> {
  readonly value: V;
  readonly stale: boolean;
  readonly superseded: boolean;
  readonly entry: {
    readonly createdAt: number;
    readonly expiresAt: number;
    readonly tags: readonly string[];
  };
}

/** The tiers behind memory and disk. */
export interface FetchTiers<V> {
  /** Whether this process hears of what others end. If not, a load that began a moment ago may be
   *  too old by now for a fetch that begins. */
  hearsOthers(): boolean;
  /** Asks them for a key that is to be loaded unless they have it. What is fresh is stored under
   *  the flight, unless superseded or the flight is -1; what has expired and may be served stale is
   *  not. Calls `bytesRead` before it looks at what they have: a fetch that begins later must not
   *  get this answer. If another process loads the key, waits for that, at most `waitMs`, and
   *  answers `isOthers`: look again. Else a load may begin; when it has ended, call `release`. */
  turn(
    key: HashedKey,
    flight: number,
    waitMs: number,
    bytesRead: () => void,
  ): Promise<{
    readonly found: FromTier<V> | undefined;
    readonly isOthers: boolean;
    readonly release: (() => void) | undefined;
  }>;
  /** The same before a load of what is fresh. Finds only what was loaded by a load that began after
   *  the answer that had the mark `since`; nothing for -1. Stores nothing. */
  renew(
    key: HashedKey,
    since: number,
    waitMs: number,
  ): Promise<{
    readonly found: FromTier<V> | undefined;
    readonly isOthers: boolean;
    readonly release: (() => void) | undefined;
    readonly mark: number;
  }>;
}

/** Publishes loaded values. */
export interface FetchWriter<V> {
  /** Encodes and publishes, unless superseded or `flight` is -1. Answers the value that a later hit
   *  would return. `loadMs`: how long the loader took, by default unknown. */
  fill(
    key: HashedKey,
    value: unknown,
    fields: FillFields,
    flight: number,
    loadMs?: number,
  ): Filled<V>;
  /** Remembers for all threads that the source has no value, unless superseded or `flight` is -1.
   *  An older value of the key leaves. False if nothing was stored. */
  fillNegative(key: HashedKey, fields: NegativeFields, flight: number): boolean;
  /** Removes the key, and supersedes what loads it. */
  remove(key: HashedKey): void;
}

/** The last failure to refresh a stale value. */
export interface Backoff {
  /** Of the stale record: a set or a load makes another, for which this does not count. */
  readonly sequence: number;
  readonly failures: number;
  /** Wall-clock ms from which the next attempt may be made. */
  readonly retryAtMs: number;
}

/** The failures to refresh, of all threads. It may forget one. */
export interface BackoffBoard {
  read(key: HashedKey): Backoff | undefined;
  /** Keeps a back-off for all threads until this wall-clock ms. */
  write(key: HashedKey, backoff: Backoff, untilMs: number): void;
}

/** The loads of all threads. */
export interface FlightBoard {
  /** Names the cache among all of the process. */
  readonly cacheId: string;
  /** Whether this thread can do nothing with the cache any more. */
  readonly isClosed: boolean;
  /** Names a flight among those of all caches and threads of the process, for good. */
  nameOf(flight: number): string;
  /** Decides which thread loads a key. Call it before the source is read. `hardTimeoutMs` bounds
   *  the leader's lease. Unless `mayClaim`, it follows or is "full". */
  enter(key: HashedKey, forced: boolean, hardTimeoutMs: number, mayClaim: boolean): FlightRole;
  /** Begins the guard of a write to the source, and removes the key: until the guard ends, no load
   *  of the key is stored. Its flight, or -1 if none is free now. Throws once the cache is closed.
   *  */
  guard(key: HashedKey): number;
  /** A load without a flight, since none was free. Counts it. */
  refuse(): FlightRole;
  /** The windows of the flight table that may have the flight of a key. */
  windowsOf(key: HashedKey): readonly number[];
  /** Calls `freed` when a flight of this thread has ended, with its window. */
  listen(freed: (window: number) => void): void;
  /** Begins a load for this thread alone, whoever else loads the key. */
  enterUnshared(key: HashedKey): FlightRole;
  /** Ends a flight that this thread leads or has alone, and tells followers in other threads. */
  end(flight: number, end: FlightEnd): void;
  /** Whether, since the flight began, any thread wrote, deleted or cleared the key or invalidated
   *  one of the tags, or the flight's lease ended. */
  isSuperseded(flight: number, tags: readonly string[]): boolean;
  /** Waits for another thread's flight while `stays` is true. Rejects if the cache is closed. */
  follow(flight: number, stays: () => boolean): Promise<FlightEnd>;
  /** Ends what `enter` began with the role "follow". */
  leave(flight: number): void;
  /** Whether the outcome of a followed flight is known. */
  isOver(flight: number): boolean;
  /** Whether other threads wait for a flight that this thread leads. */
  hasFollowers(flight: number): boolean;
  /** Resolves when no other thread waits any more, or when `stays` is false. */
  untilUnfollowed(flight: number, stays: () => boolean): Promise<void>;
}

/** Counts fetches. */
export interface FetchMeter {
  count(counter: number, amount: number): void;
  /** Takes a sample of a load's duration, in nanoseconds. */
  sampleLoad(nanoseconds: number): void;
}

export interface FetchParts<V> {
  /** The cache's name, which traces tell. */
  readonly name: string;
  readonly reader: FetchReader<V>;
  readonly writer: FetchWriter<V>;
  /** Null if there are none. */
  readonly tiers: FetchTiers<V> | null;
  /** Resolves when no other process answers what this one has ended; undefined if none can. */
  readonly settle: () => Promise<void> | undefined;
  readonly flights: FlightBoard;
  readonly backoffs: BackoffBoard;
  readonly meter: FetchMeter;
  readonly clock: Clock;
  /** The wall clock at a moment of the cache's time. */
  readonly wallOf: (ms: number) => number;
  /** Told of a load that failed while a stale value was served, so that no caller was. */
  readonly refreshFailed: (key: Key, error: UndercroftError) => void;
}
