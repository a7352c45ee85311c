// The flight table: loads and asynchronous sets under way. A flight is active before its source is
// read. Each write or delete of the key marks it superseded, and publish refuses a superseded fill;
// both hold the key's home lock. Writers skip the table while controlFlightThreads is 0. Threads
// join each other's loads: under the home lock a thread leads the key's flight or follows the
// leader. The owner sets a flight done. It is free when it is done and nobody waits; whoever comes
// last, the owner or the last waiter, frees it.
import * as fl from "../flight-layout";
import * as at from "../layout";
import { counterFlightsExpired } from "../../stats/counters";
import { bucketAt, lock, unlock } from "./index/bucket";
import {
  block,
  count,
  epochOf,
  flightBase,
  flightCount,
  flightHashes,
  selfId,
} from "./geometry";
import { homeOf } from "./index/slot";
import { wakeJanitor } from "./segments/segments";

// @ts-ignore: decorator
@inline
export function flightAt(number: u32): usize {
  return flightBase + <usize>number * fl.flightSize;
}

/** The address of the hash of a flight's key. It stays when the flight ends. */
// @ts-ignore: decorator
@inline
function hashAt(number: u32): usize {
  return flightHashes + <usize>number * fl.flightHashSize;
}

/** One of the two windows of a hash. They are never the same. */
export function flightWindowOf(hashLow: u32, hashHigh: u32, which: u32): u32 {
  const last = (flightCount >> fl.flightWindowShift) - 1;
  const first = hashLow & last;
  if (which == 0) return first;
  const second = hashHigh & last;
  return second == first ? first ^ 1 : second;
}

/** The number of the first flight of a window of the hash. */
// @ts-ignore: decorator
@inline
function windowStart(hash: u64, which: u32): u32 {
  return flightWindowOf(<u32>hash, <u32>(hash >> 32), which) << fl.flightWindowShift;
}

// @ts-ignore: decorator
@inline
export function stateOf(flight: usize): u32 {
  return atomic.load<u32>(flight) & fl.flightStateMask;
}

/** The state word of a flight in another state, of the same generation. */
// @ts-ignore: decorator
@inline
export function inState(word: u32, state: u32): u32 {
  return (word & ~(<u32>fl.flightStateMask)) | state;
}

/** This thread owns the flight, and the flight has not ended. */
// @ts-ignore: decorator
@inline
function assertOwn(flight: usize): void {
  if (ASC_NO_ASSERT) return;
  assert(load<u32>(flight, fl.flightOwner) == selfId);
  const state = stateOf(flight);
  assert(state != fl.flightFree && state != fl.flightDone);
}

/** Claims a free flight for the hash; answers its number, or answerFull. */
export function claimFlight(hash: u64, kind: u32, lease: f64, space: u32): i32 {
  announceFlight();
  const first = windowStart(hash, 0);
  const second = windowStart(hash, 1);
  const free = freeFrom(first);
  // The window with more free flights: so windows fill evenly, and of as many keys as there are
  // flights 19 in 20 find one.
  const isSecond = free < fl.flightWindow && freeFrom(second) > free;
  let number = claimFrom(isSecond ? second : first, hash, kind, lease, space);
  if (number < 0) number = claimFrom(isSecond ? first : second, hash, kind, lease, space);
  if (number < 0) retractFlight();
  return number;
}

/** How many flights of a window are free. */
function freeFrom(start: u32): i32 {
  let free = 0;
  for (let number = start; number < start + fl.flightWindow; number++) {
    if (atomic.load<u32>(flightAt(number)) == fl.flightFree) free += 1;
  }
  return free;
}

