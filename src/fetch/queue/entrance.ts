// How a load gets its flight: it leads one, follows another thread's, goes on without, or waits for
// one to be free. Called by ReadThrough. Invariants: a load that a loader waits for never waits for
// a free flight, since its loader holds one; after the wait the caller looks whether the load is
// done.
import type { HashedKey } from "../../kernel/mod.js";
import { counterFlightsQueued } from "../../stats/mod.js";
import type { FetchParts } from "../fetch-parts.js";
import type { Flight } from "../flight.js";
import type { FlightRole } from "../flight-end.js";
import type { Join } from "../join.js";
import { FlightQueue, type QueuedLoad } from "./flight-queue.js";

/** How often a flight follows other threads' loads in a row without getting an answer; then it runs
 *  unshared. */
export const followsMax = 4;

/** A thread's part in a load once it has entered. */
export type Role = Exclude<FlightRole["role"], "full">;

export class Entrance<V> {
  readonly #parts: FetchParts<V>;
  readonly #join: Join<V>;
  readonly #queue = new FlightQueue();

  constructor(parts: FetchParts<V>, join: Join<V>) {
    this.#parts = parts;
    this.#join = join;
    parts.flights.listen((window) => this.#queue.serve(window));
  }

  /** Enters the flight of the load's key, at once if it can. `follows`: how many flights it has
   *  followed in a row. */
  enter(flight: Flight<V>, follows: number): Role | Promise<Role> {
    const { flights } = this.#parts;
    if (flight.isUnshared) return this.#goAlone(flight);
    if (follows >= followsMax) {
      takeRole(flight, flights.enterUnshared(flight.key));
      return "unshared";
    }
    const isFirst =
      flight.isHurried ||
      this.#queue.size === 0 ||
      !this.#queue.isAwaited(flights.windowsOf(flight.key));
    const role = this.#tryEnter(flight, isFirst);
    if (role !== "full") return role;
    if (flight.isHurried || this.#queue.isFull) return this.#goAlone(flight);
    return this.#wait(flight);
  }

  /** Begins what needs a flight of the key's windows, with `tryBegin`, which tells whether it did:
   *  at once, or once one is free. False if that was given up, as a load gives up. Rejects with
   *  what `tryBegin` throws. */
  begin(key: HashedKey, tryBegin: () => boolean): Promise<boolean> {
    const windows = this.#parts.flights.windowsOf(key);
    return new Promise((resolve, reject) => {
      const tryEnter = (): boolean => {
        try {
          if (!tryBegin()) return false;
          resolve(true);
        } catch (error) {
          reject(error as Error);
        }
        return true;
      };
      const isFirst = this.#queue.size === 0 || !this.#queue.isAwaited(windows);
      if (isFirst && tryEnter()) return;
      if (this.#queue.isFull) resolve(false);
      else {
        this.#queue.add({
          windows,
          isAwaited: () => true,
          tryEnter,
          goAlone: () => resolve(false),
        });
      }
    });
  }

  /** A loader waits for the load, so it no longer waits for a free flight. */
  hurry(flight: Flight<V>): void {
    flight.isHurried = true;
    flight.queued?.hurry();
  }

  #tryEnter(flight: Flight<V>, mayClaim: boolean): FlightRole["role"] {
    const { key, options } = flight;
    const { forceRefresh, hardTimeoutMs } = options;
    // Another thread's load may be too old for a fetch, as of a forced one.
    const isAlone = forceRefresh || this.#parts.tiers?.hearsOthers() === false;
    const entered = this.#parts.flights.enter(key, isAlone, hardTimeoutMs, mayClaim);
    if (entered.role === "follow") flight.startFollowing(entered.flight);
    else takeRole(flight, entered);
    return entered.role;
  }

  #goAlone(flight: Flight<V>): Role {
    flight.number = this.#parts.flights.refuse().flight;
    return "unshared";
  }

  #wait(flight: Flight<V>): Promise<Role> {
    this.#parts.meter.count(counterFlightsQueued, 1);
    this.#join.startTimers(flight);
    return new Promise((resolve) => {
      const end = (role: Role): void => {
        flight.queued = undefined;
        resolve(role);
      };
      const load: QueuedLoad = {
        windows: this.#parts.flights.windowsOf(flight.key),
        isAwaited: () => flight.waiters.size > 0,
        tryEnter: () => {
          const role = this.#tryEnter(flight, true);
          if (role === "full") return false;
          end(role);
          return true;
        },
        goAlone: () => end(this.#goAlone(flight)),
      };
      const queued = this.#queue.add(load);
      flight.queued = {
        keepAlive: () => queued.keepAlive(),
        leave: () => {
          queued.leave();
          end("unshared");
        },
        hurry: () => {
          queued.leave();
          if (!load.tryEnter()) load.goAlone();
        },
      };
    });
  }
}

function takeRole<V>(flight: Flight<V>, { flight: number, isGuarded = false }: FlightRole): void {
  flight.number = number;
  flight.isGuarded = isGuarded;
}
