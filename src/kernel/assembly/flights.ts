// The flight table: fills under way. A fill (a load, an asynchronous set) begins before it looks at its source; every
// write or delete of the key marks it superseded, and publish refuses what was superseded. Writers skip the table while
// controlFlightThreads is 0. The order that makes this right: a flight is active before its source is read, and publish
// and the writers meet under the key's home lock. Loads are joined across threads: who enters a key's flight leads it or
// waits for the thread that does, and the key's home lock makes that one leader. A place is used again when its flight
// is done and nobody waits for it; its owner sets it done, and the last of the two frees it.
import * as at from "../layout";
import { counterFlightsExpired } from "../../stats/counters";
import { bucketAt, lock, unlock } from "./index/bucket";
import { block, clearEpoch, count, selfId } from "./geometry";
import { homeOf } from "./index/slot";

// @ts-ignore: decorator
@inline
function flightAt(flight: u32): usize {
  return <usize>at.flightTable + <usize>(flight & (at.flightsMax - 1)) * at.flightSize;
}

/** This thread owns the flight, which has not ended. */
// @ts-ignore: decorator
@inline
function assertOwn(flight: usize): void {
  if (ASC_NO_ASSERT) return;
  assert(load<u32>(flight, at.flightOwner) == selfId);
  const state = atomic.load<u32>(flight) & at.flightStateMask;
  assert(state != at.flightFree && state != at.flightDone);
}

/** Takes a place for a flight of the hash; answers its number, or answerFull. */
function claimFlight(hash: u64, kind: u32, lease: f64): i32 {
  announceFlight();
  for (let probe = 0; probe < at.flightProbeMax; probe++) {
    const number = (<u32>hash + <u32>probe) & (at.flightsMax - 1);
    const flight = flightAt(number);
    // The claim names its thread, so that a place is never taken by nobody.
    const claimed = at.flightClaimed | (selfId << at.flightStateShift);
    if (atomic.cmpxchg<u32>(flight, at.flightFree, claimed) != at.flightFree) continue;
    atomic.store<u64>(flight, hash, at.flightHash);
    store<u32>(flight, selfId, at.flightOwner);
    atomic.add<u32>(flight, 1, at.flightGeneration);
    store<u32>(flight, kind, at.flightKind);
    atomic.store<u64>(flight, reinterpret<u64>(lease), at.flightLease);
    atomic.store<u64>(flight, atomic.load<u64>(at.controlSequence), at.flightSequence);
    atomic.store<u32>(flight, at.flightActive);
    return number;
  }
  retractFlight();
  return at.answerFull;
}

// @ts-ignore: decorator
@inline
function threadBit(owner: u32): u64 {
  return (<u64>1) << (owner - 1);
}

/** One more flight of this thread, before it takes its place: from here on no write skips the table. */
function announceFlight(): void {
  const own = load<u32>(block, at.threadFlights);
  store<u32>(block, own + 1, at.threadFlights);
  if (own == 0) atomic.or<u64>(at.controlFlightThreads, threadBit(selfId));
}

/** One flight less, after it is done: no write need supersede it. */
function retractFlight(): void {
  const own = load<u32>(block, at.threadFlights);
  store<u32>(block, own - 1, at.threadFlights);
  if (own == 1) atomic.and<u64>(at.controlFlightThreads, ~threadBit(selfId));
}

/** Begins a flight that nobody joins, for a key's hash; answers its number, or answerFull. */
export function beginFlight(hashLow: u32, hashHigh: u32): i32 {
  return claimFlight((<u64>hashHigh << 32) | <u64>hashLow, at.flightFill, Infinity);
}

/** Leads the load of a key by its hash, or waits for who does: a flight's number, `answerFollow - flight`,
 *  answerFull, answerTwice or answerBusy. A flight that was superseded or cleared is too old to be joined. `forced` 1
 *  joins forced loads only, and an ordinary one is superseded. `lease` is the monotonic ms until which a leader has it. */
export function enterFlight(hashLow: u32, hashHigh: u32, forced: u32, lease: f64): i32 {
  const hash = (<u64>hashHigh << 32) | <u64>hashLow;
  const bucket = bucketAt(homeOf(hash));
  // Two threads that find no flight would each begin one.
  if (!lock(bucket)) return at.answerBusy;
  const answer = enterLocked(hash, forced, lease);
  unlock(bucket);
  return answer;
}

function enterLocked(hash: u64, forced: u32, lease: f64): i32 {
  let isOwn = false;
  for (let probe = 0; probe < at.flightProbeMax; probe++) {
    const number = (<u32>hash + <u32>probe) & (at.flightsMax - 1);
    const flight = flightAt(number);
    if (atomic.load<u32>(flight) != at.flightActive) continue;
    if (atomic.load<u64>(flight, at.flightHash) != hash) continue;
    const kind = load<u32>(flight, at.flightKind);
    if (kind == at.flightFill || atomic.load<u64>(flight, at.flightSequence) < clearEpoch()) continue;
    if (forced && kind != at.flightForced) {
      atomic.cmpxchg<u32>(flight, at.flightActive, at.flightSuperseded);
      continue;
    }
    if (load<u32>(flight, at.flightOwner) == selfId) {
      isOwn = true;
      continue;
    }
    const answer = follow(number, hash);
    if (answer != at.answerFull) return answer;
  }
  if (isOwn) return at.answerTwice;
  return claimFlight(hash, forced ? at.flightForced : at.flightLoad, lease);
}