function claimFrom(start: u32, hash: u64, kind: u32, lease: f64, space: u32): i32 {
  for (let number = start; number < start + fl.flightWindow; number++) {
    const flight = flightAt(number);
    // The claim names the thread, so a flight has an owner at every moment.
    const claimed = fl.flightClaimed | (selfId << fl.flightStateShift);
    if (atomic.cmpxchg<u32>(flight, fl.flightFree, claimed) != fl.flightFree) continue;
    atomic.store<u64>(hashAt(number), hash);
    store<u32>(flight, selfId, fl.flightOwner);
    const generation = atomic.add<u32>(flight, 1, fl.flightGeneration) + 1;
    store<u32>(flight, kind, fl.flightKind);
    store<u32>(flight, space, fl.flightSpace);
    atomic.store<u64>(flight, reinterpret<u64>(lease), fl.flightLease);
    atomic.store<u64>(flight, atomic.load<u64>(at.controlSequence), fl.flightSequence);
    atomic.store<u32>(flight, fl.flightActive | (generation << fl.flightStateShift));
    return number;
  }
  return fl.answerFull;
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
  wakeJanitor(); // which watches over threads that have flights
}

/** Counts one flight less, after it is done: no write needs to supersede it. */
function retractFlight(): void {
  const own = load<u32>(block, at.threadFlights);
  store<u32>(block, own - 1, at.threadFlights);
  if (own == 1) atomic.and<u64>(at.controlFlightThreads, ~threadBit(selfId));
}

/** Begins a flight that nobody joins, for the hash of a key of a namespace; answers its number,
 *  answerFull or answerGuarded. */
export function beginFlight(hashLow: u32, hashHigh: u32, space: u32): i32 {
  const hash = (<u64>hashHigh << 32) | <u64>hashLow;
  const number = claimFlight(hash, fl.flightFill, Infinity, space);
  // A guard is claimed before it looks for flights, and this flight before it looks for guards: so
  // at least one of the two sees the other.
  if (number < 0 || !isGuarded(hash)) return number;
  endFlight(number, fl.flightAgain, 0);
  return fl.answerGuarded;
}

/** Is a guarded write of the key under way? */
function isGuarded(hash: u64): bool {
  for (let which: u32 = 0; which < <u32>fl.flightWindows; which++) {
    const start = windowStart(hash, which);
    for (let number = start; number < start + fl.flightWindow; number++) {
      if (atomic.load<u64>(hashAt(number)) == hash && isGuard(flightAt(number))) return true;
    }
  }
  return false;
}

/** A guard that has not ended, superseded or not. */
function isGuard(flight: usize): bool {
  const state = stateOf(flight);
  if (state != fl.flightActive && state != fl.flightSuperseded) return false;
  return load<u32>(flight, fl.flightKind) == fl.flightGuard;
}

/** For a guard that begins, with the home lock held: supersedes every other flight of the key, and
 *  this guard too if one of them is a guard. */
export function supersedeOthers(hash: u64, guard: u32): void {
  for (let which: u32 = 0; which < <u32>fl.flightWindows; which++) {
    const start = windowStart(hash, which);
    for (let number = start; number < start + fl.flightWindow; number++) {
      if (number == guard || atomic.load<u64>(hashAt(number)) != hash) continue;
      if (isGuard(flightAt(number))) supersede(guard, hash);
      supersede(number, hash);
    }
  }
}

/** Leads the load of a key, or follows the thread that leads it. Answers the number of the flight
 *  to lead, `answerFollow - flight`, answerFull, answerTwice, answerBusy or answerGuarded. A flight
 *  that was superseded or cleared is too old to join. With `forced` 1, joins none and supersedes
 *  every load under way, this thread's too. With `mayClaim` 0, others wait for a free flight: it
 *  follows, or answers answerFull and changes nothing. `lease` is the monotonic time in ms until
 *  which the leader has the flight. */
export function enterFlight(
  hashLow: u32,
  hashHigh: u32,
  forced: u32,
  mayClaim: u32,
  lease: f64,
  space: u32,
): i32 {
  const hash = (<u64>hashHigh << 32) | <u64>hashLow;
  const bucket = bucketAt(homeOf(hash));
  // Without the lock, two threads that both find no flight would each begin one.
  if (!lock(bucket)) return at.answerBusy;
  const answer = enterLocked(hash, forced, mayClaim, lease, space);
  unlock(bucket);
  return answer;
}

