// Following a load: another thread runs the loader of the key, and this one waits for the outcome.
// Called by ReadThrough.
import type { FetchParts } from "./fetch-parts.js";
import type { Flight } from "./flight.js";
import type { FlightEnd } from "./flight-end.js";
import type { FlightRegistry } from "./flight-registry.js";
import type { Join } from "./join.js";
import type { NegativeAnswers } from "./negative-answers.js";
import type { TierLook } from "./tier-look.js";

export class Follow<V> {
  readonly #parts: FetchParts<V>;
  readonly #registry: FlightRegistry<V>;
  readonly #join: Join<V>;
  readonly #negatives: NegativeAnswers;
  readonly #tiers: TierLook<V>;

  constructor(
    parts: FetchParts<V>,
    registry: FlightRegistry<V>,
    join: Join<V>,
    negatives: NegativeAnswers,
    tiers: TierLook<V>,
  ) {
    this.#parts = parts;
    this.#registry = registry;
    this.#join = join;
    this.#negatives = negatives;
    this.#tiers = tiers;
  }

  /** Waits for another thread's load. If that gives an answer, the flight ends with it. */
  async run(flight: Flight<V>): Promise<FlightEnd> {
    const { followed, options } = flight;
    const { flights } = this.#parts;
    for (const waiter of flight.waiters) this.#join.count(waiter, true);
    this.#join.startTimers(flight);
    const end = await flights.follow(followed, () => flight.followed === followed);
    if (flight.isDone) return end;
    flights.leave(followed);
    flight.stopFollowing();
    if (end.kind === "failed") this.#registry.fail(flight, end.error, end.mayServeStale);
    else if (end.kind === "negative") this.#takeNegative(flight, end);
    // A forced load needs a value newer than its own start; only the load that it joined gives one.
    else if (!options.forceRefresh || end.kind === "stored") await this.#tiers.settleAgain(flight);
    return end;
  }

  #takeNegative(flight: Flight<V>, end: FlightEnd & { readonly kind: "negative" }): void {
    const negativeTtlMs = end.untilMs - this.#parts.clock.now();
    if (negativeTtlMs > 0) this.#negatives.remember(flight.key.id, negativeTtlMs);
    this.#registry.succeed(flight, undefined, end);
  }
}
