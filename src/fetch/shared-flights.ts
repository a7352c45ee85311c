// The loads of all threads as one thread sees them: who runs the loader of a key, who waits for that, and what came of it.
// Called by FillAdapter, for ReadThrough. Invariants: nobody waits longer than a turn without looking at the lease, and
// nothing of a flight is read after this thread has left it.
import { randomFillSync } from "node:crypto";
import { monotonicMs } from "../base/mod.js";
import type { ThreadCore } from "../entries/mod.js";
import { codes, type HashedKey, waitForChange } from "../kernel/mod.js";
import { chunkKey, type LargeValue } from "../memory/mod.js";
import { encodeTags, flagChunk } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import type { FlightBoard } from "./fetch-parts.js";
import type { FlightEnd, FlightRole } from "./flight-end.js";
import { decodeError, encodeError } from "./flight-error.js";

/** How long the thread that loads may be silent before another takes the load over. It renews this three times in that
 *  time, so only a thread whose event loop stands still for longer loses it; one that died is found at once. */
export const flightLeaseMs = 5000;
/** With `timeout.hard` the lease is half of that, so that who takes over has the other half; but no shorter than this. */
export const flightLeaseMsMin = 100;
/** The longest wait for another thread without a look at its lease and at whether the cache is open. */
export const followPollMs = 500;
/** How long a loader's error stays in memory for threads that have not read it. */
export const errorLifeMs = 10_000;

const errorIdBytes = 8;
const noTags = new Uint8Array(0);

export class SharedFlights implements FlightBoard {
  readonly #core: ThreadCore;
  /** The flights that this thread leads, and the milliseconds of their leases. */
  readonly #led = new Map<number, number>();
  #renewal: NodeJS.Timeout | undefined;
  #renewalDueMs = Infinity;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  /** Leads the load of a key, or waits for the thread that does, or neither, if there is no flight for it. */
  enter(key: HashedKey, forced: boolean, hardTimeoutMs: number): FlightRole {
    if (!key.isHashed) return this.#unheld(counter.counterFlightsFull);
    const { verbs } = this.#core.kernel;
    const leaseMs = Math.min(flightLeaseMs, Math.max(flightLeaseMsMin, hardTimeoutMs / 2));
    const until = monotonicMs() + leaseMs;
    const answer = verbs.enterFlight(key.hashLow, key.hashHigh, forced ? 1 : 0, until);
    if (answer >= 0) {
      this.#led.set(answer, leaseMs);
      this.#renewWithin(leaseMs / 3);
      return { role: "lead", flight: answer };
    }
    if (answer <= codes.answerFollow)
      return { role: "follow", flight: codes.answerFollow - answer };
    if (answer === codes.answerTwice) return this.#unshared(key, counter.counterFlightsTwice);
    if (answer === codes.answerBusy) return this.#unshared(key, counter.counterFlightsBusy);
    return this.#unheld(counter.counterFlightsFull);
  }

  /** A load of this thread alone, which others supersede but do not join. */
  enterUnshared(key: HashedKey): FlightRole {
    return this.#unshared(key, counter.counterFlightsUnstored);
  }

  #unshared(key: HashedKey, reason: number): FlightRole {
    const { kernel } = this.#core;
    kernel.count(reason, 1);
    const flight = key.isHashed ? kernel.verbs.beginFlight(key.hashLow, key.hashHigh) : -1;
    return { role: "unshared", flight };
  }

  /** A load without a flight: nothing can supersede it, so its value is not published. */
  #unheld(reason: number): FlightRole {
    this.#core.kernel.count(reason, 1);
    return { role: "unshared", flight: -1 };
  }

  #renewWithin(ms: number): void {
    const dueMs = monotonicMs() + ms;
    if (dueMs >= this.#renewalDueMs) return;
    clearTimeout(this.#renewal);
    this.#renewalDueMs = dueMs;
    this.#renewal = setTimeout(() => this.#renew(), ms).unref();
  }

  /** Shows that the event loop of this thread turns. */
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

  /** Ends a flight of this thread, and tells those that wait for it in other threads. */
  end(flight: number, end: FlightEnd): void {
    this.#led.delete(flight);
    // Detaching has ended it, and the place may be another thread's.
    if (this.#core.isDetached) return;
    const [outcome, argument] = this.#outcomeOf(flight, end);
    this.#core.kernel.verbs.endFlight(flight, outcome, argument);
  }

  #outcomeOf(flight: number, end: FlightEnd): readonly [outcome: number, argument: number] {
    switch (end.kind) {
      case "stored":
        return [codes.flightStored, 0];
      case "unstored":
        return [codes.flightUnstored, 0];
      case "negative":
        return [codes.flightNegative, end.untilMs];
      case "failed": {
        // Who begins to wait only now loads for itself, as who finds no room for the error does.
        const id = this.hasFollowers(flight) ? this.#writeError(end.error) : 0;
        if (id === 0) return [codes.flightAgain, 0];
        return [end.mayServeStale ? codes.flightFailed : codes.flightRefused, id];
      }
      case "again":
      case "lost":
        return [codes.flightAgain, 0];
    }
  }

  /** Whether the key was written, deleted or cleared, or one of the tags invalidated, since the flight began, or another
   *  thread has taken it over. */
  isSuperseded(flight: number, tags: readonly string[]): boolean {
    const { kernel } = this.#core;
    const { flights, control } = kernel;
    if (flights.state(flight) !== codes.flightActive) return true;
    const sequence = flights.sequence(flight);
    if (sequence < control.clearEpoch()) return true;
    return tags.length > 0 && kernel.areTagsInvalidated(encodeTags(tags), sequence + 1);
  }

  /** Whether what came of a flight that this thread waits for is known. */
  isOver(flight: number): boolean {
    return this.#core.kernel.flights.state(flight) === codes.flightDone;
  }

  /** Whether another thread waits for a flight of this one. */
  hasFollowers(flight: number): boolean {
    return this.#core.kernel.flights.hasFollowers(flight);
  }

  /** Resolves when nobody in other threads waits for a flight any more, or `stays` says no. */
  async untilUnfollowed(flight: number, stays: () => boolean): Promise<void> {
    const { flights } = this.#core.kernel;
    while (stays()) {
      const signal = flights.signal(flight);
      if (!this.hasFollowers(flight)) return;
      await waitForChange(flights.signalWord(flight), signal, followPollMs);
    }
  }

  /** Waits for a flight of another thread, while `stays` says so. Rejects with ERR_CACHE_CLOSED. */
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

  /** This thread waits no longer. */
  leave(flight: number): void {
    if (this.#core.isDetached) return;
    const isOver = this.isOver(flight);
    const { flights } = this.#core.kernel;
    const outcome = isOver ? flights.outcome(flight) : codes.flightAgain;
    const id = flights.argument(flight);
    const wasLast = this.#core.kernel.verbs.leaveFlight(flight) === 1;
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
        return { kind: "negative", untilMs: argument };
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

  // ── Errors: each a record of a short life, under an internal key as a chunk has, named by a number. ───────────────

  /** Answers the error's id, 0 if there was no room for it. */
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

  /** Undefined if it has left memory. */
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

/** A random number that is not 0; as with chunks, two never meet. */
function newErrorId(): number {
  return randomFillSync(Buffer.alloc(errorIdBytes)).readUIntLE(0, 6) + 1;
}

function errorKey(id: number): Uint8Array {
  const bytes = Buffer.alloc(errorIdBytes);
  bytes.writeDoubleLE(id, 0);
  const large: LargeValue = { bytes: 0, chunkBytes: 1, id: bytes };
  return chunkKey(large, 0);
}
