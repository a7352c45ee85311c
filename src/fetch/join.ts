// Joining a load: one caller of `fetch` waits for the flight of its key, with its own signal and
// time limits, and may leave it. Called by ReadThrough, and by Lead and Follow to count waiters.
// Invariant: when the last waiter in any thread has left, the load ends.
import { watchAbort } from "../base/mod.js";
import type { ResolvedFetchOptions } from "../config/mod.js";
import { counterLoadsCoalesced, counterLoadsCoalescedAcross } from "../stats/mod.js";
import type { FetchParts } from "./fetch-parts.js";
import { type Flight, Waiter } from "./flight.js";
import { type FlightRegistry, timeoutError } from "./flight-registry.js";
import type { Validity } from "./validity.js";

export class Join<V> {
  readonly #parts: FetchParts<V>;
  readonly #registry: FlightRegistry<V>;

  constructor(parts: FetchParts<V>, registry: FlightRegistry<V>) {
    this.#parts = parts;
    this.#registry = registry;
  }

  /** Adds a waiter to a flight: one that it has just begun, or one under way, with what it does if
   *  the load turns out too old for it. */
  add(
    flight: Flight<V>,
    options: ResolvedFetchOptions,
    validity: Validity<V> | undefined,
    retry: (() => Promise<V | undefined>) | undefined,
  ): Waiter<V> {
    const isJoined = retry !== undefined;
    const waiter = new Waiter<V>(options, validity, retry);
    flight.add(waiter);
    waiter.atEnd(() => {
      this.#registry.dropIfOver(flight);
    });
    const { signal } = options;
    if (signal !== undefined) {
      waiter.atEnd(watchAbort(signal, () => this.leave(flight, waiter, signal.reason)));
    }
    if (!waiter.isForced) {
      waiter.after(options.softTimeoutMs, () => void this.#registry.serveCurrent(flight, waiter));
    }
    if (isJoined) this.#joined(flight, waiter, options);
    return waiter;
  }

  #joined(flight: Flight<V>, waiter: Waiter<V>, options: ResolvedFetchOptions): void {
    if (flight.isLoading || flight.followed !== -1) this.count(waiter, flight.followed !== -1);
    waiter.after(options.hardTimeoutMs, () => void this.timeOut(flight, waiter, options));
    // The flight found a stale value on disk, where this fetch has not looked.
    if (flight.hasMetStale && waiter.takesStaleAtOnce) {
      void this.#registry.serveCurrent(flight, waiter);
    }
  }

  /** The flight now waits for another load: starts the hard timeouts of the waiters that began
   *  it. */
  startTimers(flight: Flight<V>): void {
    const { options } = flight;
    flight.looked?.();
    for (const waiter of flight.waiters) {
      if (waiter.isJoined || waiter.isTimed) continue;
      waiter.isTimed = true;
      waiter.after(options.hardTimeoutMs, () => void this.timeOut(flight, waiter, options));
    }
  }

  /** Ends the wait of a caller whose own hard timeout ran out before the flight's. */
  async timeOut(
    flight: Flight<V>,
    waiter: Waiter<V>,
    options: ResolvedFetchOptions,
  ): Promise<void> {
    if (!waiter.isForced) await this.#registry.serveCurrent(flight, waiter);
    if (!waiter.isSettled) this.leave(flight, waiter, timeoutError(flight, options));
  }

  /** Ends one wait. The last waiter to leave ends the load. */
  leave(flight: Flight<V>, waiter: Waiter<V>, reason: unknown): void {
    waiter.reject(reason);
    if (flight.waiters.size > 0 || flight.isBackground) return;
    if (flight.number !== -1 && this.#parts.flights.hasFollowers(flight.number)) {
      void this.#loadForOthers(flight, reason);
    } else {
      this.#registry.giveUp(flight, reason);
    }
  }

  /** Without waiters in this thread: ends the load once no other thread waits either. */
  async #loadForOthers(flight: Flight<V>, reason: unknown): Promise<void> {
    const isForOthers = (): boolean =>
      !flight.isDone && flight.waiters.size === 0 && !flight.isBackground;
    await this.#parts.flights.untilUnfollowed(flight.number, isForOthers);
    if (isForOthers()) this.#registry.giveUp(flight, reason);
  }

  /** Counts a waiter for another caller's loader, once. */
  count(waiter: Waiter<V>, isAcross: boolean): void {
    if (waiter.isCoalesced) return;
    waiter.isCoalesced = true;
    this.#parts.meter.count(counterLoadsCoalesced, 1);
    if (isAcross) this.#parts.meter.count(counterLoadsCoalescedAcross, 1);
  }
}
