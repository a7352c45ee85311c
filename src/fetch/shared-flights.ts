// The flight table of all threads as one thread uses it: who leads the load of a key, who follows,
// and how it ended. Called by ReadThrough and its phases. Invariants: a follower looks at the lease
// at least every followPollMs, and reads nothing of a flight after it has left it.
import { randomFillSync } from "node:crypto";
import { clearTimeout, monotonicMs, setTimeout } from "../base/mod.js";
import type { ThreadCore } from "../entries/mod.js";
import { codes, type HashedKey, waitForChange } from "../kernel/mod.js";
import { internalKey } from "../memory/mod.js";
import { flagChunk } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import type { FlightBoard } from "./fetch-parts.js";
import type { FlightEnd, FlightRole } from "./flight-end.js";
import { decodeError, encodeError } from "./flight-error.js";

/** How long a leader may be silent before a follower takes the load over. The leader renews its
 *  lease three times in that time, so only a thread whose event loop stalls for longer loses it; a
 *  dead thread's flights end when it is recovered. */
export const flightLeaseMs = 5000;
/** With `timeout.hard` the lease is half of it, so that a takeover has the other half; this is the
 *  least. */
export const flightLeaseMsMin = 100;
/** The longest a follower waits before it checks the lease and whether the cache is open. */
export const followPollMs = 500;
/** How long a loader's error stays in memory for threads that have not read it. */
export const errorLifeMs = 10_000;

const errorIdBytes = 8;
const noTags = new Uint8Array(0);
const guarded: FlightRole = { role: "unshared", flight: -1, isGuarded: true };

export class SharedFlights implements FlightBoard {
  readonly cacheId: string;
  readonly #core: ThreadCore;
  /** The flights that this thread leads, and the durations of their leases in milliseconds. */
  readonly #led = new Map<number, number>();
  #renewal: NodeJS.Timeout | undefined;
  #renewalDueMs = Infinity;

  #freed: (window: number) => void = () => {};

  constructor(core: ThreadCore, cacheId: string) {
    this.#core = core;
    this.cacheId = cacheId;
  }

  get isClosed(): boolean {
    const { isClosed, isDetached, kernel } = this.#core;
    return isClosed || isDetached || !kernel.control.isOpen();
  }

  nameOf(flight: number): string {
    return `${this.cacheId}:${flight}:${this.#core.kernel.flights.generation(flight)}`;
  }

  windowsOf(key: HashedKey): readonly number[] {
    const { verbs } = this.#core.kernel;
    const windowOf = (which: number): number =>
      verbs.flightWindowOf(key.hashLow, key.hashHigh, which);
    return [windowOf(0), windowOf(1)];
  }

  listen(freed: (window: number) => void): void {
    this.#freed = freed;
  }

  /** Leads the load of a key, or follows the thread that does; "full" if no flight is free or this
   *  thread may not claim one. */
  enter(key: HashedKey, forced: boolean, hardTimeoutMs: number, mayClaim: boolean): FlightRole {
    if (!key.isHashed) return this.refuse();
    const leaseMs = Math.min(flightLeaseMs, Math.max(flightLeaseMsMin, hardTimeoutMs / 2));
    const now = monotonicMs();
    this.#renewIfDue(now);
    const until = now + leaseMs;
    const answer = this.#enter(key, forced, mayClaim, until);
    if (answer >= 0) {
      this.#led.set(answer, leaseMs);
      this.#renewWithin(leaseMs / 3);
      return { role: "lead", flight: answer };
    }
    if (answer <= codes.answerFollow)
      return { role: "follow", flight: codes.answerFollow - answer };
    if (answer === codes.answerGuarded) return guarded;
    if (answer === codes.answerTwice) return this.#unshared(key, counter.counterFlightsTwice);
    if (answer === codes.answerBusy) return this.#unshared(key, counter.counterFlightsBusy);
    return { role: "full", flight: -1 };
  }

