// Looks for the value in the cache, before a loader runs and after another thread's load has ended.
// If it is found, the flight ends here. Called by ReadThrough and Follow.
import type { FoundValue } from "../entries/mod.js";
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

  /** After a lookup in memory that found a disk location: reads it; true if no load is needed. */
  async settleFromDisk(flight: Flight<V>): Promise<boolean> {
    const bytesRead = (): void => {
      flight.hasRead = true;
    };
    const found = await this.#parts.reader.readDisk(flight.key, bytesRead);
    return this.#settleBy(flight, found);
  }

  /** Looks everywhere once more; counts nothing. True if no load is needed. */
  async settleAgain(flight: Flight<V>): Promise<boolean> {
    const bytesRead = (): void => {
      flight.hasRead = true;
    };
    const found = await this.#parts.reader.readAgain(flight.key, bytesRead);
    return this.#settleBy(flight, found);
  }

  #settleBy(flight: Flight<V>, found: FoundValue<V> | undefined): boolean {
    if (flight.isDone) return true;
    if (found !== undefined && !found.stale) {
      this.#registry.succeed(flight, found.value, { kind: "stored" });
      return true;
    }
    flight.hasRead = false;
    if (found === undefined) return false;
    if (this.#backoff.holds(flight.key, found.sequence)) {
      this.#registry.serveStale(flight, found);
      return true;
    }
    this.#registry.serveAtOnce(flight, found);
    return false;
  }
}