function enterLocked(hash: u64, forced: u32, mayClaim: u32, lease: f64, space: u32): i32 {
  let isOwn = false;
  for (let which: u32 = 0; which < <u32>fl.flightWindows; which++) {
    const start = windowStart(hash, which);
    for (let number = start; number < start + fl.flightWindow; number++) {
      if (atomic.load<u64>(hashAt(number)) != hash) continue;
      const flight = flightAt(number);
      // While it lasts the key has no flight that could be joined: the guard has superseded them.
      if (isGuard(flight)) return fl.answerGuarded;
      const word = atomic.load<u32>(flight);
      if ((word & fl.flightStateMask) != fl.flightActive) continue;
      const kind = load<u32>(flight, fl.flightKind);
      if (kind == fl.flightFill || isClearedFlight(flight)) continue;
      if (forced) {
        if (mayClaim) supersede(number, hash);
        continue;
      }
      if (load<u32>(flight, fl.flightOwner) == selfId) {
        isOwn = true;
        continue;
      }
      const answer = follow(number, hash, word);
      if (answer != fl.answerFull) return answer;
    }
  }
  if (isOwn) return fl.answerTwice;
  if (!mayClaim) return fl.answerFull;
  return claimFlight(hash, forced ? fl.flightForced : fl.flightLoad, lease, space);
}

/** Notes that this thread waits for a flight whose state was `word`, active; answerFull if it ended
 *  meanwhile. */
function follow(number: u32, hash: u64, word: u32): i32 {
  const flight = flightAt(number);
  const bit = threadBit(selfId);
  if (atomic.or<u64>(flight, bit, fl.flightWaiting) & bit) return fl.answerTwice;
  // The owner sets the flight done and then looks at the waiters. So either it sees our bit, or we
  // see that the flight is no longer active. The word names the generation, whose hash was there
  // before it was active.
  const isSame = atomic.load<u64>(hashAt(number)) == hash && atomic.load<u32>(flight) == word;
  if (isSame) return fl.answerFollow - <i32>number;
  leaveFlight(number);
  return fl.answerFull;
}

/** Wakes every thread that waits on the flight, to look at it again. */
function wake(flight: usize): void {
  atomic.add<u32>(flight, 1, fl.flightSignal);
  atomic.notify(flight + fl.flightSignal, -1);
}

/** Frees a flight that is done and has no waiters. The done state includes the generation, so of
 *  two threads that get here only one frees the flight, and neither frees the next one in its
 *  position. */
function freeIfLeft(flight: usize): void {
  const state = atomic.load<u32>(flight);
  if (
    (state & fl.flightStateMask) != fl.flightDone ||
    atomic.load<u64>(flight, fl.flightWaiting) != 0
  )
    return;
  atomic.cmpxchg<u32>(flight, state, fl.flightFree);
}

/** Ends a flight that this thread owns, and gives the outcome to its waiters. */
export function endFlight(number: u32, outcome: u32, argument: f64): void {
  assertOwn(flightAt(number));
  finish(flightAt(number), outcome, argument);
  retractFlight();
}

function finish(flight: usize, outcome: u32, argument: f64): void {
  store<u32>(flight, outcome, fl.flightOutcome);
  store<f64>(flight, argument, fl.flightArgument);
  atomic.store<u32>(
    flight,
    fl.flightDone | (atomic.load<u32>(flight, fl.flightGeneration) << fl.flightStateShift),
  );
  if (atomic.load<u64>(flight, fl.flightWaiting) != 0) wake(flight);
  freeIfLeft(flight);
}

/** Stops waiting for a flight; 1 if this thread was the last waiter. */
export function leaveFlight(number: u32): u32 {
  return forget(flightAt(number), selfId) ? 1 : 0;
}

/** Removes a thread from a flight's waiters; true if it was the last. */
function forget(flight: usize, owner: u32): bool {
  const bit = threadBit(owner);
  if (atomic.and<u64>(flight, ~bit, fl.flightWaiting) != bit) return false;
  // The owner may be loading for its waiters only.
  wake(flight);
  freeIfLeft(flight);
  return true;
}

/** Extends the lease of a flight that this thread owns. */
export function renewFlight(number: u32, lease: f64): void {
  assertOwn(flightAt(number));
  atomic.store<u64>(flightAt(number), reinterpret<u64>(lease), fl.flightLease);
}