  #enter(key: HashedKey, forced: boolean, mayClaim: boolean, until: number): number {
    const { kernel, keys } = this.#core;
    const { hashLow, hashHigh } = key;
    const [force, claim] = [forced ? 1 : 0, mayClaim ? 1 : 0];
    return kernel.verbs.enterFlight(hashLow, hashHigh, force, claim, until, keys.space);
  }

  /** Begins a load for this thread alone: writes supersede it, but nobody joins it. */
  enterUnshared(key: HashedKey): FlightRole {
    return this.#unshared(key, counter.counterFlightsUnstored);
  }

  #unshared(key: HashedKey, reason: number): FlightRole {
    const { kernel, keys } = this.#core;
    kernel.count(reason, 1);
    if (!key.isHashed) return { role: "unshared", flight: -1 };
    const answer = kernel.verbs.beginFlight(key.hashLow, key.hashHigh, keys.space);
    if (answer === codes.answerGuarded) return guarded;
    return { role: "unshared", flight: answer };
  }

  guard(key: HashedKey): number {
    this.#core.assertOpen();
    const { writer, through } = this.#core;
    const begin = (hashed: HashedKey): number => writer.beginGuard(hashed);
    return through === null ? begin(key) : through.remove(key, begin);
  }

  /** A load without a flight: nothing can supersede it, so its value is not published. */
  refuse(): FlightRole {
    this.#core.kernel.count(counter.counterFlightsFull, 1);
    return { role: "unshared", flight: -1 };
  }

  #renewWithin(ms: number): void {
    const dueMs = monotonicMs() + ms;
    if (dueMs >= this.#renewalDueMs) return;
    clearTimeout(this.#renewal);
    this.#renewalDueMs = dueMs;
    this.#renewal = setTimeout(() => this.#renew(), ms).unref();
  }

  /** For a thread that begins or ends so many loads that its timers come late. */
  #renewIfDue(now: number): void {
    if (now >= this.#renewalDueMs) this.#renew();
  }

  /** Renews the leases: this shows that the thread's event loop is running. */
  #renew(): void {
    this.#renewalDueMs = Infinity;
    if (this.#core.isDetached) return;
    const now = monotonicMs();
    let shortest = Infinity;
    for (const [flight, leaseMs] of this.#led) {
      this.#core.kernel.verbs.renewFlight(flight, now + leaseMs);
      shortest = Math.min(shortest, leaseMs);
    }
    if (this.#led.size > 0) this.#renewWithin(shortest / 3);
  }

  /** Ends a flight of this thread, and tells the followers in other threads. */
  end(flight: number, end: FlightEnd): void {
    this.#led.delete(flight);
    // Detaching has ended it, and its entry may be another thread's by now.
    if (this.#core.isDetached) return;
    this.#renewIfDue(monotonicMs());
    const [outcome, argument] = this.#outcomeOf(flight, end);
    const { verbs, flights } = this.#core.kernel;
    verbs.endFlight(flight, outcome, argument);
    this.#freed(flights.windowOf(flight));
  }

  #outcomeOf(flight: number, end: FlightEnd): readonly [outcome: number, argument: number] {
    switch (end.kind) {
      case "stored":
        return [codes.flightStored, 0];
      case "unstored":
        return [codes.flightUnstored, 0];
      case "negative":
        return [codes.flightNegative, 0];
      case "failed": {
        // A thread that begins to follow only now loads for itself, as when the error finds no
        // room.
        const id = this.hasFollowers(flight) ? this.#writeError(end.error) : 0;
        if (id === 0) return [codes.flightAgain, 0];
        return [end.mayServeStale ? codes.flightFailed : codes.flightRefused, id];
      }
      case "again":
      case "lost":
        return [codes.flightAgain, 0];
    }
  }

  /** Whether the flight was superseded (by a write, delete or clear, or a tag's invalidation) or
   *  another thread has taken it over. */
  isSuperseded(flight: number, tags: readonly string[]): boolean {
    const { kernel } = this.#core;
    const { flights } = kernel;
    const sequence = flights.sequence(flight);
    const isVoid =
      tags.length > 0 && kernel.tags.areInvalidated(kernel.tags.encode(tags), sequence + 1);
    // After the tags: while the flight is active, no tag is forgotten that voids it.
    if (flights.state(flight) !== codes.flightActive) return true;
    return isVoid || sequence < kernel.control.clearEpochOf(this.#core.keys.space);
  }

  /** Whether the outcome of a flight that this thread follows is known. */
  isOver(flight: number): boolean {
    return this.#core.kernel.flights.state(flight) === codes.flightDone;
  }

  /** Whether another thread waits for this thread's flight. */
  hasFollowers(flight: number): boolean {
    return this.#core.kernel.flights.hasFollowers(flight);
  }

  /** Resolves when no other thread waits for a flight any more, or when `stays` is false. */
  async untilUnfollowed(flight: number, stays: () => boolean): Promise<void> {
    const { flights } = this.#core.kernel;
    while (stays()) {
      const signal = flights.signal(flight);
      if (!this.hasFollowers(flight)) return;
      await waitForChange(flights.signalWord(flight), signal, followPollMs);
    }
  }

  /** Waits for another thread's flight while `stays` is true. Rejects with ERR_CACHE_CLOSED. */
  async follow(flight: number, stays: () => boolean): Promise<FlightEnd> {
    const { flights, verbs } = this.#core.kernel;
    while (stays()) {
      const signal = flights.signal(flight);
      const state = flights.state(flight);
      if (state === codes.flightDone) return this.#endOf(flight);
      if (state === codes.flightExpired) break;
      this.#core.assertOpen();
      const now = monotonicMs();
      if (verbs.expireFlight(flight, now) === 1) break;
      const ms = Math.max(1, Math.min(followPollMs, flights.lease(flight) - now));
      await waitForChange(flights.signalWord(flight), signal, ms);
    }
    return { kind: "lost" };
  }

  /** Stops following a flight. The last follower to leave removes the error's record. */
  leave(flight: number): void {
    if (this.#core.isDetached) return;
    const isOver = this.isOver(flight);
    const { flights } = this.#core.kernel;
    const outcome = isOver ? flights.outcome(flight) : codes.flightAgain;
    const id = flights.argument(flight);
    const wasLast = this.#core.kernel.verbs.leaveFlight(flight) === 1;
    if (wasLast) this.#freed(flights.windowOf(flight));
    const hasError = outcome === codes.flightFailed || outcome === codes.flightRefused;
    if (wasLast && hasError) this.#removeError(id);
  }

  #endOf(flight: number): FlightEnd {
    const { flights } = this.#core.kernel;
    const outcome = flights.outcome(flight);
    const argument = flights.argument(flight);
    switch (outcome) {
      case codes.flightStored:
        return { kind: "stored" };
      case codes.flightUnstored:
        return { kind: "unstored" };
      case codes.flightNegative:
        return { kind: "negative" };
      case codes.flightFailed:
      case codes.flightRefused: {
        const read = this.#readError(argument);
        if (read === undefined) return { kind: "again" };
        return { kind: "failed", error: read.error, mayServeStale: outcome === codes.flightFailed };
      }
      case codes.flightLost:
        return { kind: "lost" };
      default:
        return { kind: "again" };
    }
  }

  // ── Errors: short-lived internal records, each named by an id ───────────────────────────────

  /** Stores an error and answers its id, 0 if there was no room for it. */
  #writeError(error: unknown): number {
    const { writer, clock } = this.#core;
    const { codecId, bytes } = encodeError(error);
    const id = newErrorId();
    const createdMs = Math.floor(clock.now());
    const expiresMs = createdMs + errorLifeMs;
    const outcome = writer.write(errorKey(id), bytes, {
      codecId,
      flags: flagChunk,
      createdMs,
      expiresMs,
      staleUntilMs: expiresMs,
      tags: noTags,
      flight: -1,
      forDisk: false,
    });
    return outcome === "stored" ? id : 0;
  }

  /** Undefined if the error's record has left memory. */
  #readError(id: number): { readonly error: unknown } | undefined {
    const { reader } = this.#core;
    if (reader.find(errorKey(id), false) !== "memory") return undefined;
    const { buffer, codecId, valueStart, valueEnd } = reader.record;
    return { error: decodeError(codecId, buffer, valueStart, valueEnd) };
  }

  #removeError(id: number): void {
    this.#core.writer.remove(errorKey(id));
  }
}

/** A random 48-bit number that is not 0, so two never collide in practice. */
function newErrorId(): number {
  return randomFillSync(Buffer.alloc(errorIdBytes)).readUIntLE(0, 6) + 1;
}

function errorKey(id: number): Uint8Array {
  const bytes = Buffer.alloc(errorIdBytes);
  bytes.writeDoubleLE(id, 0);
  return internalKey(bytes, 0);
}
