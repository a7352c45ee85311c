// `fetch` in one thread. Each key has one flight at a time, which all callers in this thread share
// and which has up to three phases: join (join.ts), follow another thread's load (follow.ts), lead
// one (lead.ts). Called by the facade. Invariant: what was checked before an await is checked again
// after it, so no caller gets a value that was overwritten, deleted or too stale by then.
import { describe } from "../base/mod.js";
import { assertKey, type ResolvedFetchOptions, type ResolvedSetOptions } from "../config/mod.js";
import { type HashedKey, type Key, keyIdOf } from "../kernel/mod.js";
import type { Peek } from "../entries/mod.js";
import * as counter from "../stats/mod.js";
import { CycleWatch } from "./cycles/cycle-watch.js";
import { LoaderPromise, LoaderWait } from "./cycles/loader-wait.js";
import { currentLoading, inContextOf, type Loading } from "./cycles/loading.js";
import type { FetchParts, Loader } from "./fetch-parts.js";
import type { Flight, Waiter } from "./flight.js";
import { FlightRegistry } from "./flight-registry.js";
import { Follow } from "./follow.js";
import { GuardedWrites } from "./writes/guarded-write.js";
import { Join } from "./join.js";
import { Lead } from "./lead.js";
import { Entrance, followsMax } from "./queue/entrance.js";
import { RefreshBackoff } from "./refresh-backoff.js";
import { OthersLoads } from "./queue/others-loads.js";
import { isDue, TierLook } from "./tier-look.js";
import { Validity } from "./validity.js";

const cycles = new CycleWatch();

function assertFetch(key: Key, loader: unknown, { signal }: ResolvedFetchOptions): void {
  if (typeof loader !== "function") {
    throw new TypeError(
      `Cannot fetch key ${describe(key)}: ` +
        `the loader is ${describe(loader)}; it must be a function`,
    );
  }
  if (signal?.aborted === true) throw signal.reason;
}

/** Whether a hit needs no more than a fresh value: neither its age nor its validity counts. */
function isPlain({ isValid, refreshAfterMs, forceRefresh }: ResolvedFetchOptions): boolean {
  return isValid === undefined && refreshAfterMs === Infinity && !forceRefresh;
}

function asPromise<T>(answer: T | Promise<T>): Promise<T> {
  return answer instanceof Promise ? answer : Promise.resolve(answer);
}

/** What the look in memory found for a fetch that goes on to a load. "refused" and "stale": a value
 *  that is to be loaded anew, and the request has been counted. "forced": there was no look. "due":
 *  for a load in the background, whose request is a hit. */
type Look = "disk" | "absent" | "negative" | "stale" | "refused" | "due" | "forced";

/** One fetch, as it was asked for. */
interface Request<V> {
  readonly loader: Loader<V>;
  readonly options: ResolvedFetchOptions;
  readonly validity: Validity<V> | undefined;
  /** As for `fetch`. */
  readonly looked?: (() => void) | undefined;
}

export class ReadThrough<V> {
  readonly #parts: FetchParts<V>;
  readonly #registry: FlightRegistry<V>;
  readonly #backoff: RefreshBackoff;
  readonly #tiers: TierLook<V>;
  readonly #join: Join<V>;
  readonly #entrance: Entrance<V>;
  readonly #follow: Follow<V>;
  readonly #lead: Lead<V>;
  readonly #others: OthersLoads<V>;
  readonly #writes: GuardedWrites<V>;

  constructor(parts: FetchParts<V>) {
    this.#parts = parts;
    this.#backoff = new RefreshBackoff(parts.backoffs, parts.clock);
    this.#registry = new FlightRegistry(parts, this.#backoff);
    this.#tiers = new TierLook(parts, this.#registry, this.#backoff);
    this.#join = new Join(parts, this.#registry);
    this.#entrance = new Entrance(parts, this.#join);
    this.#follow = new Follow(parts, this.#registry, this.#join, this.#tiers);
    this.#lead = new Lead(parts, this.#registry, this.#join, this.#backoff);
    this.#others = new OthersLoads(parts, this.#registry, this.#join);
    this.#writes = new GuardedWrites(parts, this.#entrance);
  }

  /** Flights under way. */
  get size(): number {
    return this.#registry.size;
  }

