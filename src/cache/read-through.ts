// `fetch` as one thread has it: one flight of a key at a time for all who ask here, which LoadCourse brings to its end, by
// a loader or by another thread's. Called by the facade, which is the store behind it. Invariant: what was checked before an await is checked again after it, so no caller is given a value that
// was written over, deleted or too stale by the time it is given.

import { isUtf8 } from "node:buffer";

import { describe, monotonicMs, UndercroftError } from "../base/mod.js";
import type { ResolvedFetchOptions } from "../config/mod.js";
import { counterLoadErrors, counterMisses, counterStaleServed } from "../stats/mod.js";
import type { FillStore, FlightEnd, FoundValue, Key, Loader } from "./fill-store.js";
import { Flight, Waiter, watchAbort } from "./flight.js";
import { LoadCourse } from "./load-course.js";
import { NegativeAnswers } from "./negative-answers.js";

/** The most keys whose loads are coalesced at once in one thread. A load beyond runs for its caller alone, and its
 *  value is not stored. */
export const flightsInThreadMax = 65_536;

export class ReadThrough<V> {
  readonly #store: FillStore<V>;
  /** The flight that a fetch of a key joins. */
  readonly #joinable = new Map<string, Flight<V>>();
  /** Every flight that is not done or still has waiters. */
  readonly #live = new Set<Flight<V>>();
  readonly #negatives: NegativeAnswers;
  readonly #course: LoadCourse<V>;

