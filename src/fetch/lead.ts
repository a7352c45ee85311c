// Leading a load: this thread runs the loader of the key, for all threads or for itself, and fills
// the cache. Called by ReadThrough. Invariant: after each await the flight is checked again, since
// it may be done. The value that the loader gets as `stale` is read after the flight has begun: a
// write from then on supersedes the flight, so a loader that gives that value back buries nothing.
import { describe, monotonicMs } from "../base/mod.js";
import { LoadedEntry, type ResolvedFetchOptions, unchanged } from "../config/mod.js";
import { type LoadTrace, traceLoad } from "../diagnostics/mod.js";
import type { FoundValue } from "../entries/mod.js";
import type { Key } from "../kernel/mod.js";
import {
  counterFillsSuperseded,
  counterFlightsRefused,
  counterFlightTakeovers,
  counterLoads,
} from "../stats/mod.js";
import { Loading } from "./cycles/loading.js";
import type { FetchParts, FetchTiers, Loadable, Loader } from "./fetch-parts.js";
import type { Flight, Waiter } from "./flight.js";
import type { FlightEnd } from "./flight-end.js";
import type { FlightRegistry } from "./flight-registry.js";
import type { Join } from "./join.js";
import type { RefreshBackoff } from "./refresh-backoff.js";

/** What a loader gave, with the options that count for it. */
interface Loaded<V> {
  readonly value: V | undefined;
  readonly options: ResolvedFetchOptions;
  /** It has tags of its own, which nobody could look at before. */
  readonly hasOwnTags: boolean;
  /** It is a value to renew that was voided meanwhile, so it is not stored. */
  readonly isVoid: boolean;
}

/** The waiters of a flight that were there when something was read for it. They are given it after
 *  a microtask, before which long code may run. One that joined meanwhile must not get it: the
 *  value may have expired before its fetch began. */
class EarlyWaiters<V> {
  readonly #flight: Flight<V>;
  noted: readonly Waiter<V>[] = [];
  readonly note = (): void => {
    this.noted = Array.from(this.#flight.waiters);
  };

  constructor(flight: Flight<V>) {
    this.#flight = flight;
  }
}

/** Of a value that is in no record of memory (`FoundValue`). */
const unstoredSequence = -1;
/** How long a load waits at most for another process's; then it begins all the same. */
export const othersMsMax = 30_000;

export class Lead<V> {
  readonly #parts: FetchParts<V>;
  readonly #registry: FlightRegistry<V>;
  readonly #join: Join<V>;
  readonly #backoff: RefreshBackoff;

  constructor(
    parts: FetchParts<V>,
    registry: FlightRegistry<V>,
    join: Join<V>,
    backoff: RefreshBackoff,
  ) {
    this.#parts = parts;
    this.#registry = registry;
    this.#join = join;
    this.#backoff = backoff;
  }