  /**
   * The value of `key`: from the cache if it is fresh there, else from `loader`, which then fills
   * the cache. Resolves to what a later hit returns, or to `undefined` if the loader gives that.
   *
   * - One loader runs for a key at a time, over all threads. Fetches that come meanwhile wait for
   *   it; its options are those of the fetch that began it.
   * - Loads at once, over all threads, are bounded by the flight table: 1/4096 of the bytes of
   *   `memory` (16,384 at 64 MiB), at least 1,024, at most 262,144. A load beyond that waits in its
   *   thread until one has ended, first come first served, and is stored like any other. A load
   *   that a loader waits for does not wait: without a free flight it runs for its own thread, and
   *   its value is not stored. So does one that comes while 262,144 wait, and one that has waited
   *   for 30 s in which no load of its thread got a flight. These are counted (`fillsRefused`).
   * - A loader that waits for a fetch of its own key, directly or by other loaders, in any thread
   *   or cache of the process, would wait for ever: once that has stood for half a second, one of
   *   the fetches in the ring rejects with ERR_LOADER_CYCLE, which names the keys. A fetch that a
   *   loader starts without waiting for it is no wait. Not seen are waits outside of promises that
   *   come from `fetch`: a loader that waits by way of a queue or a task that another caller
   *   began, of another process, or with its context lost.
   * - Waiters in other threads get the stored entry, decoded there, or a copy of the error with its
   *   name, message, stack, code and cause (texts of more than 16 KiB are cut). If the value cannot
   *   be stored, each thread runs its own loader. If the leading thread dies, or its event loop
   *   stalls for longer than its lease, exactly one of the waiters takes over; what the late loader
   *   brings goes to its own thread's callers only.
   * - An expired value within its staleFor is returned at once while the loader runs in the
   *   background; with `timeout.soft`, only once the loader has taken that long. A load that fails
   *   while the stale value is served is an `error` event (ERR_LOADER) in the thread that ran it,
   *   and no thread tries again for 1 s, then 2 s, and so on up to a minute: meanwhile the stale
   *   value is served at once. A set, a load that succeeds and a delete end that.
   * - A loader's error is rethrown as it is to all waiters, unless the cache has a fresh or stale
   *   value by then.
   * - `timeout.hard` aborts the loader's signal; all waiters get ERR_LOADER_TIMEOUT, or the fresh
   *   or stale value that is there. The `timeout.hard` of a fetch that joined, or that waits for a
   *   free flight, ends only its own wait. What a loader brings later is ignored.
   * - `signal` ends this caller's wait with the signal's reason. When nobody waits any more, in any
   *   thread, the loader is aborted, unless a stale value was returned on its account.
   * - `forceRefresh` answers what a load brings that began after the call, and gives its loader
   *   the value that is there. A load of the key under way in any thread, forced or not, is then
   *   not stored. Forced fetches of this thread share one load as long as its loader has not been
   *   called, which is a microtask after the first of them, or when the value on disk is read.
   * - `negativeTtl`: a loader's `undefined` is remembered for that long, for all threads, as a
   *   record of the key with the tags of the fetch. A set, a delete, a deletion by one of those
   *   tags and a clear end it, and supersede it while it is loaded. It replaces an older value.
   *   Without `negativeTtl`, `undefined` is not remembered, and no value is removed.
   * - A key that is set, deleted or cleared while it loads is not overwritten: waiters in this
   *   thread get what was loaded; those in other threads get the newer value, or load again.
   * - `isValid` is asked about each value before this fetch returns it: a hit, fresh or stale, and
   *   once what a load brings that was under way. One that it refuses is loaded anew. What the
   *   fetch's own loader brings is not asked about.
   * - `refreshAfter`: a fresh hit that is older is returned at once, and loaded in the background,
   *   by one thread. Failures are told and delayed as those of a stale value.
   *
   * `looked` is called when a load that the fetch needs looks no further for the value, but waits
   * for another load or is done; not before the loader is called, and maybe more than once.
   *
   * Rejects with TypeError if the loader gives a value that cannot be stored.
   *
   * @throws TypeError if `loader` is not a function or `key` not a key, RangeError if the key is
   *   too long, and the reason of a `signal` that has aborted.
   */
  fetch(
    key: Key,
    loader: Loader<V>,
    options: ResolvedFetchOptions,
    looked?: () => void,
  ): Promise<V | undefined> {
    assertFetch(key, loader, options);
    if (!isPlain(options)) return asPromise(this.#answerThis(key, loader, options, looked));
    const first = this.#parts.reader.peek(key);
    if (first.kind === "fresh") return Promise.resolve(first.value);
    return asPromise(
      this.#answerMiss(key, { loader, options, validity: undefined, looked }, first),
    );
  }

  /** Like `fetch`, but answers the value itself if it is in memory. */
  getOrFetch(
    key: Key,
    loader: Loader<V>,
    options: ResolvedFetchOptions,
  ): V | Promise<V | undefined> {
    assertFetch(key, loader, options);
    return this.#answerThis(key, loader, options);
  }

  #answerThis(
    key: Key,
    loader: Loader<V>,
    options: ResolvedFetchOptions,
    looked?: () => void,
  ): V | Promise<V | undefined> {
    const validity = Validity.of<V>(key, options, this.#parts);
    return this.#answer(key, { loader, options, validity, looked });
  }

  #answer(key: Key, request: Request<V>): V | Promise<V | undefined> {
    const { reader } = this.#parts;
    const { options } = request;
    if (options.forceRefresh) {
      assertKey(key); // without a look that would refuse a wrong one
      return this.#wait(reader.readKey(key), request, "forced");
    }
    if (!isPlain(options)) return this.#answerByEntry(key, request);
    const first = reader.peek(key);
    return first.kind === "fresh" ? first.value : this.#answerMiss(key, request, first);
  }

