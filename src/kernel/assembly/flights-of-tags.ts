// What the sweep of tags asks of the flight table: a fill is refused by what its flight's tags were
// invalidated at, so a tag is remembered while an older flight is active.
import * as fl from "../flight-layout";
import * as at from "../layout";
import { flightAt, inState, stateOf } from "./flights";
import { flightCount } from "./geometry";

/** The sequence at which the oldest active flight began, Infinity if there is none. A flight that
 *  is claimed and not active yet reads its source later. One that has published by then is in a
 *  slot, where a sweep that begins now finds it. */
export function oldestFlight(): f64 {
  let oldest: f64 = Infinity;
  if (atomic.load<u64>(at.controlFlightThreads) == 0) return oldest;
  for (let number: u32 = 0; number < flightCount; number++) {
    const flight = flightAt(number);
    if (stateOf(flight) != fl.flightActive) continue;
    oldest = min<f64>(oldest, <f64>atomic.load<u64>(flight, fl.flightSequence));
  }
  return oldest;
}

/** Supersedes the active flights that began before `sequence`, so that tags may be forgotten: what
 *  they bring is answered and not stored. Answers how many. */
export function supersedeFlights(sequence: f64): u32 {
  let superseded: u32 = 0;
  for (let number: u32 = 0; number < flightCount; number++) {
    const flight = flightAt(number);
    const word = atomic.load<u32>(flight);
    if ((word & fl.flightStateMask) != fl.flightActive) continue;
    if (<f64>atomic.load<u64>(flight, fl.flightSequence) >= sequence) continue;
    // The generation in the word says that it is still that flight.
    if (atomic.cmpxchg<u32>(flight, word, inState(word, fl.flightSuperseded)) == word) {
      superseded += 1;
    }
  }
  return superseded;
}
