// The flight table as TypeScript reads it; the kernel writes it (assembly/flights.ts). Called by
// SharedFlights. A flight is named by its number, its index in the table.
import * as at from "../flight-layout.js";
import type { Geometry } from "../region.js";
import type { Views } from "./views.js";
import type { WaitWord } from "../threads/word-wait.js";

export class FlightTable {
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #base: number;

  constructor(views: Views, geometry: Geometry) {
    this.#i32 = views.i32;
    this.#u32 = views.u32;
    this.#f64 = views.f64;
    this.#base = geometry.flightBase + geometry.flightCount * at.flightHashSize;
  }

  #word(flight: number, field: number): number {
    return (this.#base + flight * at.flightSize + field) / 4;
  }

  #load(flight: number, field: number): number {
    return Atomics.load(this.#i32, this.#word(flight, field));
  }

  /** `codes.flightActive` and so on. */
  state(flight: number): number {
    return this.#load(flight, at.flightState) & at.flightStateMask;
  }

  /** The window that it is in. */
  windowOf(flight: number): number {
    return flight >>> at.flightWindowShift;
  }

  /** Changes each time its number is given to another load. */
  generation(flight: number): number {
    return this.#load(flight, at.flightGeneration);
  }

  /** Whether another thread waits for it. */
  hasFollowers(flight: number): boolean {
    const low = this.#load(flight, at.flightWaiting);
    return (low | this.#load(flight, at.flightWaiting + 4)) !== 0;
  }

  /** The newest sequence when it began. */
  sequence(flight: number): number {
    const word = this.#word(flight, at.flightSequence);
    return (this.#u32[word] as number) + (this.#u32[word + 1] as number) * 2 ** 32;
  }

  /** The end of its leader's lease, in monotonic milliseconds. */
  lease(flight: number): number {
    return this.#f64[this.#word(flight, at.flightLease) / 2] as number;
  }

  /** Once it is done: `codes.flightStored` and so on. */
  outcome(flight: number): number {
    return this.#u32[this.#word(flight, at.flightOutcome)] as number;
  }

  /** The argument of the outcome (layout.ts, flightArgument). */
  argument(flight: number): number {
    return this.#f64[this.#word(flight, at.flightArgument) / 2] as number;
  }

  /** Changes whenever followers should look again. */
  signal(flight: number): number {
    return this.#load(flight, at.flightSignal);
  }

  /** The word to wait on for `signal` to change. */
  signalWord(flight: number): WaitWord {
    return { words: this.#i32, index: this.#word(flight, at.flightSignal) };
  }
}
