// The flights of one thread: which one a fetch joins, and the one way each ends. Called by the
// phases of a fetch. Invariant: nobody joins a flight that is done, and its number in the flight
// table has been given back.
import { describe, monotonicMs, UndercroftError } from "../base/mod.js";
import type { ResolvedFetchOptions } from "../config/mod.js";
import type { FoundValue } from "../entries/mod.js";
import type { HashedKey } from "../kernel/mod.js";
import { counterLoadErrors, counterStaleServed } from "../stats/mod.js";
import type { FetchParts } from "./fetch-parts.js";
import { Flight, type Waiter } from "./flight.js";
import type { FlightEnd } from "./flight-end.js";
import type { RefreshBackoff } from "./refresh-backoff.js";

/** The most keys whose loads one thread coalesces at once. A load beyond that runs for its caller
 *  alone, and its value is not stored. */
export const flightsInThreadMax = 262_144;

export class FlightRegistry<V> {
  readonly #parts: FetchParts<V>;
  readonly #backoff: RefreshBackoff;
  /** The flight that a fetch of a key joins, by the key's id. */
  readonly #joinable = new Map<string, Flight<V>>();
  /** Every flight that is not done or still has waiters. */
  readonly #live = new Set<Flight<V>>();

  constructor(parts: FetchParts<V>, backoff: RefreshBackoff) {
    this.#parts = parts;
    this.#backoff = backoff;
  }

  /** Flights under way. */
  get size(): number {
    return this.#live.size;
  }

  /** Whether there is no flight to join. */
  get isIdle(): boolean {
    return this.#joinable.size === 0;
  }

  /** The flight of a key that a fetch may join. A forced fetch joins a forced load only while the
   *  loader of that has not been called: nothing of it is older than the call then. */
  find(id: string, forced: boolean): Flight<V> | undefined {
    const flight = this.#joinable.get(id);
    if (flight === undefined || flight.hasRead) return undefined;
    if (forced && (!flight.options.forceRefresh || flight.isLoading)) return undefined;
    // A write, delete or clear that has returned may have superseded it: too old for a later fetch.
    return this.#isTooOld(flight) ? undefined : flight;
  }

