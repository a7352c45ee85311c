// Before a load of what is fresh (`forceRefresh`, `refreshAfter`): waits for other processes that
// load the key, so that one of them does. Called by ReadThrough before the flight is entered: what
// another process stores meanwhile does not supersede it. Invariant: a forced fetch gets another
// process's value only if that load began after the fetch.
import { monotonicMs } from "../../base/mod.js";
import type { FetchParts, FromTier } from "../fetch-parts.js";
import type { Flight, Waiter } from "../flight.js";
import type { FlightRegistry } from "../flight-registry.js";
import type { Join } from "../join.js";
import { othersMsMax } from "../lead.js";

/** To the tiers: nothing was asked before. */
const noMark = -1;
const noSequence = -1;

export class OthersLoads<V> {
  readonly #parts: FetchParts<V>;
  readonly #registry: FlightRegistry<V>;
  readonly #join: Join<V>;

  constructor(parts: FetchParts<V>, registry: FlightRegistry<V>, join: Join<V>) {
    this.#parts = parts;
    this.#registry = registry;
    this.#join = join;
  }

  /** Whether other processes may load what this flight is for, fresh as it is. */
  concern({ options, replaces }: Flight<V>): boolean {
    return this.#parts.tiers !== null && (options.forceRefresh || replaces !== undefined);
  }

  /** Resolves to true when the load may begin, under a lease that ends with the flight, or without
   *  one; to false when the flight is done. */
  async turn(flight: Flight<V>): Promise<boolean> {
    const isForced = flight.options.forceRefresh;
    const release = isForced ? await this.#forced(flight) : await this.#due(flight);
    if (flight.isDone) release?.();
    else flight.release = release;
    return !flight.isDone;
  }

  async #forced(flight: Flight<V>): Promise<(() => void) | undefined> {
    const endMs = monotonicMs() + Math.min(othersMsMax, flight.options.hardTimeoutMs);
    let since = noMark;
    let early: readonly Waiter<V>[] = [];
    this.#join.startTimers(flight);
    for (;;) {
      // Who joins after the first question may be later than the load that is waited for.
      if (since === noMark) early = Array.from(flight.waiters);
      const waitMs = Math.max(0, endMs - monotonicMs());
      const asked = await this.#parts.tiers?.renew(flight.key, since, waitMs);
      if (asked === undefined) return undefined;
      const { found, isOthers, release, mark } = asked;
      const isFound = found !== undefined && !found.stale;
      if (flight.isDone || (isFound && this.#settle(flight, found, early))) return release;
      const isOver = release !== undefined || (!isOthers && !isFound);
      if (isOver || monotonicMs() >= endMs) return release;
      if (isFound) since = noMark;
      else if (since === noMark) since = mark;
    }
  }

  #settle(flight: Flight<V>, found: FromTier<V>, early: readonly Waiter<V>[]): boolean {
    const { value, stale, entry } = found;
    const { createdAt, expiresAt, tags } = entry;
    const told = { value, stale, sequence: noSequence, createdAt, expiresAt, tags };
    const isOver = this.#registry.settle(flight, told, true, early);
    for (const waiter of early) if (waiter.isGiven) this.#join.count(waiter, true);
    return isOver;
  }

  /** A value that is old enough to be loaded anew was served: if another process loads it, nothing
   *  is left to do. */
  async #due(flight: Flight<V>): Promise<(() => void) | undefined> {
    const asked = await this.#parts.tiers?.renew(flight.key, noMark, 0);
    if (asked === undefined) return undefined;
    const { isOthers, release, mark } = asked;
    if (mark === noMark) return undefined; // there is nobody to ask
    if (!flight.isDone && isOthers && flight.waiters.size === 0) {
      this.#registry.giveUp(flight, new Error("another process loads the key"));
    }
    // Another process may have loaded it since it was found: then it is looked for as any key.
    const found = flight.isDone ? undefined : this.#parts.reader.peekAgain(flight.key);
    if (found?.sequence === flight.replaces) return release;
    flight.replaces = undefined;
    release?.();
    return undefined;
  }
}
