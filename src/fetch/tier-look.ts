// Looks for the value in the cache, before a loader runs and after another thread's load has ended.
// If it is found, the flight ends here. Called by ReadThrough and Follow.
import type { Clock } from "../base/mod.js";
import type { ResolvedFetchOptions } from "../config/mod.js";
import type { FoundValue } from "../entries/mod.js";
import { counterDiskHits, counterMisses } from "../stats/mod.js";
import type { FetchParts } from "./fetch-parts.js";
import type { Flight } from "./flight.js";
import type { FlightRegistry } from "./flight-registry.js";
import type { RefreshBackoff } from "./refresh-backoff.js";

export class TierLook<V> {
  readonly #parts: FetchParts<V>;
  readonly #registry: FlightRegistry<V>;
  readonly #backoff: RefreshBackoff;

  constructor(parts: FetchParts<V>, registry: FlightRegistry<V>, backoff: RefreshBackoff) {
    this.#parts = parts;
    this.#registry = registry;
    this.#backoff = backoff;
  }

  /** After a lookup in memory that found a disk location: reads it; true if no load is needed.
   *  Counts the request of the fetch that began the flight. */
  async settleFromDisk(flight: Flight<V>): Promise<boolean> {
    const bytesRead = (): void => {
      flight.hasRead = true;
    };
    const found = await this.#parts.reader.readDisk(flight.key, bytesRead);
    const starter = Array.from(flight.waiters).find(({ isJoined }) => !isJoined);
    const isOver = this.#settleBy(flight, found, false);
    const isMiss = starter !== undefined && (!starter.isGiven || starter.hasRefused);
    const isHit = found?.stale === false && !isMiss;
    this.#parts.meter.count(isHit ? counterDiskHits : counterMisses, 1);
    return isOver;
  }

  /** Looks everywhere once more; counts nothing. `isLoaded`: another thread's load has just stored
   *  its value. True if no load is needed. */
  async settleAgain(flight: Flight<V>, isLoaded: boolean): Promise<boolean> {
    const bytesRead = (): void => {
      flight.hasRead = true;
    };
    const found = await this.#parts.reader.readAgain(flight.key, bytesRead);
    return this.#settleBy(flight, found, isLoaded);
  }

  #settleBy(flight: Flight<V>, found: FoundValue<V> | undefined, isLoaded: boolean): boolean {
    if (flight.isDone) return true;
    if (found === undefined) {
      flight.hasRead = false;
      return false;
    }
    const backsOff = (): boolean => this.#backoff.holds(flight.key, found.sequence);
    if (!flight.isFor(found)) {
      if (isLoaded || !isDue(found, flight.options, this.#parts.clock) || backsOff()) {
        if (this.#registry.settle(flight, found, isLoaded)) return true;
      } else {
        // Refused or not, it is to be loaded anew.
        flight.replaces = found.sequence;
        this.#registry.serveAndLoad(flight, found);
      }
      flight.hasMetStale = true;
    } else if (backsOff()) {
      if (this.#registry.serveStale(flight, found)) return true;
    } else {
      this.#registry.serveAtOnce(flight, found);
    }
    flight.hasRead = false;
    const isWanted = flight.isBackground || flight.waiters.size > 0;
    // `isValid` threw, which its fetch was told.
    if (!isWanted) this.#registry.giveUp(flight, new Error("no fetch waits for the load"));
    return flight.isDone;
  }
}

/** Whether a fresh value is older than the fetch's `refreshAfter`. */
export function isDue(
  { createdAt }: { readonly createdAt: number },
  { refreshAfterMs }: ResolvedFetchOptions,
  clock: Clock,
): boolean {
  return refreshAfterMs !== Infinity && clock.now() - createdAt >= refreshAfterMs;
}
