// `fetch` as one thread has it: one flight of a key at a time for all who ask here, which goes through up to three phases: join
// (join.ts), follow another thread's load (follow.ts), lead one (lead.ts). Called by the facade. Invariant: what was checked before
// an await is checked again after it, so no caller is given a value that was written over, deleted or too stale by the time it is
// given.
import { describe } from "../base/mod.js";
import type { ResolvedFetchOptions } from "../config/mod.js";
import type { Peek } from "../entries/mod.js";
import { type HashedKey, type Key, keyIdOf } from "../kernel/mod.js";
import { counterMisses, counterStaleServed } from "../stats/mod.js";
import type { FetchParts, Loader } from "./fetch-parts.js";
import type { Flight } from "./flight.js";
import { FlightRegistry } from "./flight-registry.js";
import { Follow } from "./follow.js";
import { Join } from "./join.js";
import { Lead } from "./lead.js";
import { NegativeAnswers } from "./negative-answers.js";
import { TierLook } from "./tier-look.js";

/** How often a load follows other threads' one after the other, when what it waited for was no answer; then it runs unshared. */
export const followsMax = 4;

export class ReadThrough<V> {
  readonly #parts: FetchParts<V>;
  readonly #registry: FlightRegistry<V>;
  readonly #negatives: NegativeAnswers;
  readonly #tiers: TierLook<V>;
  readonly #join: Join<V>;
  readonly #follow: Follow<V>;
  readonly #lead: Lead<V>;

  constructor(parts: FetchParts<V>) {
    this.#parts = parts;
    this.#registry = new FlightRegistry(parts);
    this.#negatives = new NegativeAnswers(parts.clock);
    this.#tiers = new TierLook(parts, this.#registry, this.#negatives);
    this.#join = new Join(parts, this.#registry);
    this.#follow = new Follow(parts, this.#registry, this.#join, this.#negatives, this.#tiers);
    this.#lead = new Lead(parts, this.#registry, this.#join, this.#negatives);
  }

  /** Flights under way. */
  get size(): number {
    return this.#registry.size;
  }

