// The loads of all threads as one thread sees them: who runs the loader of a key, who waits for that, and what came of it.
// Called by FillAdapter, for ReadThrough. Invariants: nobody waits longer than a turn without looking at the lease, and
// nothing of a flight is read after this thread has left it.
import { randomFillSync } from "node:crypto";
import { monotonicMs } from "../base/mod.js";
import { layout as at } from "../kernel/mod.js";
import { areTagsInvalidated, chunkKey, type LargeValue } from "../memory/mod.js";
import { encodeTags, flagChunk } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import { waitForChange } from "./barrier.js";
import type { Entrance, FlightEnd, Key } from "./fill-store.js";
import { decodeError, encodeError } from "./flight-error.js";
import type { ThreadCore } from "./thread-core.js";

/** How long the thread that loads may be silent before another takes the load over. It renews this three times in that
 *  time, so only a thread whose event loop stands still for longer loses it; one that died is found at once. */
export const flightLeaseMs = 5000;
/** With `timeout.hard` the lease is half of that, so that who takes over has the other half; but no shorter than this. */
export const flightLeaseMsMin = 100;
/** The longest wait for another thread without a look at its lease and at whether the cache is open. */
export const followTurnMs = 500;
/** How long a loader's error stays in memory for threads that have not read it. */
export const errorLifeMs = 10_000;

const errorIdBytes = 8;
const noTags = new Uint8Array(0);

export class SharedFlights {
  readonly #core: ThreadCore;
  readonly #i32: Int32Array;
  /** The flights that this thread leads, and the milliseconds of their leases. */
  readonly #led = new Map<number, number>();
  #renewal: NodeJS.Timeout | undefined;
  #renewalDueMs = Infinity;

  constructor(core: ThreadCore) {
    this.#core = core;
    this.#i32 = core.kernel.views.i32;
  }

  /** Leads the load of a key, or waits for the thread that does, or neither, if there is no place for it. */
  enter(key: Key, forced: boolean, hardTimeoutMs: number): Entrance {
    const { kernel } = this.#core;
    if (!this.#hash(key)) return this.#alone(counter.counterFlightsFull);
    const leaseMs = Math.min(flightLeaseMs, Math.max(flightLeaseMsMin, hardTimeoutMs / 2));
    const answer = kernel.verbs.enterFlight(forced ? 1 : 0, monotonicMs() + leaseMs);
    if (answer >= 0) {
      this.#led.set(answer, leaseMs);
      this.#renewWithin(leaseMs / 3);
      return { role: "lead", flight: answer };
    }
    if (answer <= at.answerFollow) return { role: "follow", flight: at.answerFollow - answer };
    if (answer === at.answerTwice) return this.#apart(key, counter.counterFlightsTwice);
    if (answer === at.answerBusy) return this.#apart(key, counter.counterFlightsBusy);
    return this.#alone(counter.counterFlightsFull);
  }

  /** A load of this thread alone, which others supersede but do not join. */
  enterApart(key: Key): Entrance {
    return this.#apart(key, counter.counterFlightsUnstored);
  }

  #apart(key: Key, reason: number): Entrance {
    this.#core.kernel.count(reason, 1);
    const flight = this.#hash(key) ? this.#core.kernel.verbs.beginFlight() : -1;
    return { role: "alone", flight };
  }

