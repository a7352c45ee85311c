// How a load that threads share begins and ends for one of them.

/** How a thread stands to the load of a key. "lead": it runs the loader for all threads. "follow": another does, and this
 *  one waits. "unshared": there is no flight to meet in; its loader runs for this thread only, and with flight -1 the value is
 *  not published. */
export interface FlightRole {
  readonly role: "lead" | "follow" | "unshared";
  readonly flight: number;
}

/** What came of a flight. */
export type FlightEnd =
  /** The value is in the cache. */
  | { readonly kind: "stored" }
  /** There is a value that the cache could not take. */
  | { readonly kind: "unstored" }
  /** The loader gave `undefined`, to be remembered until this wall-clock millisecond; 0 = not at all. */
  | { readonly kind: "negative"; readonly untilMs: number }
  | { readonly kind: "failed"; readonly error: unknown; readonly mayServeStale: boolean }
  /** It was superseded or given up: who waited looks again. */
  | { readonly kind: "again" }
  /** Its thread died, or was silent for longer than its lease. */
  | { readonly kind: "lost" };
