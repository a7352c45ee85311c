// What a scenario is: a few threads with a few operations each, chosen so that one race class can
// happen. Called by explorer.ts; the scenarios are in scenarios.ts.

import type { Actor } from "./actor.js";
import type { Coroutine } from "./suspension.js";
import type { WorldOptions } from "./world.js";

export interface Scenario {
  readonly name: string;
  /** The race classes it covers, as docs/internals/proofs.md names them. */
  readonly races: string;
  readonly about: string;
  /** `threads` includes the opener, which sets up, recovers and checks at the end. */
  readonly world: WorldOptions;
  readonly keys: readonly string[];
  /** Scripts that may die at any step, by number. */
  readonly mortal?: readonly number[];
  /** Scripts, by number, whose thread does not wait for a held lock: it goes on without. */
  readonly hasty?: readonly number[];
  readonly clears?: boolean;
  /** Whether an eviction of everything must find what is left of values in chunks: of a dead
   *  thread's, or where a lock could not be had. */
  readonly leavesNothing?: boolean;
  /** Preemptions in the exhaustive walk. */
  readonly bound: number;
  setUp?(opener: Actor): Coroutine;
  scripts(actors: readonly Actor[]): Coroutine[];
}

/** A script per thread; its return value is ignored. */
export function each(
  ...scripts: readonly ((actor: Actor) => Coroutine<unknown>)[]
): Scenario["scripts"] {
  return (actors) =>
    scripts.map(function* (script, index): Coroutine {
      yield* script(actors[index] as Actor);
    });
}

/** Keys by their home, in a world of two buckets. A bucket has seven slots: the eighth key of a
 *  home is displaced. */
export const homedIn0 = "bfgilmnpstz";
export const homedIn1 = "acdehjkoqruvwxy";
/** A key with the home and the fingerprint of "a": they are of one class, which has one disk
 *  slot. */
export const rivalOfA = "r59989";

/** Scripts that many scenarios share: what a thread does with "a", and what it then reads of it. */
export function* setsAndGets(actor: Actor): Coroutine {
  yield* actor.set("a");
  yield* actor.get("a");
}

export function* deletesAndGets(actor: Actor): Coroutine {
  yield* actor.delete("a");
  yield* actor.get("a");
}

export function* getsTwice(actor: Actor): Coroutine {
  yield* actor.get("a");
  yield* actor.get("a");
}
