// The roles of a thread in a flight, and how a flight ends. Used by FlightBoard and the phases of a
// fetch.

/** A thread's role in the load of a key. "lead": it runs the loader for all threads. "follow":
 *  another thread runs it and this one waits. "unshared": nobody can join; the loader runs for this
 *  thread alone. With flight -1 its value is not published. "full": none of these, since no flight
 *  is free; it may wait for one. */
export interface FlightRole {
  readonly role: "lead" | "follow" | "unshared" | "full";
  readonly flight: number;
  /** A guarded write of the key is under way, so what is loaded is not stored. */
  readonly isGuarded?: boolean;
}

/** How a flight ended. */
export type FlightEnd =
  /** The value is in the cache. */
  | { readonly kind: "stored" }
  /** There is a value, but the cache could not store it. */
  | { readonly kind: "unstored" }
  /** The loader answered `undefined`. */
  | { readonly kind: "negative" }
  | { readonly kind: "failed"; readonly error: unknown; readonly mayServeStale: boolean }
  /** The flight was superseded or given up: followers look again. */
  | { readonly kind: "again" }
  /** The leader died, or was silent for longer than its lease. */
  | { readonly kind: "lost" };
