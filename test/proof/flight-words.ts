// Where the words of a flight are in a cache's memory. Called by the proofs and by tests that look
// at the flight table.

import * as fl from "../../src/kernel/flight-layout.js";
import * as at from "../../src/kernel/layout.js";

/** Flights in the table. */
export function flightCountOf(buffer: ArrayBufferLike): number {
  return new Int32Array(buffer)[at.controlFlightCount / 4] as number;
}

/** The address of a flight's hash. */
export function flightHashAt(buffer: ArrayBufferLike, flight: number): number {
  const base = new Int32Array(buffer)[at.controlFlightBase / 4] as number;
  return base + flight * fl.flightHashSize;
}

/** The address of a word of a flight. */
export function flightWordAt(buffer: ArrayBufferLike, flight: number, field: number): number {
  return flightHashAt(buffer, flightCountOf(buffer)) + flight * fl.flightSize + field;
}

/** The state words of all flights. */
export function flightStatesOf(buffer: ArrayBufferLike): number[] {
  const words = new Int32Array(buffer);
  return Array.from({ length: flightCountOf(buffer) }, (_, flight) =>
    Atomics.load(words, flightWordAt(buffer, flight, fl.flightState) / 4),
  );
}
