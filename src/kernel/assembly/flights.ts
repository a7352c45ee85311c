// The flight table: fills under way. A fill (a load, an asynchronous set) begins before it looks at its source; every
// write or delete of the key marks it overtaken, and publish refuses what was overtaken. Writers skip the table while
// controlFlightCount is 0. The order that makes this right: a flight is active before its source is read, and publish
// and the writers meet under the key's home lock.
import * as at from "../layout";
import { block, clearEpoch, ownerId } from "./geometry";

// @ts-ignore: decorator
@inline
function flightAt(flight: u32): usize {
  return <usize>at.flightTable + <usize>(flight & (at.flightsMax - 1)) * at.flightSize;
}

/** Begins a flight for the hash of the thread's last key; answers its number, or -1 when its places are taken. */
export function beginFlight(): i32 {
  const hash = load<u64>(block, at.resultHashLow);
  atomic.add<u32>(at.controlFlightCount, 1);
  for (let probe = 0; probe < at.flightProbeMax; probe++) {
    const number = (<u32>hash + <u32>probe) & (at.flightsMax - 1);
    const flight = flightAt(number);
    if (atomic.cmpxchg<u32>(flight, at.flightFree, at.flightClaimed) != at.flightFree) continue;
    atomic.store<u64>(flight, hash, at.flightHash);
    store<u32>(flight, ownerId, at.flightOwner);
    atomic.store<u64>(flight, atomic.load<u64>(at.controlSequence), at.flightSequence);
    atomic.store<u32>(flight, at.flightActive);
    return number;
  }
  atomic.sub<u32>(at.controlFlightCount, 1);
  return -1;
}

export function endFlight(number: u32): void {
  // Nobody's before it is free: whoever claims it next must not be taken for this thread until its own name stands there.
  store<u32>(flightAt(number), 0, at.flightOwner);
  atomic.store<u32>(flightAt(number), at.flightFree);
  atomic.sub<u32>(at.controlFlightCount, 1);
}

/** 1 if a write, delete or clear of the key came after the flight began. */
export function isOvertaken(number: u32): bool {
  const flight = flightAt(number);
  if (atomic.load<u32>(flight) != at.flightActive) return true;
  return atomic.load<u64>(flight, at.flightSequence) < clearEpoch();
}

/** Marks the flights of a key overtaken. Call with the key's home lock held, after the slot has changed. */
export function invalidateFlights(hash: u64): void {
  if (atomic.load<u32>(at.controlFlightCount) == 0) return;
  for (let probe = 0; probe < at.flightProbeMax; probe++) {
    const flight = flightAt(<u32>hash + <u32>probe);
    if (atomic.load<u64>(flight, at.flightHash) == hash) {
      atomic.cmpxchg<u32>(flight, at.flightActive, at.flightOvertaken);
    }
  }
}

/** Ends the flights of a thread that is gone; their fills never came. */
export function endFlightsOf(thread: u32): void {
  for (let number: u32 = 0; number < <u32>at.flightsMax; number++) {
    const flight = flightAt(number);
    if (atomic.load<u32>(flight) == at.flightFree || load<u32>(flight, at.flightOwner) != thread + 1) continue;
    endFlight(number);
  }
}