  /**
   * The value of `key`: from the cache if it is fresh there, else from `loader`, which then fills the cache. Resolves to what a
   * later hit returns, or to `undefined` if the loader gives that.
   *
   * - One loader runs for a key at a time, over all threads. Fetches that come meanwhile wait for it; its options are those of
   *   the fetch that began it. A loader must not wait for a fetch of its own key, in this thread or another.
   * - Waiters in other threads get the entry that was stored, decoded there, or a copy of the error with its name, message,
   *   stack, code and cause (texts of more than 16 KiB are cut). If the value cannot be stored, each thread runs its own loader.
   *   If the thread that loads dies, or its event loop stands still for longer than its lease, exactly one of the waiters takes
   *   over; what the late loader brings goes to its own thread's callers only. Where the flight table is full (1,024 loads at
   *   once, over all threads), each fetch runs its own loader.
   * - An expired value within its staleFor is returned at once while the loader runs in the background; with `timeout.soft`,
   *   only once the loader has taken that long. A background load that fails is counted, not thrown.
   * - A loader's error is rethrown as it is to all who wait, unless the cache has a value or a stale one by then.
   * - `timeout.hard` aborts the loader's signal; all who wait get ERR_LOADER_TIMEOUT, or the value or stale value that is there.
   *   For a fetch that joined, its own `timeout.hard` ends only its own wait. What a loader brings later is ignored.
   * - `signal` ends this caller's wait with the signal's reason. When nobody waits any more, in any thread, the loader is
   *   aborted, unless a stale value was returned on its account.
   * - `forceRefresh` looks for no value and is never given an older or stale one: it joins a forced load of the key or begins
   *   one. An ordinary load under way is no longer stored then.
   * - `negativeTtl`: a loader's `undefined` is remembered for so long in the threads that waited for it, and returned to any
   *   fetch of the key there that finds no fresh value. Setting or deleting the key in this thread forgets it; a value that
   *   another thread sets is found first. Without it `undefined` is not remembered; it never removes a value that is there.
   * - A key that is set, deleted or cleared while it loads is not overwritten: waiters in this thread get what was loaded, those
   *   in other threads the newer value, or what is loaded again.
   *
   * @throws TypeError if `loader` is not a function or gives a value that cannot be stored (to all who wait).
   */
  async fetch(key: Key, loader: Loader<V>, options: ResolvedFetchOptions): Promise<V | undefined> {
    const { reader, meter } = this.#parts;
    if (typeof loader !== "function") {
      throw new TypeError(
        `Cannot fetch key ${describe(key)}: the loader is ${describe(loader)}; it must be a function`,
      );
    }
    if (options.signal?.aborted === true) throw options.signal.reason;
    if (options.forceRefresh) return this.#wait(reader.readKey(key), loader, options, null);
    const first = reader.peek(key);
    if (first.kind === "fresh") return first.value;
    const read = reader.takeKey(key);
    if (first.kind !== "stale") return this.#wait(read, loader, options, first);
    if (this.#negatives.has(read.id)) return undefined; // newer than what expired
    if (options.softTimeoutMs < Infinity) return this.#wait(read, loader, options, first);
    this.#refresh(read, loader, options, first);
    meter.count(counterStaleServed, 1);
    return first.value;
  }

  /** The key was set or deleted in this thread: a negative answer is no longer so, and what is being loaded may be older than
   *  the change, so later fetches do not join it. */
  forget(key: Key): void {
    if (this.#registry.isIdle && this.#negatives.size === 0) return;
    const id = keyIdOf(key);
    this.#negatives.forget(id);
    this.#registry.detach(id);
  }

  /** `forget` for every key: the cache was cleared, or entries were deleted by tag. */
  forgetAll(): void {
    this.#negatives.forgetAll();
    this.#registry.detachAll();
  }

  /** Rejects all who wait with `error` and aborts the loaders with it as their reason. */
  abortAll(error: Error): void {
    this.#negatives.forgetAll();
    this.#registry.abortAll(error);
  }

  /** Joins the flight of the key, or begins one, and waits for it. `first` is null for a forced load. */
  #wait(
    key: HashedKey,
    loader: Loader<V>,
    options: ResolvedFetchOptions,
    first: Peek<V> | null,
  ): Promise<V | undefined> {
    const joinable = this.#registry.find(key.id, options.forceRefresh);
    // Nobody can tell what has superseded a load without a flight number: it answers who was there at its start.
    const isUntold = joinable?.isLoading === true && joinable.number === -1;
    const running = isUntold ? undefined : joinable;
    const flight = running ?? this.#registry.begin(key, options);
    const waiter = this.#join.add(flight, options, running !== undefined);
    if (running === undefined) void this.#run(flight, loader, first);
    // The run counts for the fetch that began the flight; one that joined has looked in memory and found nothing.
    else if (first?.kind === "disk" || first?.kind === "absent") {
      this.#parts.meter.count(counterMisses, 1);
    }
    return waiter.promise;
  }

  /** Sees to it that the key is loaded again, without waiting. */
  #refresh(key: HashedKey, loader: Loader<V>, options: ResolvedFetchOptions, first: Peek<V>): void {
    const running = this.#registry.find(key.id, false);
    const flight = running ?? this.#registry.begin(key, options);
    flight.isBackground = true;
    if (running === undefined) void this.#run(flight, loader, first);
  }

  /** Brings a flight to its end: by what is on disk, by another thread's load, or by the loader. Never rejects. */
  async #run(flight: Flight<V>, loader: Loader<V>, first: Peek<V> | null): Promise<void> {
    try {
      if (first?.kind === "stale") flight.stale = first.value;
      if (first?.kind === "disk" && (await this.#tiers.settleFromDisk(flight))) return;
      if (first?.kind === "absent" && this.#tiers.settleAbsent(flight)) return;
      let follows = 0;
      let isLost = false;
      while (this.#enter(flight, follows) === "follow") {
        const end = await this.#follow.run(flight);
        if (flight.isDone) return;
        isLost = end.kind === "lost";
        follows = end.kind === "unstored" ? followsMax : follows + 1;
      }
      await this.#lead.run(flight, loader, isLost);
    } catch (error) {
      // The disk failed (the cache was closed), or the codec refused the value: no stale value makes that good.
      this.#registry.fail(flight, error, false);
    }
  }

  #enter(flight: Flight<V>, follows: number): "lead" | "follow" | "unshared" {
    if (flight.isUnshared) return "unshared";
    const { key, options } = flight;
    const { flights } = this.#parts;
    const entered =
      follows >= followsMax
        ? flights.enterUnshared(key)
        : flights.enter(key, options.forceRefresh, options.hardTimeoutMs);
    if (entered.role === "follow") flight.startFollowing(entered.flight);
    else flight.number = entered.flight;
    return entered.role;
  }
}