  #alone(reason: number): Entrance {
    this.#core.kernel.count(reason, 1);
    return { role: "alone", flight: -1 };
  }

  #hash(key: Key): boolean {
    const { store, kernel } = this.#core;
    const keyBytes = store.keys.write(key);
    if (keyBytes < 0) return false;
    kernel.verbs.hashKey(store.keys.at, keyBytes);
    return true;
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
        return [at.flightStored, 0];
      case "unstored":
        return [at.flightUnstored, 0];
      case "nothing":
        return [at.flightNegative, end.untilMs];
      case "failed": {
        // Who begins to wait only now loads for itself, as who finds no room for the error does.
        const id = this.hasFollowers(flight) ? this.#writeError(end.error) : 0;
        if (id === 0) return [at.flightAgain, 0];
        return [end.mayServeStale ? at.flightFailed : at.flightRefused, id];
      }
      case "again":
      case "lost":
        return [at.flightAgain, 0];
    }
  }

  /** Whether the key was written, deleted or cleared, or one of the tags invalidated, since the flight began, or another
   *  thread has taken it over. */
  isSuperseded(flight: number, tags: readonly string[]): boolean {
    if (this.#state(flight) !== at.flightActive) return true;
    const word = this.#word(flight, at.flightSequence);
    const { u32 } = this.#core.kernel.views;
    const sequence = (u32[word] as number) + (u32[word + 1] as number) * 2 ** 32;
    const { kernel } = this.#core;
    if (sequence < kernel.clearEpoch()) return true;
    return tags.length > 0 && areTagsInvalidated(kernel, encodeTags(tags), sequence + 1);
  }

  /** Whether what came of a flight that this thread waits for is known. */
  isOver(flight: number): boolean {
    return this.#state(flight) === at.flightDone;
  }

  /** Whether another thread waits for a flight of this one. */
  hasFollowers(flight: number): boolean {
    const low = this.#load(flight, at.flightWaiting);
    return (low | this.#load(flight, at.flightWaiting + 4)) !== 0;
  }

  /** Resolves when nobody in other threads waits for a flight any more, or `stays` says no. */
  async untilUnfollowed(flight: number, stays: () => boolean): Promise<void> {
    while (stays()) {
      const turn = this.#load(flight, at.flightSignal);
      if (!this.hasFollowers(flight)) return;
      await waitForChange(this.#i32, this.#word(flight, at.flightSignal), turn, followTurnMs);
    }
  }

  /** Waits for a flight of another thread, while `stays` says so. Rejects with ERR_CACHE_CLOSED. */
  async follow(flight: number, stays: () => boolean): Promise<FlightEnd> {
    const { kernel } = this.#core;
    while (stays()) {
      const turn = this.#load(flight, at.flightSignal);
      const state = this.#state(flight);
      if (state === at.flightDone) return this.#endOf(flight);
      if (state === at.flightExpired) break;
      this.#core.assertOpen();
      const now = monotonicMs();
      if (kernel.verbs.expireFlight(flight, now) === 1) break;
      const lease = kernel.views.f64[this.#word(flight, at.flightLease) / 2] as number;
      const ms = Math.max(1, Math.min(followTurnMs, lease - now));
      await waitForChange(this.#i32, this.#word(flight, at.flightSignal), turn, ms);
    }
    return { kind: "lost" };
  }

  /** This thread waits no longer. */
  leave(flight: number): void {
    if (this.#core.isDetached) return;
    const isOver = this.isOver(flight);
    const [outcome, id] = isOver ? this.#outcome(flight) : [at.flightAgain, 0];
    const wasLast = this.#core.kernel.verbs.leaveFlight(flight) === 1;
    const hasError = outcome === at.flightFailed || outcome === at.flightRefused;
    if (wasLast && hasError) this.#removeError(id);
  }

  #outcome(flight: number): readonly [outcome: number, argument: number] {
    const { views } = this.#core.kernel;
    const outcome = views.u32[this.#word(flight, at.flightOutcome)] as number;
    return [outcome, views.f64[this.#word(flight, at.flightArgument) / 2] as number];
  }

  #endOf(flight: number): FlightEnd {
    const [outcome, argument] = this.#outcome(flight);
    switch (outcome) {
      case at.flightStored:
        return { kind: "stored" };
      case at.flightUnstored:
        return { kind: "unstored" };
      case at.flightNegative:
        return { kind: "nothing", untilMs: argument };
      case at.flightFailed:
      case at.flightRefused: {
        const read = this.#readError(argument);
        if (read === undefined) return { kind: "again" };
        return { kind: "failed", error: read.error, mayServeStale: outcome === at.flightFailed };
      }
      case at.flightLost:
        return { kind: "lost" };
      default:
        return { kind: "again" };
    }
  }

  #word(flight: number, offset: number): number {
    return (at.flightTable + flight * at.flightSize + offset) / 4;
  }

  #state(flight: number): number {
    return this.#load(flight, at.flightState) & at.flightStateMask;
  }

  #load(flight: number, offset: number): number {
    return Atomics.load(this.#i32, this.#word(flight, offset));
  }

  // ── Errors: each a record of a short life, under an internal key as a chunk has, named by a number. ───────────────

  /** Answers the error's id, 0 if there was no room for it. */
  #writeError(error: unknown): number {
    const { store, clock } = this.#core;
    const { codecId, bytes } = encodeError(error);
    const id = newErrorId();
    const createdMs = Math.floor(clock.now());
    const expiresMs = createdMs + errorLifeMs;
    const name = errorKey(id);
    const outcome = store.write(name, store.keys.write(name), bytes, {
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
    const { store } = this.#core;
    if (store.find(store.keys.write(errorKey(id)), false) !== "memory") return undefined;
    const { buffer, codecId, valueStart, valueEnd } = store.record;
    return { error: decodeError(codecId, buffer, valueStart, valueEnd) };
  }

  #removeError(id: number): void {
    const { store } = this.#core;
    store.remove(store.keys.write(errorKey(id)));
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