  #answerMiss(
    key: Key,
    request: Request<V>,
    first: Exclude<Peek<V>, { kind: "fresh" }>,
  ): V | Promise<V | undefined> {
    if (first.kind !== "stale") return this.#load(key, request, first.kind);
    return this.#serveStale(this.#parts.reader.takeKey(key), request, first);
  }

  /** As `#answer`, for a fetch to which it matters how old a value is and what it is. */
  #answerByEntry(key: Key, request: Request<V>): V | Promise<V | undefined> {
    const { reader, meter, clock } = this.#parts;
    const { options, validity } = request;
    const first = reader.peekEntry(key);
    if (first.kind !== "entry") return this.#load(key, request, first.kind);
    const { found, source } = first;
    const value = found.value as V;
    let isAccepted = false;
    try {
      isAccepted = validity === undefined || validity.accepts(found, false);
    } finally {
      const isHit = isAccepted && !found.stale && validity?.hasRefused !== true;
      const hits = source === "near" ? counter.counterNearHits : counter.counterMemoryHits;
      meter.count(isHit ? hits : counter.counterMisses, 1);
    }
    if (!isAccepted) return this.#wait(reader.readKey(key), request, "refused");
    if (found.stale) return this.#serveStale(reader.readKey(key), request, { ...found, value });
    if (isDue(found, options, clock)) {
      const read = reader.readKey(key);
      if (!this.#backoff.holds(read, found.sequence)) {
        this.#refresh(read, request, "due", found.sequence);
      }
    }
    return value;
  }

  /** There is no value in memory. */
  #load(
    key: Key,
    request: Request<V>,
    look: "disk" | "absent" | "negative",
  ): Promise<V | undefined> {
    if (look !== "negative") return this.#wait(this.#parts.reader.takeKey(key), request, look);
    this.#parts.meter.count(counter.counterMisses, 1);
    this.#parts.meter.count(counter.counterNegativesServed, 1);
    return Promise.resolve(undefined);
  }

  /** There is a stale value, whose request is counted: serves it while it is loaded anew, unless
   *  the fetch has a soft timeout. */
  #serveStale(
    read: HashedKey,
    request: Request<V>,
    { value, sequence }: { readonly value: V; readonly sequence: number },
  ): V | Promise<V | undefined> {
    if (!this.#backoff.holds(read, sequence)) {
      if (request.options.softTimeoutMs < Infinity) return this.#wait(read, request, "stale");
      this.#refresh(read, request, "stale");
    }
    this.#parts.meter.count(counter.counterStaleServed, 1);
    return value;
  }

  /**
   * Writes to the source with `write`, and stores its answer: guarded-write.ts. `undefined` stores
   * nothing.
   *
   * @throws TypeError if `write` is not a function or `key` not a key, RangeError if it is too
   * long.
   */
  async write<R>(
    key: Key,
    write: () => R | PromiseLike<R>,
    options: ResolvedSetOptions,
  ): Promise<R> {
    if (typeof write !== "function") {
      throw new TypeError(
        `Cannot write key ${describe(key)}: ` +
          `what writes is ${describe(write)}; it must be a function`,
      );
    }
    return this.#writes.run(this.#parts.reader.readKey(key), write, options);
  }

  /** The key was set or deleted in this thread: detaches its flight, which may load an older value,
   *  from later fetches. */
  forget(key: Key): void {
    if (!this.#registry.isIdle) this.#registry.detach(keyIdOf(key));
  }

  /** `forget` for every key: the cache was cleared, or entries were deleted by tag. */
  forgetAll(): void {
    this.#registry.detachAll();
  }

  /** Rejects all waiters with `error`, and aborts the loaders with it as their reason. */
  abortAll(error: Error): void {
    this.#registry.abortAll(error);
  }

  /** Joins the flight of the key, or begins one, and waits for it. */
  #wait(key: HashedKey, request: Request<V>, look: Look): Promise<V | undefined> {
    const { options, validity } = request;
    const joinable = this.#registry.find(key.id, options.forceRefresh);
    // Without a flight number we cannot tell whether a load was superseded, so it answers only the
    // callers that were there when its loader started.
    const isUntold = joinable?.isLoading === true && joinable.number === -1;
    const running = isUntold ? undefined : joinable;
    const flight = running ?? this.#registry.begin(key, options);
    const within = currentLoading();
    // One that looks again is still one request: its first count is taken back.
    const again = async (): Promise<V | undefined> => {
      this.#parts.meter.count(counter.counterMisses, -1);
      return inContextOf(within, () => this.#answer(key.toKey(), request));
    };
    const retry = running === undefined ? undefined : again;
    const waiter = this.#join.add(flight, options, validity, retry);
    // Each fetch is one request. The run counts for the fetch that began the flight, unless the
    // look has; a forced one, and one that joined, count their own miss here.
    const isCounted = look === "stale" || look === "refused";
    const isCountedByRun = running === undefined && look !== "forced";
    if (!isCounted && !isCountedByRun) this.#parts.meter.count(counter.counterMisses, 1);
    if (within !== undefined) this.#entrance.hurry(flight);
    if (running !== undefined) request.looked?.();
    else {
      flight.looked = request.looked;
      flight.within = within;
      void this.#run(flight, request.loader, look);
    }
    if (within === undefined || waiter.isSettled) return waiter.promise;
    return this.#watchWait(within, flight, waiter);
  }

  /** A loader made this fetch: refuses it if the load would wait for itself. */
  #watchWait(within: Loading, flight: Flight<V>, waiter: Waiter<V>): Promise<V | undefined> {
    const refuse = (error: Error): void => {
      this.#parts.meter.count(counter.counterLoaderCycles, 1);
      this.#join.leave(flight, waiter, error);
    };
    const board = this.#parts.flights;
    const wait = new LoaderWait({ loading: within, flight, board, refuse }, cycles);
    waiter.atEnd(() => wait.end());
    return LoaderPromise.of(waiter.promise, wait);
  }

  /** Makes sure that the key is being loaded, without waiting. `replaces`: the fresh record that is
   *  old enough. */
  #refresh(key: HashedKey, request: Request<V>, look: "stale" | "due", replaces?: number): void {
    const running = this.#registry.find(key.id, false);
    const flight = running ?? this.#registry.begin(key, request.options);
    flight.isBackground = true;
    if (running !== undefined) return;
    flight.replaces = replaces;
    flight.within = currentLoading();
    void this.#run(flight, request.loader, look);
  }

  /** Ends a flight by what is on disk, by another thread's load, or by the loader. Never
   *  rejects. */
  async #run(flight: Flight<V>, loader: Loader<V>, look: Look): Promise<void> {
    try {
      flight.hasMetStale = look === "stale" || look === "refused" || look === "due";
      if (look === "disk" && (await this.#tiers.settleFromDisk(flight))) return;
      if (look === "absent") this.#parts.meter.count(counter.counterMisses, 1);
      for (let own = ownLoadOf(flight, this.#parts); own !== undefined;) {
        await this.#holdBack(flight, own);
        if (flight.isDone) return;
        own = ownLoadOf(flight, this.#parts);
      }
      if (this.#others.concern(flight) && !(await this.#others.turn(flight))) return;
      let follows = 0;
      let isLost = false;
      for (;;) {
        const entered = this.#entrance.enter(flight, follows);
        const role = typeof entered === "string" ? entered : await entered;
        if (flight.isDone) return;
        if (role !== "follow") break;
        const end = await this.#follow.run(flight);
        if (flight.isDone) return;
        isLost = end.kind === "lost";
        follows = end.kind === "unstored" ? followsMax : follows + 1;
      }
      await this.#lead.run(flight, loader, isLost);
    } catch (error) {
      // The cache was closed, so the disk failed, or the codec refused the value: a stale value is
      // no remedy.
      this.#registry.fail(flight, error, false);
    }
  }

  /** The loader of a load of this key began the flight: waits for that load to end first, since a
   *  loader that loads its own key anew would do so for ever. */
  async #holdBack(flight: Flight<V>, own: Loading): Promise<void> {
    flight.heldBy = own;
    this.#join.startTimers(flight);
    await own.over();
    flight.heldBy = undefined;
  }
}

/** The load of the flight's key whose loader, or what that loader waits for, began the flight. */
function ownLoadOf<V>(flight: Flight<V>, { flights }: FetchParts<V>): Loading | undefined {
  return flight.within?.loadOf(flight.key.id, flights.cacheId);
}
