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
   *  loader of that has not been called: nothing of it is older than the call then. So does any
   *  fetch while the process does not hear of what others end. */
  find(id: string, forced: boolean): Flight<V> | undefined {
    const flight = this.#joinable.get(id);
    if (flight === undefined || flight.hasRead) return undefined;
    const isAlone = this.#parts.tiers?.hearsOthers() === false;
    if (flight.isLoading && (forced || isAlone)) return undefined;
    if (forced && !flight.options.forceRefresh) return undefined;
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

  /** Ends a flight with what its loader, or another thread's, has brought; undefined: nothing.
   *  Waiters that joined fetch anew if they refuse it, and with `isTooOld`: a tag that only the
   *  loader knew of was invalidated, maybe before they came. */
  succeed(
    flight: Flight<V>,
    loaded: FoundValue<V> | undefined,
    end: FlightEnd,
    isTooOld = false,
  ): void {
    this.#sample(flight);
    this.#end(flight, end);
    const copy = this.#copiesOf(flight.key, loaded?.value);
    for (const waiter of Array.from(flight.waiters)) {
      try {
        const value = copy();
        const isRefused =
          waiter.retry !== undefined && (isTooOld || !accepts(waiter, loaded, value, true));
        waiter.resolve(isRefused ? waiter.retry() : value);
      } catch (error) {
        waiter.reject(error); // a codec of the user's, or isValid
      }
    }
  }

  /** Ends a flight by a fresh value that was just read, if all that wait may have it, which are
   *  `waiters`, and take it; else it goes on for the others. `isLoaded`: another thread's load has
   *  brought it. True if it has ended. */
  settle(
    flight: Flight<V>,
    found: FoundValue<V>,
    isLoaded: boolean,
    waiters?: readonly Waiter<V>[],
  ): boolean {
    this.#offer(flight, found, isLoaded, waiters);
    if (flight.isDone) return true;
    if (flight.waiters.size > 0) return false;
    this.#end(flight, { kind: "stored" });
    return true;
  }

  /** Ends a load that backs off, if all that wait may have the value that is there, and take it.
   *  True if it has ended. */
  serveStale(flight: Flight<V>, found: FoundValue<V>, waiters?: readonly Waiter<V>[]): boolean {
    this.#offer(flight, found, false, waiters);
    if (flight.isDone) return true;
    if (flight.waiters.size > 0) return false;
    this.#end(flight, { kind: "again" });
    return true;
  }

  /** A function that gives waiter after waiter a value, each an object of its own if hits do. */
  #copiesOf(key: HashedKey, value: V | undefined): () => V | undefined {
    return value === undefined ? () => undefined : this.#parts.reader.copiesOf(key, value);
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
    const { stale, options } = flight;
    if (flight.isLoading && !options.forceRefresh && stale !== undefined && flight.isFor(stale)) {
      this.#backoff.fail(flight.key, stale.sequence);
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
    if (found !== undefined) this.#offer(flight, found, false);
    const left = Array.from(flight.waiters);
    for (const waiter of left) waiter.reject(error);
    if (found !== undefined && left.length === 0 && !isTold) this.#tell(flight, error);
  }

  /** Tells of a load of this thread that failed and whose error no caller got. */
  #tell(flight: Flight<V>, cause: unknown): void {
    const isClosed = cause instanceof UndercroftError && cause.code === "ERR_CACHE_CLOSED";
    if (!flight.isLoading || isClosed) return;
    const key = flight.key.toKey();
    const text =
      `Cannot refresh key ${describe(key)}: the loader failed ` +
      `(${cause instanceof Error ? cause.message : describe(cause)}); ` +
      "the value that is there was served, and the next attempt is delayed";
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
    if (found !== undefined && !waiter.isSettled) this.serveAndLoad(flight, found, [waiter]);
  }

  /** Serves a stale value to the waiters that take one at once; the load goes on. */
  serveAtOnce(
    flight: Flight<V>,
    found: FoundValue<V>,
    waiters: Iterable<Waiter<V>> = flight.waiters,
  ): void {
    flight.hasMetStale = true;
    const taking = Array.from(waiters).filter((waiter) => waiter.takesStaleAtOnce);
    this.serveAndLoad(flight, found, taking);
  }

  /** Gives waiters what was just read; the load goes on. */
  serveAndLoad(
    flight: Flight<V>,
    found: FoundValue<V>,
    waiters: readonly Waiter<V>[] = Array.from(flight.waiters),
  ): void {
    if (this.#offer(flight, found, false, waiters) > 0) flight.isBackground = true;
  }

  /** Offers what was just read to the waiters. Answers how many took it; those that refused it
   *  still wait. Runs code of the user's, so the flight may be done afterwards. */
  #offer(
    flight: Flight<V>,
    found: FoundValue<V>,
    isLoaded: boolean,
    waiters: readonly Waiter<V>[] = Array.from(flight.waiters),
  ): number {
    const copy = this.#copiesOf(flight.key, found.value);
    let taken = 0;
    for (const waiter of waiters) {
      if (waiter.isSettled) continue; // it has left since it was noted
      try {
        const value = copy();
        if (!accepts(waiter, found, value, isLoaded)) continue;
        if (found.stale) this.#parts.meter.count(counterStaleServed, 1);
        waiter.resolve(value);
        taken += 1;
      } catch (error) {
        waiter.reject(error); // a codec of the user's, or isValid
      }
    }
    return taken;
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

/** Whether the waiter takes `value`, its copy of what was found. */
function accepts<V>(
  waiter: Waiter<V>,
  found: FoundValue<V> | undefined,
  value: V | undefined,
  isLoaded: boolean,
): boolean {
  if (found === undefined || value === undefined) return true;
  return waiter.accepts(value === found.value ? found : { ...found, value }, isLoaded);
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
