// The flight table: loads and asynchronous sets under way. A flight is active before its source is
// read. Each write or delete of the key marks it superseded, and publish refuses a superseded fill;
// both hold the key's home lock. Writers skip the table while controlFlightThreads is 0. Threads
// join each other's loads: under the home lock a thread leads the key's flight or follows the
// leader. The owner sets a flight done. It is free when it is done and nobody waits; whoever comes
// last, the owner or the last waiter, frees it.
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

/** This thread owns the flight, and the flight has not ended. */
// @ts-ignore: decorator
@inline
function assertOwn(flight: usize): void {
  if (ASC_NO_ASSERT) return;
  assert(load<u32>(flight, at.flightOwner) == selfId);
  const state = atomic.load<u32>(flight) & at.flightStateMask;
  assert(state != at.flightFree && state != at.flightDone);
}

/** Claims a free flight for the hash; answers its number, or answerFull. */
function claimFlight(hash: u64, kind: u32, lease: f64): i32 {
  announceFlight();
  for (let probe = 0; probe < at.flightProbeMax; probe++) {
    const number = (<u32>hash + <u32>probe) & (at.flightsMax - 1);
    const flight = flightAt(number);
    // The claim names the thread, so a flight has an owner at every moment.
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
  assert(owner <= <u32>at.userThreadsMax);
  return (<u64>1) << (owner - 1);
}

/** Counts one more flight of this thread, before it claims one. From here on no write skips the
 *  table. */
function announceFlight(): void {
  const own = load<u32>(block, at.threadFlights);
  store<u32>(block, own + 1, at.threadFlights);
  if (own == 0) atomic.or<u64>(at.controlFlightThreads, threadBit(selfId));
}

/** Counts one flight less, after it is done: no write needs to supersede it. */
function retractFlight(): void {
  const own = load<u32>(block, at.threadFlights);
  store<u32>(block, own - 1, at.threadFlights);
  if (own == 1) atomic.and<u64>(at.controlFlightThreads, ~threadBit(selfId));
}

/** Begins a flight that nobody joins, for a key's hash; answers its number, or answerFull. */
export function beginFlight(hashLow: u32, hashHigh: u32): i32 {
  return claimFlight((<u64>hashHigh << 32) | <u64>hashLow, at.flightFill, Infinity);
}

/** Leads the load of a key, or follows the thread that leads it. Answers the number of the
 *  flight to lead, `answerFollow - flight`, answerFull, answerTwice or answerBusy. A flight that
 *  was superseded or cleared is too old to join. With `forced` 1, joins none and supersedes every
 *  load under way, this thread's too. `lease` is the monotonic time in ms until which the leader
 *  has the flight. */
export function enterFlight(hashLow: u32, hashHigh: u32, forced: u32, lease: f64): i32 {
  const hash = (<u64>hashHigh << 32) | <u64>hashLow;
  const bucket = bucketAt(homeOf(hash));
  // Without the lock, two threads that both find no flight would each begin one.
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
    if (kind == at.flightFill || atomic.load<u64>(flight, at.flightSequence) < clearEpoch())
      continue;
    if (forced) {
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
  const generation = atomic.load<u32>(flight, at.flightGeneration);
  const bit = threadBit(selfId);
  if (atomic.or<u64>(flight, bit, at.flightWaiting) & bit) return at.answerTwice;
  // The owner sets the flight done and then looks at the waiters. So either it sees our bit, or we
  // see that the flight is no longer active.
  const isSame =
    atomic.load<u64>(flight, at.flightHash) == hash &&
    atomic.load<u32>(flight, at.flightGeneration) == generation;
  if (isSame && atomic.load<u32>(flight) == at.flightActive) return at.answerFollow - <i32>number;
  leaveFlight(number);
  return at.answerFull;
}

/** Wakes every thread that waits on the flight, to look at it again. */
function wake(flight: usize): void {
  atomic.add<u32>(flight, 1, at.flightSignal);
  atomic.notify(flight + at.flightSignal, -1);
}

/** Frees a flight that is done and has no waiters. The done state includes the generation, so of
 *  two threads that get here only one frees the flight, and neither frees the next one in its
 *  position. */
function freeIfLeft(flight: usize): void {
  const state = atomic.load<u32>(flight);
  if (
    (state & at.flightStateMask) != at.flightDone ||
    atomic.load<u64>(flight, at.flightWaiting) != 0
  )
    return;
  atomic.cmpxchg<u32>(flight, state, at.flightFree);
}

/** Ends a flight that this thread owns, and gives the outcome to its waiters. */
export function endFlight(number: u32, outcome: u32, argument: f64): void {
  assertOwn(flightAt(number));
  finish(flightAt(number), outcome, argument);
  retractFlight();
}

function finish(flight: usize, outcome: u32, argument: f64): void {
  store<u32>(flight, outcome, at.flightOutcome);
  store<f64>(flight, argument, at.flightArgument);
  atomic.store<u32>(
    flight,
    at.flightDone | (atomic.load<u32>(flight, at.flightGeneration) << at.flightStateShift),
  );
  if (atomic.load<u64>(flight, at.flightWaiting) != 0) wake(flight);
  freeIfLeft(flight);
}

/** Stops waiting for a flight; 1 if this thread was the last waiter. */
export function leaveFlight(number: u32): u32 {
  return forget(flightAt(number), selfId) ? 1 : 0;
}

/** Removes a thread from a flight's waiters; true if it was the last. */
function forget(flight: usize, owner: u32): bool {
  const bit = threadBit(owner);
  if (atomic.and<u64>(flight, ~bit, at.flightWaiting) != bit) return false;
  // The owner may be loading for its waiters only.
  wake(flight);
  freeIfLeft(flight);
  return true;
}

/** Extends the lease of a flight that this thread owns. */
export function renewFlight(number: u32, lease: f64): void {
  assertOwn(flightAt(number));
  atomic.store<u64>(flightAt(number), reinterpret<u64>(lease), at.flightLease);
}

/** Called by a waiter: 1 if the lease is over at `now` and this call expired the flight. An
 *  expired flight publishes nothing. */
export function expireFlight(number: u32, now: f64): u32 {
  const flight = flightAt(number);
  if (now < reinterpret<f64>(atomic.load<u64>(flight, at.flightLease))) return 0;
  // Tries both states, since a write may supersede the flight in between.
  for (let state: u32 = at.flightActive; state <= <u32>at.flightSuperseded; state++) {
    if (atomic.cmpxchg<u32>(flight, state, at.flightExpired) != state) continue;
    count(counterFlightsExpired, 1);
    wake(flight);
    return 1;
  }
  return 0;
}

/** True if the flight has ended, its lease is over, or a write, delete or clear of the key came
 *  after it began. */
export function isSuperseded(number: u32): bool {
  const flight = flightAt(number);
  if (atomic.load<u32>(flight) != at.flightActive) return true;
  return atomic.load<u64>(flight, at.flightSequence) < clearEpoch();
}

/** The newest sequence when the flight began. */
export function flightSequenceOf(number: u32): u64 {
  return atomic.load<u64>(flightAt(number), at.flightSequence);
}

/** Marks the flights of a key superseded. Call with the key's home lock held, after the slot has
 *  changed; evictUnlocked, which has no lock, calls it before. */
export function invalidateFlights(hash: u64): void {
  if (atomic.load<u64>(at.controlFlightThreads) == 0) return;
  for (let probe = 0; probe < at.flightProbeMax; probe++) {
    const flight = flightAt(<u32>hash + <u32>probe);
    if (atomic.load<u64>(flight, at.flightHash) == hash) {
      atomic.cmpxchg<u32>(flight, at.flightActive, at.flightSuperseded);
    }
  }
}

/** The thread id + 1 of a flight's owner. While a flight is claimed, its owner word may still be
 *  that of an older generation, so the state names the claimer. */
function ownerOf(flight: usize, state: u32): u32 {
  if ((state & at.flightStateMask) == at.flightClaimed) return state >> at.flightStateShift;
  return load<u32>(flight, at.flightOwner);
}

/** Ends the flights of a dead thread, whose fills never come, and its waits. Completes what it
 *  was about to end. */
export function endFlightsOf(thread: u32): void {
  // The pool's workers begin no flights and wait for none.
  if (thread >= <u32>at.userThreadsMax) return;
  for (let number: u32 = 0; number < <u32>at.flightsMax; number++) {
    const flight = flightAt(number);
    forget(flight, thread + 1);
    const state = atomic.load<u32>(flight);
    if (state == at.flightFree) continue;
    if ((state & at.flightStateMask) == at.flightDone) {
      // The thread may have died before it woke the waiters, or as the last waiter.
      if (atomic.load<u64>(flight, at.flightWaiting) != 0) wake(flight);
      freeIfLeft(flight);
    } else if (ownerOf(flight, state) == thread + 1) {
      finish(flight, at.flightLost, 0);
    }
  }
  store<u32>(at.threadTable + thread * at.threadBlockSize, 0, at.threadFlights);
  atomic.and<u64>(at.controlFlightThreads, ~threadBit(thread + 1));
}