/** Notes that this thread waits for a flight that was active; answerFull if it ended meanwhile. */
function follow(number: u32, hash: u64): i32 {
  const flight = flightAt(number);
  const holder = atomic.load<u32>(flight, at.flightGeneration);
  const bit = threadBit(selfId);
  if (atomic.or<u64>(flight, bit, at.flightWaiting) & bit) return at.answerTwice;
  // Its owner sets it done and then looks for who waits: either that sees the bit, or this sees that it is not active.
  const isSame = atomic.load<u64>(flight, at.flightHash) == hash && atomic.load<u32>(flight, at.flightGeneration) == holder;
  if (isSame && atomic.load<u32>(flight) == at.flightActive) return at.answerFollow - <i32>number;
  leaveFlight(number);
  return at.answerFull;
}

/** Says to all who look at the flight that they should look again. */
function wake(flight: usize): void {
  atomic.add<u32>(flight, 1, at.flightSignal);
  atomic.notify(flight + at.flightSignal, -1);
}

/** Frees the place of a flight that is done and for which nobody waits. The state names the life, so that of two threads
 *  that are at this one frees it, and not the next flight there. */
function freeIfLeft(flight: usize): void {
  const state = atomic.load<u32>(flight);
  if ((state & at.flightStateMask) != at.flightDone || atomic.load<u64>(flight, at.flightWaiting) != 0) return;
  atomic.cmpxchg<u32>(flight, state, at.flightFree);
}

/** Ends a flight that this thread owns, and tells who waits what came of it. */
export function endFlight(number: u32, outcome: u32, argument: f64): void {
  assertOwn(flightAt(number));
  finish(flightAt(number), outcome, argument);
  retractFlight();
}

function finish(flight: usize, outcome: u32, argument: f64): void {
  store<u32>(flight, outcome, at.flightOutcome);
  store<f64>(flight, argument, at.flightArgument);
  atomic.store<u32>(flight, at.flightDone | (atomic.load<u32>(flight, at.flightGeneration) << at.flightStateShift));
  if (atomic.load<u64>(flight, at.flightWaiting) != 0) wake(flight);
  freeIfLeft(flight);
}

/** This thread waits no longer for a flight; 1 if nobody does any more. */
export function leaveFlight(number: u32): u32 {
  return forget(flightAt(number), selfId) ? 1 : 0;
}

/** Takes a thread out of those that wait; true if it was the last. */
function forget(flight: usize, owner: u32): bool {
  const bit = threadBit(owner);
  if (atomic.and<u64>(flight, ~bit, at.flightWaiting) != bit) return false;
  // Its owner may be loading for those who waited only.
  wake(flight);
  freeIfLeft(flight);
  return true;
}

/** Puts off the end of the lease of a flight that this thread owns. */
export function renewFlight(number: u32, lease: f64): void {
  assertOwn(flightAt(number));
  atomic.store<u64>(flightAt(number), reinterpret<u64>(lease), at.flightLease);
}

/** Called by who waits: 1 if the lease is over by `now` and this call ended it. Then the flight publishes nothing. */
export function expireFlight(number: u32, now: f64): u32 {
  const flight = flightAt(number);
  if (now < reinterpret<f64>(atomic.load<u64>(flight, at.flightLease))) return 0;
  // Twice, as a write may mark it superseded in between.
  for (let state: u32 = at.flightActive; state <= <u32>at.flightSuperseded; state++) {
    if (atomic.cmpxchg<u32>(flight, state, at.flightExpired) != state) continue;
    count(counterFlightsExpired, 1);
    wake(flight);
    return 1;
  }
  return 0;
}

/** 1 if a write, delete or clear of the key came after the flight began, or its lease is over. */
export function isSuperseded(number: u32): bool {
  const flight = flightAt(number);
  if (atomic.load<u32>(flight) != at.flightActive) return true;
  return atomic.load<u64>(flight, at.flightSequence) < clearEpoch();
}

/** The newest sequence when the flight began. */
export function flightSequenceOf(number: u32): u64 {
  return atomic.load<u64>(flightAt(number), at.flightSequence);
}

/** Marks the flights of a key superseded. Call with the key's home lock held, after the slot has changed. */
export function invalidateFlights(hash: u64): void {
  if (atomic.load<u64>(at.controlFlightThreads) == 0) return;
  for (let probe = 0; probe < at.flightProbeMax; probe++) {
    const flight = flightAt(<u32>hash + <u32>probe);
    if (atomic.load<u64>(flight, at.flightHash) == hash) {
      atomic.cmpxchg<u32>(flight, at.flightActive, at.flightSuperseded);
    }
  }
}

/** Whose a flight is, thread + 1. While a place is claimed the owner's word may still be that of an older life. */
function ownerOf(flight: usize, state: u32): u32 {
  if ((state & at.flightStateMask) == at.flightClaimed) return state >> at.flightStateShift;
  return load<u32>(flight, at.flightOwner);
}

/** Ends the flights of a thread that is gone, whose fills never came, and its waits; finishes what it was ending. */
export function endFlightsOf(thread: u32): void {
  for (let number: u32 = 0; number < <u32>at.flightsMax; number++) {
    const flight = flightAt(number);
    forget(flight, thread + 1);
    const state = atomic.load<u32>(flight);
    if (state == at.flightFree) continue;
    if ((state & at.flightStateMask) == at.flightDone) {
      // It may have died before it told anybody, or as the last who waited.
      if (atomic.load<u64>(flight, at.flightWaiting) != 0) wake(flight);
      freeIfLeft(flight);
    } else if (ownerOf(flight, state) == thread + 1) {
      finish(flight, at.flightLost, 0);
    }
  }
  store<u32>(at.threadTable + thread * at.threadBlockSize, 0, at.threadFlights);
  atomic.and<u64>(at.controlFlightThreads, ~threadBit(thread + 1));
}