/** Called by a waiter: 1 if the lease is over at `now` and this call expired the flight. An
 *  expired flight publishes nothing. */
export function expireFlight(number: u32, now: f64): u32 {
  const flight = flightAt(number);
  if (now < reinterpret<f64>(atomic.load<u64>(flight, fl.flightLease))) return 0;
  let word = atomic.load<u32>(flight);
  // More than once, since a write may supersede the flight in between.
  for (;;) {
    const state = word & fl.flightStateMask;
    if (state != fl.flightActive && state != fl.flightSuperseded) return 0;
    const seen = atomic.cmpxchg<u32>(flight, word, inState(word, fl.flightExpired));
    if (seen == word) break;
    word = seen;
  }
  count(counterFlightsExpired, 1);
  wake(flight);
  return 1;
}

/** True if the flight has ended, its lease is over, or a write, delete or clear of the key came
 *  after it began. */
export function isSuperseded(number: u32): bool {
  const flight = flightAt(number);
  if (stateOf(flight) != fl.flightActive) return true;
  return isClearedFlight(flight);
}

/** True if the cache or the flight's namespace was cleared after the flight began. */
function isClearedFlight(flight: usize): bool {
  const epoch = epochOf(load<u32>(flight, fl.flightSpace));
  return atomic.load<u64>(flight, fl.flightSequence) < epoch;
}

/** The newest sequence when the flight began. */
export function flightSequenceOf(number: u32): u64 {
  return atomic.load<u64>(flightAt(number), fl.flightSequence);
}

/** Marks the flights of a key superseded. Call with the key's home lock held, after the slot has
 *  changed; evictUnlocked, which has no lock, calls it before. */
export function invalidateFlights(hash: u64): void {
  if (atomic.load<u64>(at.controlFlightThreads) == 0) return;
  for (let which: u32 = 0; which < <u32>fl.flightWindows; which++) {
    const start = windowStart(hash, which);
    for (let number = start; number < start + fl.flightWindow; number++) {
      if (atomic.load<u64>(hashAt(number)) == hash) supersede(number, hash);
    }
  }
}

/** Marks a flight superseded if it is active and its hash is still this one. Its word names the
 *  generation, so a later flight of another key with the same number stays as it is. */
function supersede(number: u32, hash: u64): void {
  const flight = flightAt(number);
  const word = atomic.load<u32>(flight);
  if ((word & fl.flightStateMask) != fl.flightActive) return;
  if (atomic.load<u64>(hashAt(number)) != hash) return;
  atomic.cmpxchg<u32>(flight, word, inState(word, fl.flightSuperseded));
}

/** The thread id + 1 of a flight's owner. While a flight is claimed, its owner word may still be
 *  that of an older generation, so the state names the claimer. */
function ownerOf(flight: usize, state: u32): u32 {
  if ((state & fl.flightStateMask) == fl.flightClaimed) return state >> fl.flightStateShift;
  return load<u32>(flight, fl.flightOwner);
}

/** Ends the flights of a dead thread, whose fills never come, and its waits. Completes what it
 *  was about to end. */
export function endFlightsOf(thread: u32): void {
  // The pool's workers begin no flights and wait for none.
  if (thread >= <u32>at.userThreadsMax) return;
  const owner = thread + 1;
  for (let number: u32 = 0; number < flightCount; number++) {
    const flight = flightAt(number);
    // Reads before it writes, so that pages of flights that were never used stay uncommitted.
    if (atomic.load<u64>(flight, fl.flightWaiting) & threadBit(owner)) forget(flight, owner);
    const state = atomic.load<u32>(flight);
    if (state == fl.flightFree) continue;
    if ((state & fl.flightStateMask) == fl.flightDone) {
      // The thread may have died before it woke the waiters, or as the last waiter.
      if (atomic.load<u64>(flight, fl.flightWaiting) != 0) wake(flight);
      freeIfLeft(flight);
    } else if (ownerOf(flight, state) == owner) {
      finish(flight, fl.flightLost, 0);
    }
  }
  store<u32>(at.threadTable + thread * at.threadBlockSize, 0, at.threadFlights);
  atomic.and<u64>(at.controlFlightThreads, ~threadBit(owner));
}
