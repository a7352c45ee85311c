// Leading a load: this thread runs the loader of the key, for all threads or for itself, and fills
// the cache. Called by ReadThrough. Invariant: after each await the flight is checked again, since
// it may be done.
import { monotonicMs } from "../base/mod.js";
import {
  counterFillsSuperseded,
  counterFlightsRefused,
  counterFlightTakeovers,
  counterLoads,
} from "../stats/mod.js";
import type { FetchParts, Loader } from "./fetch-parts.js";
import type { Flight } from "./flight.js";
import type { FlightEnd } from "./flight-end.js";
import type { FlightRegistry } from "./flight-registry.js";
import type { Join } from "./join.js";
import type { NegativeAnswers } from "./negative-answers.js";

export class Lead<V> {
  readonly #parts: FetchParts<V>;
  readonly #registry: FlightRegistry<V>;
  readonly #join: Join<V>;
  readonly #negatives: NegativeAnswers;

  constructor(
    parts: FetchParts<V>,
    registry: FlightRegistry<V>,
    join: Join<V>,
    negatives: NegativeAnswers,
  ) {
    this.#parts = parts;
    this.#registry = registry;
    this.#join = join;
    this.#negatives = negatives;
  }

  /** Ends a flight with the loader. `isTakeover`: the thread that led the load before was lost. */
  async run(flight: Flight<V>, loader: Loader<V>, isTakeover: boolean): Promise<void> {
    if (this.#settleFromMemory(flight)) return;
    if (isTakeover) this.#parts.meter.count(counterFlightTakeovers, 1);
    this.#begin(flight);
    const loaded = await this.#load(flight, loader);
    if (loaded !== undefined && !flight.isDone) this.#publish(flight, loaded.value);
  }

  /** Another thread's load may have ended since this thread looked, so it looks again first. */
  #settleFromMemory(flight: Flight<V>): boolean {
    if (flight.options.forceRefresh || flight.number === -1) return false;
    const found = this.#parts.reader.peekAgain(flight.key);
    if (found === undefined || found.stale) return false;
    for (const waiter of flight.waiters) this.#join.count(waiter, true);
    this.#registry.succeed(flight, found.value, { kind: "stored" });
    return true;
  }

  #begin(flight: Flight<V>): void {
    flight.startedMs = monotonicMs();
    this.#parts.meter.count(counterLoads, 1);
    for (const waiter of flight.waiters) if (waiter.isJoined) this.#join.count(waiter, false);
    flight.startHardTimer(() => {
      this.#registry.timeOut(flight);
    });
  }

  /** Runs the loader; undefined if it failed, after failing the flight. */
  async #load(
    flight: Flight<V>,
    loader: Loader<V>,
  ): Promise<{ readonly value: V | undefined } | undefined> {
    try {
      const { key, signal, stale } = flight;
      return { value: await loader({ key: key.toKey(), signal, stale }) };
    } catch (error) {
      this.#registry.fail(flight, error, true);
      return undefined;
    }
  }

  #publish(flight: Flight<V>, loaded: V | undefined): void {
    if (loaded === undefined) {
      this.#rememberNegative(flight);
      return;
    }
    const { key, options, number } = flight;
    const { writer, meter } = this.#parts;
    const filled = writer.fill(key, loaded, options, flight.isReplaced ? -1 : number);
    let end: FlightEnd = { kind: filled.outcome === "stored" ? "stored" : "unstored" };
    if (flight.isReplaced || (number !== -1 && filled.outcome === "superseded")) {
      meter.count(counterFillsSuperseded, 1);
      end = { kind: "again" };
    } else if (number === -1) meter.count(counterFlightsRefused, 1);
    else this.#negatives.forget(key.id);
    this.#registry.succeed(flight, filled.value, end);
  }

  #rememberNegative(flight: Flight<V>): void {
    const { key, options, number } = flight;
    const { negativeTtlMs } = options;
    const isOlder =
      flight.isReplaced ||
      flight.isWrittenOver ||
      (number !== -1 && this.#parts.flights.isSuperseded(number, options.tags));
    if (negativeTtlMs > 0 && !isOlder) this.#negatives.remember(key.id, negativeTtlMs);
    const untilMs = negativeTtlMs > 0 ? this.#parts.clock.now() + negativeTtlMs : 0;
    const end: FlightEnd = isOlder ? { kind: "again" } : { kind: "negative", untilMs };
    this.#registry.succeed(flight, undefined, end);
  }
}
