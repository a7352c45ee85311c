// Looks for the value in the cache, before a loader runs and after another thread's load has ended.
// If it is found, the flight ends here. Called by ReadThrough and Follow.
import type { FoundValue } from "../entries/mod.js";
import { counterMisses } from "../stats/mod.js";
import type { FetchParts } from "./fetch-parts.js";
import type { Flight } from "./flight.js";
import type { FlightRegistry } from "./flight-registry.js";
import type { NegativeAnswers } from "./negative-answers.js";

export class TierLook<V> {
  readonly #parts: FetchParts<V>;
  readonly #registry: FlightRegistry<V>;
  readonly #negatives: NegativeAnswers;

  constructor(parts: FetchParts<V>, registry: FlightRegistry<V>, negatives: NegativeAnswers) {
    this.#parts = parts;
    this.#registry = registry;
    this.#negatives = negatives;
  }

  /** After a lookup in memory that found no entry anywhere: true if a negative answer is
   *  remembered. */
  settleAbsent(flight: Flight<V>): boolean {
    this.#parts.meter.count(counterMisses, 1);
    return this.#settleBy(flight, undefined);
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
    if (this.#negatives.has(flight.key.id)) {
      this.#registry.succeed(flight, undefined, { kind: "again" });
      return true;
    }
    flight.hasRead = false;
    if (found === undefined) return false;
    flight.stale = found.value;
    for (const waiter of Array.from(flight.waiters)) {
      if (!waiter.takesStaleAtOnce) continue;
      flight.isBackground = true;
      this.#registry.serve(waiter, found);
    }
    return false;
  }
}
