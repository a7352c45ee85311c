// Following a load: another thread runs the loader of the key, and this one waits for the outcome.
// Called by ReadThrough.
import type { FetchParts } from "./fetch-parts.js";
import type { Flight } from "./flight.js";
import type { FlightEnd } from "./flight-end.js";
import type { FlightRegistry } from "./flight-registry.js";
import type { Join } from "./join.js";
import type { TierLook } from "./tier-look.js";

export class Follow<V> {
  readonly #parts: FetchParts<V>;
  readonly #registry: FlightRegistry<V>;
  readonly #join: Join<V>;
  readonly #tiers: TierLook<V>;

  constructor(
    parts: FetchParts<V>,
    registry: FlightRegistry<V>,
    join: Join<V>,
    tiers: TierLook<V>,
  ) {
    this.#parts = parts;
    this.#registry = registry;
    this.#join = join;
    this.#tiers = tiers;
  }

  /** Waits for another thread's load. If that gives an answer, the flight ends with it. */
  async run(flight: Flight<V>): Promise<FlightEnd> {
    const { followed } = flight;
    const { flights } = this.#parts;
    for (const waiter of flight.waiters) this.#join.count(waiter, true);
    this.#join.startTimers(flight);
    const end = await flights.follow(followed, () => flight.followed === followed);
    if (flight.isDone) return end;
    flights.leave(followed);
    flight.stopFollowing();
    if (end.kind === "failed") this.#registry.fail(flight, end.error, end.mayServeStale);
    else if (end.kind === "negative") this.#registry.succeed(flight, undefined, end);
    else await this.#tiers.settleAgain(flight, end.kind === "stored");
    return end;
  }
}
