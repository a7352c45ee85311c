// The course of one load, from later tiers by the loader, or by the thread that runs it, to the fill. Called by ReadThrough,
// which owns the flights and ends them. Invariant: one loader runs for a key over all threads, unless there is no place to
// meet; and after each await the flight is looked at again, as it may be done.
import { monotonicMs } from "../base/mod.js";
import type { ResolvedFetchOptions } from "../config/mod.js";
import {
  counterFillsSuperseded,
  counterFlightsRefused,
  counterFlightTakeovers,
  counterLoads,
  counterLoadsCoalesced,
  counterLoadsCoalescedAcross,
} from "../stats/mod.js";
import type { FillStore, FlightEnd, FoundValue, Loader } from "./fill-store.js";
import type { Flight, Waiter } from "./flight.js";
import type { NegativeAnswers } from "./negative-answers.js";

/** How often a load waits for another thread's in turn, when what it waited for was no answer; then it runs alone. */
export const followsMax = 4;

/** How a course ends its flight. */
export interface CourseEnds<V> {
  succeed(flight: Flight<V>, value: V | undefined, end: FlightEnd): void;
  fail(flight: Flight<V>, error: unknown, mayServeStale: boolean): void;
  /** Ends with the timeout of the flight's own options. */
  timeOut(flight: Flight<V>): void;
  /** Ends one wait at the timeout of the fetch that began the flight. */
  timeOutWaiter(flight: Flight<V>, waiter: Waiter<V>, options: ResolvedFetchOptions): void;
  /** Gives a waiter a value that was met on the way. */
  serve(waiter: Waiter<V>, found: FoundValue<V>): void;
}

export class LoadCourse<V> {
  readonly #store: FillStore<V>;
  readonly #negatives: NegativeAnswers;
  readonly #ends: CourseEnds<V>;

  constructor(store: FillStore<V>, negatives: NegativeAnswers, ends: CourseEnds<V>) {
    this.#store = store;
    this.#negatives = negatives;
    this.#ends = ends;
  }

  /** Brings a flight to its end. Never rejects. */
  async run(flight: Flight<V>, loader: Loader<V>, stale: V | undefined): Promise<void> {
    try {
      flight.stale = stale;
      if (stale === undefined && !flight.options.forceRefresh) {
        if (await this.#settleFromTiers(flight, false)) return;
      }
      let follows = 0;
      let isLost = false;
      while (this.#enter(flight, follows) === "follow") {
        const end = await this.#follow(flight);
        if (flight.isDone) return;
        isLost = end.kind === "lost";
        follows = end.kind === "unstored" ? followsMax : follows + 1;
      }
      if (this.#settleFromMemory(flight)) return;
      if (isLost) this.#store.count(counterFlightTakeovers, 1);
      this.#beginLoad(flight);
      const loaded = await this.#load(flight, loader);
      if (loaded !== undefined && !flight.isDone) this.#publish(flight, loaded.value);
    } catch (error) {
      // The tiers failed (the cache was closed), or the codec refused the value: no stale value makes that good.
      this.#ends.fail(flight, error, false);
    }
  }

  /** Looks in the tiers and answers by what they have, if that does; true if no load is needed. */
  async #settleFromTiers(flight: Flight<V>, quiet: boolean): Promise<boolean> {
    const found = await this.#store.read(flight.key, quiet, () => {
      flight.hasRead = true;
    });
    if (flight.isDone || this.#settleWithout(flight, found)) return true;
    flight.hasRead = false;
    return false;
  }