  constructor(store: FillStore<V>) {
    this.#store = store;
    this.#negatives = new NegativeAnswers(store.clock);
    this.#course = new LoadCourse(store, this.#negatives, {
      succeed: (flight, value, end) => this.#succeed(flight, value, end),
      fail: (flight, error, mayServeStale) => this.#fail(flight, error, mayServeStale),
      timeOut: (flight) => this.#timeOut(flight),
      timeOutWaiter: (flight, waiter, options) => void this.#timeOutJoined(flight, waiter, options),
      serve: (waiter, found) => this.#serve(waiter, found),
    });
  }

  /** Flights under way. */
  get size(): number {
    return this.#live.size;
  }

  /**
   * The value of `key`: from the cache if it is fresh there, else from `loader`, which then fills the cache. Resolves
   * to what a later hit returns, or to `undefined` if the loader gives that.
   *
   * - One loader runs for a key at a time, over all threads. Fetches that come meanwhile wait for it, and its options are
   *   those of the fetch that began it. A loader must not wait for a fetch of its own key, in this thread or another.
   * - Those who wait in other threads get the entry that was stored, decoded there; an error as a copy with its name,
   *   message, stack, code and cause (texts of more than 16 KiB are cut). If the value could not be stored, each thread
   *   runs its own loader. If the thread that loads dies, or its event loop stands still for longer than its lease, one
   *   of those that wait runs its loader instead, and what the late one brings goes to its own thread's callers only.
   *   Where there is no place in the table of loads (1,024 at once, over all threads), each fetch runs its own loader.
   * - An expired value within its staleFor is returned at once while the loader runs in the background; with
   *   `timeout.soft`, only once the loader has taken that long. A background load that fails is counted, not thrown.
   * - A loader's error is rethrown, as it is, to all who wait, unless the cache has a value or a stale one by then.
   * - `timeout.hard` aborts the loader's signal; all who wait get ERR_LOADER_TIMEOUT, or the value or stale value there
   *   is. For a fetch that joined, its own `timeout.hard` ends only its own wait. What a loader brings later is ignored.
   * - `signal` ends this caller's wait with the signal's reason. When nobody waits any more, in any thread, the loader is
   *   aborted, unless a stale value was returned on its account.
   * - `forceRefresh` looks for no value and is never given an older or stale one: it joins a forced load of the key or
   *   begins one, which takes the place of an ordinary load under way; that one is no longer stored.
   * - `negativeTtl`: a loader's `undefined` is remembered for so long in the threads that waited for it, and returned to
   *   any fetch of the key there that finds no fresh value. Setting or deleting the key in this thread forgets it; a value that another
   *   thread sets is found first. Without it `undefined` is not remembered; it never removes a value that is there.
   * - A key that is set, deleted or cleared while it loads is not overwritten: those who waited in this thread get what
   *   was loaded, those in other threads the newer value, or what is loaded anew.
   *
   * @throws TypeError if `loader` is not a function or gives a value that cannot be stored (to all who wait).
   */
  async fetch(key: Key, loader: Loader<V>, options: ResolvedFetchOptions): Promise<V | undefined> {
    if (typeof loader !== "function") {
      throw new TypeError(
        `Cannot fetch key ${describe(key)}: the loader is ${describe(loader)}; it must be a function`,
      );
    }
    if (options.signal?.aborted === true) throw options.signal.reason;
    if (options.forceRefresh) return this.#wait(key, keyIdOf(key), loader, options, undefined);
    const found = this.#store.peek(key);
    if (found !== undefined && !found.stale) return found.value;
    const id = keyIdOf(key);
    if (found === undefined) return this.#wait(key, id, loader, options, undefined);
    if (this.#negatives.has(id)) return undefined; // newer than what expired
    if (options.softTimeoutMs < Infinity) return this.#wait(key, id, loader, options, found.value);
    this.#refresh(key, id, loader, options, found.value);
    this.#store.count(counterStaleServed, 1);
    return found.value;
  }

  /** The key was set or deleted in this thread: "nothing" is no longer so, and what is being loaded may be older than
   *  the change, so later fetches do not join it. */
  forget(key: Key): void {
    if (this.#joinable.size === 0 && this.#negatives.size === 0) return;
    const id = keyIdOf(key);
    this.#negatives.forget(id);
    const flight = this.#joinable.get(id);
    if (flight !== undefined) this.#detach(flight);
  }

  /** `forget` for every key: the cache was cleared, or entries were deleted by tag. */
  forgetAll(): void {
    this.#negatives.forgetAll();
    for (const flight of this.#joinable.values()) this.#detach(flight);
  }

  /** Rejects all who wait with `error` and aborts the loaders with it as their reason. */
  abortAll(error: Error): void {
    this.#negatives.forgetAll();
    for (const flight of Array.from(this.#live)) {
      const waiters = Array.from(flight.waiters);
      this.#giveUp(flight, error);
      for (const waiter of waiters) waiter.reject(error);
    }
  }

  #detach(flight: Flight<V>): void {
    flight.isFillInvalidated = true;
    this.#joinable.delete(flight.id);
  }

  // ── Waiting ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Joins the flight of the key, or begins one, and waits for it. */
  #wait(
    key: Key,
    id: string,
    loader: Loader<V>,
    options: ResolvedFetchOptions,
    stale: V | undefined,
  ): Promise<V | undefined> {
    const joinable = this.#running(id, options.forceRefresh);
    // Nobody can tell what has superseded a load without a place in the flight table: it answers who was there at its start.
    const isUntold = joinable?.isLoading === true && joinable.number === -1;
    const running = isUntold ? undefined : joinable;
    const flight = running ?? this.#newFlight(key, id, options);
    const waiter = new Waiter<V>(options, running !== undefined);
    flight.add(waiter);
    waiter.atEnd(() => {
      this.#dropIfOver(flight);
    });
    const { signal } = options;
    if (signal !== undefined) {
      const leave = (): void => {
        this.#leave(flight, waiter, signal.reason);
      };
      waiter.atEnd(watchAbort(signal, leave));
    }
    if (!waiter.isForced) {
      waiter.after(options.softTimeoutMs, () => void this.#serveCurrent(flight, waiter));
    }
    if (running === undefined) void this.#course.run(flight, loader, stale);
    else this.#joined(flight, waiter, options);
    // `read` counts for the fetch that began the flight; one that joined has looked in memory and found nothing.
    const looked = stale === undefined && !options.forceRefresh;
    if (running !== undefined && looked) this.#store.count(counterMisses, 1);
    return waiter.promise;
  }

  /** Sees to it that the key is loaded anew, without waiting. */
  #refresh(key: Key, id: string, loader: Loader<V>, options: ResolvedFetchOptions, stale: V): void {
    const running = this.#running(id, false);
    const flight = running ?? this.#newFlight(key, id, options);
    flight.isBackground = true;
    if (running === undefined) void this.#course.run(flight, loader, stale);
  }

  #joined(flight: Flight<V>, waiter: Waiter<V>, options: ResolvedFetchOptions): void {
    if (flight.isLoading || flight.followed !== -1) {
      this.#course.countWaiter(waiter, flight.followed !== -1);
    }
    waiter.after(options.hardTimeoutMs, () => void this.#timeOutJoined(flight, waiter, options));
    // The flight met a stale value on disk, where this fetch has not looked.
    if (flight.stale !== undefined && waiter.takesStaleAtOnce) {
      void this.#serveCurrent(flight, waiter);
    }
  }

  /** The flight of a key that a fetch may join. */
  #running(id: string, forced: boolean): Flight<V> | undefined {
    const flight = this.#joinable.get(id);
    if (flight === undefined || (forced && !flight.options.forceRefresh)) return undefined;
    if (flight.hasRead) return undefined;
    // Loaded before a write, delete or clear that has returned: too old for who comes after it.
    return this.#isTooOld(flight) ? undefined : flight;
  }

  /** A flight that follows another thread's looks for the value when that is done, or loads it, so it is too old only if
   *  it is about to take what that one failed with. */
  #isTooOld(flight: Flight<V>): boolean {
    if (flight.followed !== -1) return this.#store.isFlightOver(flight.followed);
    if (flight.number === -1) return false;
    return this.#store.isSuperseded?.(flight.number, flight.options.tags) === true;
  }

  #newFlight(key: Key, id: string, options: ResolvedFetchOptions): Flight<V> {
    // The caller may change its bytes while the load runs.
    const flight = new Flight<V>(id, typeof key === "string" ? key : new Uint8Array(key), options);
    this.#live.add(flight);
    const older = this.#joinable.get(id);
    if (older !== undefined) older.isReplaced = true;
    flight.isUnshared = older === undefined && this.#joinable.size >= flightsInThreadMax;
    if (!flight.isUnshared) this.#joinable.set(id, flight);
    return flight;
  }

  /** A waiter whose own time was over before the flight's. */
  async #timeOutJoined(
    flight: Flight<V>,
    waiter: Waiter<V>,
    options: ResolvedFetchOptions,
  ): Promise<void> {
    if (!waiter.isForced) await this.#serveCurrent(flight, waiter);
    if (!waiter.isSettled) this.#leave(flight, waiter, timeoutError(flight.key, options));
  }

  /** Ends one wait. The last one to leave ends the load. */
  #leave(flight: Flight<V>, waiter: Waiter<V>, reason: unknown): void {
    waiter.reject(reason);
    if (flight.waiters.size > 0 || flight.isBackground) return;
    if (flight.number !== -1 && this.#store.hasFollowers(flight.number)) {
      void this.#loadForOthers(flight, reason);
    } else {
      this.#giveUp(flight, reason);
    }
  }

  /** Ends a load for which nobody waits in this thread when nobody does in another either. */
  async #loadForOthers(flight: Flight<V>, reason: unknown): Promise<void> {
    const isForOthers = (): boolean =>
      !flight.isDone && flight.waiters.size === 0 && !flight.isBackground;
    await this.#store.untilUnfollowed(flight.number, isForOthers);
    if (isForOthers()) this.#giveUp(flight, reason);
  }

  /** Gives a waiter what the cache has now, fresh or stale, if it has something; the load goes on behind it. */
  async #serveCurrent(flight: Flight<V>, waiter: Waiter<V>): Promise<void> {
    const found = await this.#current(flight.key);
    if (found === undefined || waiter.isSettled) return;
    flight.isBackground = true;
    this.#serve(waiter, found);
  }

  #serve(waiter: Waiter<V>, found: FoundValue<V>): void {
    if (waiter.isSettled) return;
    if (found.stale) this.#store.count(counterStaleServed, 1);
    waiter.resolve(found.value);
  }

  async #current(key: Key): Promise<FoundValue<V> | undefined> {
    try {
      return this.#store.peek(key, true) ?? (await this.#store.read(key, true));
    } catch {
      return undefined; // closed meanwhile; whoever asked has an error to tell
    }
  }

  // ── Ending ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #succeed(flight: Flight<V>, value: V | undefined, end: FlightEnd): void {
    this.#sample(flight);
    this.#end(flight, end);
    for (const waiter of Array.from(flight.waiters)) waiter.resolve(value);
  }

  /** The load ran past `timeout.hard`. */
  #timeOut(flight: Flight<V>): void {
    const error = timeoutError(flight.key, flight.options);
    this.#fail(flight, error, true);
    flight.abort(error);
  }

  #fail(flight: Flight<V>, error: unknown, mayServeStale: boolean): void {
    if (flight.isDone) return;
    if (flight.isLoading) {
      this.#store.count(counterLoadErrors, 1);
      this.#sample(flight);
    }
    this.#end(flight, { kind: "failed", error, mayServeStale });
    for (const waiter of Array.from(flight.waiters)) {
      if (!mayServeStale || waiter.isForced) waiter.reject(error);
    }
    if (flight.waiters.size > 0) void this.#fallBack(flight, error);
  }

  /** Gives those who still wait what the cache has now, or the error. One look serves all. */
  async #fallBack(flight: Flight<V>, error: unknown): Promise<void> {
    const found = await this.#current(flight.key);
    for (const waiter of Array.from(flight.waiters)) {
      if (found === undefined) waiter.reject(error);
      else this.#serve(waiter, found);
    }
  }

  /** Ends a load that nobody wants. */
  #giveUp(flight: Flight<V>, reason: unknown): void {
    if (flight.isDone) return;
    if (flight.isLoading) this.#store.count(counterLoadErrors, 1);
    this.#end(flight, { kind: "again" });
    flight.abort(reason);
  }

  /** The one way out of every flight. */
  #end(flight: Flight<V>, end: FlightEnd): void {
    flight.end();
    if (this.#joinable.get(flight.id) === flight) this.#joinable.delete(flight.id);
    if (flight.number !== -1) this.#store.endFlight(flight.number, end);
    if (flight.followed !== -1) {
      this.#store.leaveFlight(flight.followed);
      flight.stopFollowing();
    }
    this.#dropIfOver(flight);
  }

  #dropIfOver(flight: Flight<V>): void {
    if (flight.isDone && flight.waiters.size === 0) this.#live.delete(flight);
  }

  #sample(flight: Flight<V>): void {
    if (flight.startedMs !== undefined) {
      this.#store.sampleLoad((monotonicMs() - flight.startedMs) * 1e6);
    }
  }
}

function timeoutError(key: Key, options: ResolvedFetchOptions): UndercroftError {
  return new UndercroftError(
    "ERR_LOADER_TIMEOUT",
    `Cannot load key ${describe(key)}: the loader took longer than the hard timeout of ${options.hardTimeoutMs} ms; raise timeout.hard, or serve stale values by staleFor`,
  );
}

/** One text for a key as a string and as bytes. Bytes that are no UTF-8 begin with a lone surrogate, as no string may. */
function keyIdOf(key: Key): string {
  if (typeof key === "string") return key;
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return isUtf8(bytes) ? bytes.toString("utf8") : `\ud800${bytes.toString("latin1")}`;
}
