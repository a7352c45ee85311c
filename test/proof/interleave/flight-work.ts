// What a thread of a scenario does with flights: enters them, waits for them, takes and ends them.
// Called by actor.ts and by flight-scenarios.ts.

import type { HashedKey, KernelVerbs } from "../../../src/kernel/mod.js";
import { flightCountOf, flightHashAt, flightStatesOf, flightWordAt } from "../flight-words.js";
import { $element, type Coroutine, until } from "./suspension.js";
import type { Stepped, SteppedThread } from "./thread.js";
import type { World } from "./world.js";

/** Hashes a key in shared memory. */
type Hashing = (key: string) => Coroutine<readonly [low: number, high: number]>;

export class FlightWork {
  readonly #at: World["at"];
  readonly #verbs: Stepped<KernelVerbs>;
  readonly #views: SteppedThread["kernel"]["views"];
  readonly #hashOf: Hashing;

  constructor(world: World, thread: SteppedThread, hashOf: Hashing) {
    this.#at = world.at;
    this.#verbs = thread.verbs;
    this.#views = thread.kernel.views;
    this.#hashOf = hashOf;
  }

  /** All flights of the table, taken for other keys. */
  *takeAll(): Coroutine<number[]> {
    const taken: number[] = [];
    for (let hash = 0; hash < flightCountOf(this.#views.u8.buffer); hash++) {
      const flight = yield* this.#verbs.beginFlight(hash, hash);
      if (flight < 0) throw new Error("no flight is free");
      taken.push(flight);
    }
    return taken;
  }

  /** Begins a flight of a key that nobody joins. */
  *begin(key: string): Coroutine<number> {
    const [low, high] = yield* this.#hashOf(key);
    return yield* this.#verbs.beginFlight(low, high);
  }

  /** Ends flights that bring nothing. */
  *end(flights: readonly number[]): Coroutine {
    for (const flight of flights) yield* this.#verbs.endFlight(flight, this.#at.flightAgain, 0);
  }

  /** The first flight of one of the windows of a key. */
  *firstOf(key: string, which: number): Coroutine<number> {
    const [low, high] = yield* this.#hashOf(key);
    return (yield* this.#verbs.flightWindowOf(low, high, which)) * this.#at.flightWindow;
  }

  /** Leads or follows a load; while no flight is free it waits for one. */
  *enter(key: string, { hashLow, hashHigh }: HashedKey, isForced: boolean): Coroutine<number> {
    for (;;) {
      const forced = isForced ? 1 : 0;
      const answer = yield* this.#verbs.enterFlight(hashLow, hashHigh, forced, 1, Infinity);
      if (answer >= 0) this.#holdLeads(key, answer);
      if (answer !== this.#at.answerFull) return answer;
      yield* until(() => flightStatesOf(this.#views.u8.buffer).includes(this.#at.flightFree));
    }
  }

  /** Sleeps, without a timeout, until a flight is done, and leaves it. */
  *follow(flight: number): Coroutine {
    const at = this.#at;
    const { i32 } = this.#views;
    const word = flightWordAt(i32.buffer, flight, 0) / 4;
    const signalWord = word + at.flightSignal / 4;
    for (;;) {
      const signal = i32[yield* $element(i32, signalWord, false)];
      const state = i32[yield* $element(i32, word + at.flightState / 4, false)] as number;
      if ((state & at.flightStateMask) === at.flightDone) break;
      while (i32[yield* $element(i32, signalWord, false)] === signal) {
        yield* $element(i32, signalWord, null);
      }
    }
    yield* this.#verbs.leaveFlight(flight);
  }

  /** Throws if another thread leads a load of the key that this one could have joined. */
  #holdLeads(key: string, flight: number): void {
    const at = this.#at;
    const { u32 } = this.#views;
    const { buffer } = u32;
    const shown = (number: number): string => {
      const hash = flightHashAt(buffer, number);
      const state = flightWordAt(buffer, number, at.flightState);
      const kind = flightWordAt(buffer, number, at.flightKind);
      const word = (address: number): number => u32[address / 4] as number;
      return String([word(state) & at.flightStateMask, word(hash), word(hash + 4), word(kind)]);
    };
    for (let other = 0; other < flightCountOf(buffer); other++) {
      if (other === flight || shown(other) !== shown(flight)) continue;
      throw new Error(`flights ${flight} and ${other} both lead the load of "${key}"`);
    }
  }
}