  /** Ends a flight with the loader. `isTakeover`: the thread that led the load before was lost. */
  async run(flight: Flight<V>, loader: Loader<V>, isTakeover: boolean): Promise<void> {
    if (this.#settleFromMemory(flight)) return;
    const { forceRefresh } = flight.options;
    if (forceRefresh || (flight.hasMetStale && flight.stale === undefined)) {
      // Forced fetches that come before this has ended join: the loader runs after all of them.
      const early = new EarlyWaiters(flight);
      const found = await this.#parts.reader.readAgain(flight.key, early.note);
      if (flight.isDone || (!forceRefresh && this.#settleBy(flight, found, early.noted))) return;
      flight.stale = found;
    }
    const { tiers } = this.#parts;
    // Without tiers the loader is called in this very microtask.
    const asksTiers = tiers !== null && !forceRefresh && flight.replaces === undefined;
    const turn = asksTiers ? await this.#settleFromTier(flight, tiers) : undefined;
    if (turn === true) return;
    if (isTakeover) this.#parts.meter.count(counterFlightTakeovers, 1);
    try {
      this.#begin(flight);
      const loaded = await this.#load(flight, loader);
      if (loaded !== undefined && !flight.isDone) this.#publish(flight, loaded.result);
    } finally {
      turn?.release?.();
    }
  }

  /** Another thread's load may have ended, or failed, since this thread looked, so it looks again
   *  first. */
  #settleFromMemory(flight: Flight<V>): boolean {
    if (flight.options.forceRefresh) return false;
    return this.#settleBy(flight, this.#parts.reader.peekAgain(flight.key));
  }

  /** Ends the flight by a fresh value, or by a stale one whose last refresh failed a moment ago, if
   *  all that wait may have it and take it. Else the loader is given it. */
  #settleBy(
    flight: Flight<V>,
    found: FoundValue<V> | undefined,
    early: readonly Waiter<V>[] = Array.from(flight.waiters),
  ): boolean {
    if (found === undefined) return false;
    if (flight.isFor(found)) {
      flight.stale = found;
      if (!this.#backoff.holds(flight.key, found.sequence)) return false;
      return this.#registry.serveStale(flight, found, early);
    }
    // Without a number nobody can tell whether it is older than the flight.
    if (flight.number !== -1) {
      const isOver = this.#registry.settle(flight, found, false, early);
      for (const waiter of early) if (waiter.isGiven) this.#join.count(waiter, true);
      if (isOver) return true;
      flight.hasMetStale = true;
      flight.stale = found;
    }
    return false;
  }

  /** Asks the tiers before the loader. While another process loads the key, waits for that, or
   *  leaves it the load if all that wait take a stale value. True if the flight has ended; else
   *  the load may begin, and `release` is what ends its lease. */
  async #settleFromTier(
    flight: Flight<V>,
    tiers: FetchTiers<V>,
  ): Promise<true | { readonly release: (() => void) | undefined }> {
    const endMs = monotonicMs() + Math.min(othersMsMax, flight.options.hardTimeoutMs);
    let hasOffered = false;
    for (;;) {
      const waits = flight.stale === undefined || hasOffered;
      const waitMs = waits ? Math.max(0, endMs - monotonicMs()) : 0;
      // What is brought to memory supersedes the flight, so what `isValid` may refuse is not: the
      // loader's value is to be stored then.
      const wasSuperseded = this.#isSuperseded(flight);
      const isKept = flight.options.isValid === undefined && !wasSuperseded;
      const early = new EarlyWaiters(flight);
      const number = isKept ? flight.number : -1;
      const { found, isOthers, release } = await tiers.turn(flight.key, number, waitMs, early.note);
      // What was read before the key changed may be older; what is read now is not.
      const isStored = isKept && found?.stale === false && !found.superseded;
      const isCurrent = isStored || wasSuperseded || !this.#isSuperseded(flight);
      const settle = (): boolean =>
        isCurrent ? this.#settleFound(flight, found, early.noted) : this.#settleFromMemory(flight);
      if (flight.isDone || settle()) {
        release?.();
        return true;
      }
      const isOver = release !== undefined || monotonicMs() >= endMs;
      if (isOver || (isCurrent && !isOthers)) return { release };
      const { stale } = flight;
      if (stale === undefined) continue;
      if (this.#registry.serveStale(flight, stale)) return true;
      hasOffered = true;
    }
  }

  #isSuperseded({ isReplaced, number }: Flight<V>): boolean {
    return isReplaced || (number !== -1 && this.#parts.flights.isSuperseded(number, []));
  }

  /** Ends the flight by what a tier had, if that may be; true if it has ended. */
  #settleFound(
    flight: Flight<V>,
    found: Awaited<ReturnType<FetchTiers<V>["turn"]>>["found"],
    early: readonly Waiter<V>[],
  ): boolean {
    if (found === undefined) return false;
    if (found.stale && flight.stale !== undefined) return false;
    // Something newer came meanwhile, and may be in memory. If not, those who waited before may
    // have what was found: no later fetch joins a superseded flight.
    if (found.superseded && this.#settleFromMemory(flight)) return true;
    const { value, stale, entry } = found;
    const { createdAt, expiresAt, tags } = entry;
    const told = { value, stale, sequence: unstoredSequence, createdAt, expiresAt, tags };
    if (this.#settleBy(flight, told, early)) return true;
    if (stale) this.#registry.serveAtOnce(flight, told, early);
    return flight.isDone;
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
  ): Promise<{ readonly result: Loadable<V> } | undefined> {
    try {
      const { stale, options } = flight;
      const { ttlMs: ttl, tags } = options;
      const key = flight.key.toKey();
      const context = {
        key,
        // Most loaders do not read it, and to create one takes a twelfth of a load.
        get signal(): AbortSignal {
          return flight.signal;
        },
        stale: stale?.value,
        ttl,
        tags,
      };
      const loading = new Loading(flight, this.#parts.flights, flight.within);
      flight.loading = loading;
      return {
        result: await traceLoad(
          () => loading.run(() => loader(context)),
          () => this.#traceOf(flight, key),
        ),
      };
    } catch (error) {
      this.#registry.fail(flight, error, true);
      return undefined;
    }
  }

  #traceOf(flight: Flight<V>, key: Key): LoadTrace {
    const { name: cache } = this.#parts;
    const { options, stale, isBackground: background } = flight;
    const hasStale = stale?.value !== undefined;
    return { cache, key, forced: options.forceRefresh, stale: hasStale, background };
  }

  #publish(flight: Flight<V>, result: Loadable<V>): void {
    const { key } = flight;
    const loaded = this.#unwrap(flight, result);
    const { value, options } = loaded;
    if (value === undefined) {
      this.#rememberNegative(flight, loaded);
      return;
    }
    const { writer, meter } = this.#parts;
    const number = flight.isReplaced || loaded.isVoid ? -1 : flight.number;
    const loadMs = monotonicMs() - (flight.startedMs ?? 0);
    const filled = writer.fill(key, value, options, number, loadMs);
    let end: FlightEnd = { kind: filled.outcome === "stored" ? "stored" : "unstored" };
    const isSuperseded =
      flight.isReplaced ||
      flight.isGuarded ||
      loaded.isVoid ||
      (number !== -1 && filled.outcome === "superseded");
    if (isSuperseded) {
      meter.count(counterFillsSuperseded, 1);
      end = { kind: "again" };
    } else if (number === -1) meter.count(counterFlightsRefused, 1);
    const { value: shown, createdAt, expiresAt } = filled;
    const { tags } = options;
    this.#registry.succeed(
      flight,
      { value: shown, stale: false, sequence: unstoredSequence, createdAt, expiresAt, tags },
      end,
      isSuperseded && loaded.hasOwnTags,
    );
  }

  #unwrap(flight: Flight<V>, result: Loadable<V>): Loaded<V> {
    const { options } = flight;
    const isEntry = result instanceof LoadedEntry;
    if (!isEntry && result !== unchanged && options.jitter === 0) {
      return { value: result as V | undefined, options, hasOwnTags: false, isVoid: false };
    }
    const given = isEntry ? result.times : undefined;
    const times: ResolvedFetchOptions = {
      ...options,
      ttlMs: given?.ttlMs ?? spreadTtl(options),
      staleForMs: given?.staleForMs ?? options.staleForMs,
      tags: given?.tags ?? options.tags,
      negativeTtlMs: given?.ttlMs ?? options.negativeTtlMs,
      revision: given?.revision,
    };
    const value = isEntry ? result.value : result;
    if (value === unchanged) return this.#renewed(flight, times, given?.tags);
    const hasOwnTags = given?.tags !== undefined;
    return { value: value as V | undefined, options: times, hasOwnTags, isVoid: false };
  }