  /** Whether a later fetch must not join. A flight that follows another thread looks for the value
   *  when that load ends, or loads it, so it is too old only if it is about to take that load's
   *  failure. */
  #isTooOld(flight: Flight<V>): boolean {
    const { flights } = this.#parts;
    if (flight.followed !== -1) return flights.isOver(flight.followed);
    if (flight.number === -1) return false;
    return flights.isSuperseded(flight.number, flight.options.tags);
  }

  /** Begins a flight, which fetches of the key join from now on. */
  begin(key: HashedKey, options: ResolvedFetchOptions): Flight<V> {
    const flight = new Flight<V>(key, options);
    this.#live.add(flight);
    const older = this.#joinable.get(key.id);
    if (older !== undefined) older.isReplaced = true;
    flight.isUnshared = older === undefined && this.#joinable.size >= flightsInThreadMax;
    if (!flight.isUnshared) this.#joinable.set(key.id, flight);
    return flight;
  }

  /** The key was written or deleted: later fetches do not join its flight. */
  detach(id: string): void {
    const flight = this.#joinable.get(id);
    if (flight !== undefined) this.#detach(flight);
  }

  detachAll(): void {
    for (const flight of this.#joinable.values()) this.#detach(flight);
  }

  #detach(flight: Flight<V>): void {
    this.#joinable.delete(flight.key.id);
  }

  // ── Ending ──────────────────────────────────────────────────────────────────────────────────

  /** With `isTooOld`, waiters that joined fetch anew: a tag that only the loader knew of was
   *  invalidated, maybe before they came. */
  succeed(flight: Flight<V>, value: V | undefined, end: FlightEnd, isTooOld = false): void {
    this.#sample(flight);
    this.#end(flight, end);
    const give = this.#copiesOf(flight.key, value);
    for (const waiter of Array.from(flight.waiters)) {
      if (isTooOld && waiter.retry !== undefined) waiter.resolve(waiter.retry());
      else give(waiter);
    }
  }

  /** Ends a load that backs off: every waiter gets the stale value. */
  serveStale(flight: Flight<V>, found: FoundValue<V>): void {
    this.#end(flight, { kind: "again" });
    this.#serveAll(flight, found);
  }

  /** Resolves waiter after waiter to a value, each to an object of its own if hits do. */
  #copiesOf(key: HashedKey, value: V | undefined): (waiter: Waiter<V>) => void {
    if (value === undefined) return (waiter) => waiter.resolve(undefined);
    const copy = this.#parts.reader.copiesOf(key, value);
    return (waiter) => {
      try {
        waiter.resolve(copy());
      } catch (error) {
        waiter.reject(error); // a codec of the user's
      }
    };
  }

  /** Fails a flight. With `mayServeStale`, waiters that accept a stale value get one if there is
   *  one. */
  fail(flight: Flight<V>, error: unknown, mayServeStale: boolean): void {
    if (flight.isDone) return;
    if (flight.isLoading) {
      this.#parts.meter.count(counterLoadErrors, 1);
      this.#sample(flight);
    }
    // Before the end: a thread that hears of it and finds the stale value must back off.
    if (flight.isLoading && flight.staleSequence !== undefined) {
      this.#backoff.fail(flight.key, flight.staleSequence);
    }
    this.#end(flight, { kind: "failed", error, mayServeStale });
    let isTold = false;
    for (const waiter of Array.from(flight.waiters)) {
      if (mayServeStale && !waiter.isForced) continue;
      waiter.reject(error);
      isTold = true;
    }
    if (flight.waiters.size > 0) void this.#fallBack(flight, error, isTold);
    else if (flight.isBackground && !isTold) this.#tell(flight, error);
  }

  /** Gives the waiters left what the cache has now, or the error. One lookup serves all. */
  async #fallBack(flight: Flight<V>, error: unknown, isTold: boolean): Promise<void> {
    const found = await this.current(flight.key);
    if (found !== undefined) {
      this.#serveAll(flight, found);
      if (!isTold) this.#tell(flight, error);
      return;
    }
    for (const waiter of Array.from(flight.waiters)) waiter.reject(error);
  }

  /** Tells of a load of this thread that failed and whose error no caller got. */
  #tell(flight: Flight<V>, cause: unknown): void {
    const isClosed = cause instanceof UndercroftError && cause.code === "ERR_CACHE_CLOSED";
    if (!flight.isLoading || isClosed) return;
    const key = flight.key.toKey();
    const text =
      `Cannot refresh key ${describe(key)}: the loader failed ` +
      `(${cause instanceof Error ? cause.message : describe(cause)}); ` +
      "the stale value was served, and the next attempt is delayed";
    this.#parts.refreshFailed(key, new UndercroftError("ERR_LOADER", text, { cause }));
  }

  /** The load ran past `timeout.hard`. */
  timeOut(flight: Flight<V>): void {
    const error = timeoutError(flight, flight.options);
    this.fail(flight, error, true);
    flight.abort(error);
  }

  /** Ends a load that nobody wants. */
  giveUp(flight: Flight<V>, reason: unknown): void {
    if (flight.isDone) return;
    if (flight.isLoading) this.#parts.meter.count(counterLoadErrors, 1);
    this.#end(flight, { kind: "again" });
    flight.abort(reason);
  }

  /** Rejects all waiters with `error`, and aborts the loaders with it as their reason. */
  abortAll(error: Error): void {
    for (const flight of Array.from(this.#live)) {
      const waiters = Array.from(flight.waiters);
      this.giveUp(flight, error);
      for (const waiter of waiters) waiter.reject(error);
    }
  }

  /** The one way every flight ends. */
  #end(flight: Flight<V>, end: FlightEnd): void {
    const { flights } = this.#parts;
    flight.end();
    if (this.#joinable.get(flight.key.id) === flight) this.#joinable.delete(flight.key.id);
    if (flight.number !== -1) flights.end(flight.number, end);
    if (flight.followed !== -1) {
      flights.leave(flight.followed);
      flight.stopFollowing();
    }
    this.dropIfOver(flight);
  }

  /** Forgets a flight that is done and has no waiters. */
  dropIfOver(flight: Flight<V>): void {
    if (flight.isDone && flight.waiters.size === 0) this.#live.delete(flight);
  }

  #sample(flight: Flight<V>): void {
    if (flight.startedMs !== undefined) {
      this.#parts.meter.sampleLoad((monotonicMs() - flight.startedMs) * 1e6);
    }
  }

  // ── Serving what the cache has ──────────────────────────────────────────────────────────────

  /** Gives a waiter what the cache has now, fresh or stale, if anything; the load goes on. */
  async serveCurrent(flight: Flight<V>, waiter: Waiter<V>): Promise<void> {
    const found = await this.current(flight.key);
    if (found === undefined || waiter.isSettled) return;
    flight.isBackground = true;
    if (found.stale) this.#parts.meter.count(counterStaleServed, 1);
    waiter.resolve(found.value);
  }

  /** Gives the waiters, or those of them that `takes` says, what was just read. */
  #serveAll(flight: Flight<V>, found: FoundValue<V>, takes?: (waiter: Waiter<V>) => boolean): void {
    const give = this.#copiesOf(flight.key, found.value);
    for (const waiter of Array.from(flight.waiters)) {
      if (takes?.(waiter) === false) continue;
      if (found.stale) this.#parts.meter.count(counterStaleServed, 1);
      give(waiter);
    }
  }

  /** Serves a stale value to the waiters that take one at once; the load goes on. */
  serveAtOnce(flight: Flight<V>, found: FoundValue<V>): void {
    flight.hasMetStale = true;
    if (Array.from(flight.waiters).some((waiter) => waiter.takesStaleAtOnce)) {
      flight.isBackground = true;
    }
    this.#serveAll(flight, found, (waiter) => waiter.takesStaleAtOnce);
  }

  async current(key: HashedKey): Promise<FoundValue<V> | undefined> {
    const { reader } = this.#parts;
    try {
      return reader.peekAgain(key) ?? (await reader.readAgain(key));
    } catch {
      return undefined; // the cache was closed meanwhile; the flight reports that
    }
  }
}

/** The error of a waiter whose `timeout.hard` has run out. */
export function timeoutError<V>(flight: Flight<V>, options: ResolvedFetchOptions): UndercroftError {
  return new UndercroftError(
    "ERR_LOADER_TIMEOUT",
    `Cannot load key ${describe(flight.key.toKey())}: the loader took longer than the hard ` +
      `timeout of ${options.hardTimeoutMs} ms; ` +
      "raise timeout.hard, or set staleFor to serve stale values",
  );
}
