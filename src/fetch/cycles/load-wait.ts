// What is known of flights, loads and waits where rings are looked for. Implemented by Flight,
// Loading and LoaderWait.
import type { HashedKey } from "../../kernel/mod.js";
import type { FlightBoard } from "../fetch-parts.js";

/** A flight of this thread. */
export interface LoadFlight {
  readonly key: HashedKey;
  readonly isDone: boolean;
  readonly number: number;
  readonly followed: number;
  readonly heldBy: RunningLoad | undefined;
  readonly loading: RunningLoad | undefined;
}

/** A load whose loader has been called. */
export interface RunningLoad {
  readonly board: FlightBoard;
  /** Undefined once the load is over. */
  readonly flight: LoadFlight | undefined;
  /** All that its loader loads and that are not over: more than one for a loader of many keys. */
  readonly flights: readonly LoadFlight[];
  readonly isOver: boolean;
  /** The waits of its fetches that are not over. */
  readonly waits: Set<LoadWait>;
}

/** A loader's wait for a flight. */
export interface LoadWait {
  /** The load whose loader waits. */
  readonly loading: RunningLoad;
  /** What it waits for, and the flights of that one's cache. */
  readonly flight: LoadFlight;
  readonly board: FlightBoard;
  /** Monotonic ms when it began. */
  readonly sinceMs: number;
  /** Rejects the fetch. */
  readonly refuse: (error: Error) => void;
}