  /** Answers by what the later tiers have, if that does; true if no load is needed. */
  #settleWithout(flight: Flight<V>, found: FoundValue<V> | undefined): boolean {
    if (found !== undefined && !found.stale) {
      this.#ends.succeed(flight, found.value, { kind: "stored" });
      return true;
    }
    if (this.#negatives.has(flight.id)) {
      this.#ends.succeed(flight, undefined, { kind: "again" });
      return true;
    }
    if (found === undefined) return false;
    flight.stale = found.value;
    for (const waiter of Array.from(flight.waiters)) {
      if (waiter.takesStaleAtOnce) {
        flight.isBackground = true;
        this.#ends.serve(waiter, found);
      }
    }
    return false;
  }

  /** Before its loader runs: another thread's load may have ended since this one looked. */
  #settleFromMemory(flight: Flight<V>): boolean {
    if (flight.options.forceRefresh || flight.number === -1) return false;
    const found = this.#store.peek(flight.key, true);
    if (found === undefined || found.stale) return false;
    this.#countCoalesced(flight);
    this.#ends.succeed(flight, found.value, { kind: "stored" });
    return true;
  }

  // ── Other threads ───────────────────────────────────────────────────────────────────────────────────────────────

  #enter(flight: Flight<V>, follows: number): "lead" | "follow" | "alone" {
    if (flight.isUnshared) return "alone";
    const { key, options } = flight;
    const entrance =
      follows >= followsMax
        ? this.#store.enterApart(key)
        : this.#store.enterFlight(key, options.forceRefresh, options.hardTimeoutMs);
    if (entrance.role === "follow") flight.startFollowing(entrance.flight);
    else flight.number = entrance.flight;
    return entrance.role;
  }

  /** Waits for another thread's load and ends the flight by it, if that answers. */
  async #follow(flight: Flight<V>): Promise<FlightEnd> {
    const { followed, options } = flight;
    this.#countCoalesced(flight);
    for (const waiter of flight.waiters) {
      if (waiter.isJoined || waiter.isTimed) continue;
      waiter.isTimed = true;
      waiter.after(options.hardTimeoutMs, () => {
        this.#ends.timeOutWaiter(flight, waiter, options);
      });
    }
    const end = await this.#store.followFlight(followed, () => flight.followed === followed);
    if (flight.isDone) return end;
    this.#store.leaveFlight(followed);
    flight.stopFollowing();
    if (end.kind === "failed") {
      this.#ends.fail(flight, end.error, end.mayServeStale);
    } else if (end.kind === "nothing") {
      const negativeTtlMs = end.untilMs - this.#store.clock.now();
      if (negativeTtlMs > 0) this.#negatives.remember(flight.id, negativeTtlMs);
      this.#ends.succeed(flight, undefined, end);
    } else if (!options.forceRefresh || end.kind === "stored") {
      // What a forced load waits for must be newer than itself; only the load that it joined is.
      await this.#settleFromTiers(flight, true);
    }
    return end;
  }

  /** Those that wait, wait for the loader of another thread. */
  #countCoalesced(flight: Flight<V>): void {
    for (const waiter of flight.waiters) this.countWaiter(waiter, true);
  }

  /** Counts one that waits for another's loader, once. */
  countWaiter(waiter: Waiter<V>, isAcross: boolean): void {
    if (waiter.isCoalesced) return;
    waiter.isCoalesced = true;
    this.#store.count(counterLoadsCoalesced, 1);
    if (isAcross) this.#store.count(counterLoadsCoalescedAcross, 1);
  }

  // ── Loading ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #beginLoad(flight: Flight<V>): void {
    flight.startedMs = monotonicMs();
    this.#store.count(counterLoads, 1);
    for (const waiter of flight.waiters) if (waiter.isJoined) this.countWaiter(waiter, false);
    flight.startHardTimer(() => {
      this.#ends.timeOut(flight);
    });
  }

  /** Runs the loader; undefined if it failed, which is then told. */
  async #load(
    flight: Flight<V>,
    loader: Loader<V>,
  ): Promise<{ readonly value: V | undefined } | undefined> {
    try {
      const { key, signal, stale } = flight;
      return { value: await loader({ key, signal, stale }) };
    } catch (error) {
      this.#ends.fail(flight, error, true);
      return undefined;
    }
  }

  #publish(flight: Flight<V>, loaded: V | undefined): void {
    const { id, key, options, number } = flight;
    const { ttlMs, staleForMs, tags, negativeTtlMs } = options;
    if (loaded === undefined) {
      const isOlder =
        flight.isReplaced ||
        flight.isFillInvalidated ||
        (number !== -1 && this.#store.isSuperseded?.(number, flight.options.tags) === true);
      if (negativeTtlMs > 0 && !isOlder) this.#negatives.remember(id, negativeTtlMs);
      const untilMs = negativeTtlMs > 0 ? this.#store.clock.now() + negativeTtlMs : 0;
      this.#ends.succeed(
        flight,
        undefined,
        isOlder ? { kind: "again" } : { kind: "nothing", untilMs },
      );
      return;
    }
    const fields = { ttlMs, staleForMs, tags };
    const filled = this.#store.fill(key, loaded, fields, flight.isReplaced ? -1 : number);
    let end: FlightEnd = { kind: filled.outcome === "stored" ? "stored" : "unstored" };
    if (flight.isReplaced || (number !== -1 && filled.outcome === "superseded")) {
      this.#store.count(counterFillsSuperseded, 1);
      end = { kind: "again" };
    } else if (number === -1) this.#store.count(counterFlightsRefused, 1);
    else this.#negatives.forget(id);
    this.#ends.succeed(flight, filled.value, end);
  }
}