  /** What the loader was given, to be stored again: with its own tags and revision if the loader
   *  gave none. */
  #renewed(
    { key, number, stale }: Flight<V>,
    options: ResolvedFetchOptions,
    tags: readonly string[] | undefined,
  ): Loaded<V> {
    if (stale?.value === undefined) {
      throw new TypeError(
        `Cannot renew key ${describe(key.toKey())}: the loader answered unchanged, but it was ` +
          "given no value; answer unchanged only if the context's stale is not undefined",
      );
    }
    // The fill looks at the tags it has, so those that leave are looked at here.
    const isVoid =
      tags !== undefined && number !== -1 && this.#parts.flights.isSuperseded(number, stale.tags);
    const { value } = stale;
    const kept = { tags: tags ?? stale.tags, revision: options.revision ?? stale.revision };
    return { value, options: { ...options, ...kept }, hasOwnTags: true, isVoid };
  }

  /** The loader gave undefined. */
  #rememberNegative(flight: Flight<V>, { options, hasOwnTags }: Loaded<V>): void {
    const { key } = flight;
    const { negativeTtlMs, tags } = options;
    const number = flight.isReplaced ? -1 : flight.number;
    const { writer, flights } = this.#parts;
    // Asked only if nothing was stored: what is published supersedes all flights of the key.
    const isStored = negativeTtlMs > 0 && writer.fillNegative(key, { negativeTtlMs, tags }, number);
    const isSuperseded =
      flight.isReplaced || (!isStored && number !== -1 && flights.isSuperseded(number, tags));
    const end: FlightEnd = { kind: isSuperseded ? "again" : "negative" };
    this.#registry.succeed(flight, undefined, end, isSuperseded && hasOwnTags);
  }
}

/** The ttl with its jitter: whole milliseconds, at least one. */
function spreadTtl({ ttlMs, jitter }: ResolvedFetchOptions): number {
  if (jitter === 0 || ttlMs === Infinity) return ttlMs;
  return Math.max(1, Math.round(ttlMs * (1 + jitter * (2 * Math.random() - 1))));
}
