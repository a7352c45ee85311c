// Invalidates tags: `deleteByTag`, and recovery, which restores what earlier sessions invalidated.
// Also what a sweep must know of flights: a fill is refused by what its flight's tags were
// invalidated at, so a tag is remembered while an older flight is active.
import * as at from "../../layout";
import * as tagAt from "../../tag-layout";
import { counterTagInvalidations, counterTagOverflows } from "../../../stats/counters";
import { block, count, seed } from "../geometry";
import { lock, unlock } from "../index/bucket";
import { xxh64 } from "../xxh64";
import {
  homeBucketOf,
  raiseFloor,
  raiseSlot,
  replaceOldest,
  tagSlotNumber,
  takeSlot,
} from "./tag-table";

// @ts-ignore: decorator
@inline
function nextSequence(): u64 {
  return atomic.add<u64>(at.controlSequence, 1) + 1;
}

/** Hashes a tag's name with the cache's seed, into resultTagHash. Never 0, which means
 *  a free slot. */
export function hashTag(name: u32, length: u32): void {
  const hash = xxh64(name, length, seed);
  store<u64>(block, hash == 0 ? 1 : hash, at.resultTagHash);
}

/** Invalidates every record with this tag. answerFull, with nothing changed, if the table has no
 *  slot for it; with `force` 1 the floor rises instead, which voids records of other tags too. The
 *  tag's slot is in resultTagSlot.
 *
 *  It takes a sequence and writes it, then does so again, because of fills, as `clear` does
 *  (../mod.ts): a fill that did not see the first has taken its own sequence before the second. The
 *  tag epoch comes last: whatever a thread finds after it saw the new epoch, it checks against the
 *  new sequence. */
export function invalidateTag(hashLow: u32, hashHigh: u32, force: u32): i32 {
  const hash = (<u64>hashHigh << 32) | <u64>hashLow;
  const home = homeBucketOf(hash);
  let slot: usize = 0;
  if (lock(home)) {
    slot = takeSlot(hash);
    if (slot == 0 && force != 0) {
      slot = replaceOldest(hash);
      if (slot != 0) count(counterTagOverflows, 1);
    }
    if (slot != 0) {
      raiseSlot(slot, nextSequence());
      raiseSlot(slot, nextSequence());
    }
    unlock(home);
    if (slot == 0 && force == 0) return at.answerFull;
  }
  if (slot == 0) {
    // Also if the lock could not be had: its owner has stopped.
    raiseFloor(nextSequence());
    raiseFloor(nextSequence());
    count(counterTagOverflows, 1);
  }
  atomic.add<u32>(at.controlTagEpoch, 1);
  count(counterTagInvalidations, 1);
  store<u32>(block, slot == 0 ? tagAt.noTagSlot : tagSlotNumber(slot), at.resultTagSlot);
  return at.answerDone;
}

/** Recovery calls this before any other thread attaches: what an earlier session invalidated
 *  stays invalidated. */
export function restoreTag(hashLow: u32, hashHigh: u32, sequence: f64): void {
  const hash = (<u64>hashHigh << 32) | <u64>hashLow;
  const home = homeBucketOf(hash);
  if (!lock(home)) return raiseFloor(<u64>sequence);
  let slot = takeSlot(hash);
  if (slot == 0) {
    slot = replaceOldest(hash);
    count(counterTagOverflows, 1);
  }
  if (slot != 0) raiseSlot(slot, <u64>sequence);
  else raiseFloor(<u64>sequence);
  unlock(home);
}

/** Recovery calls this: tagged records up to this sequence are invalidated. */
export function raiseTagFloor(sequence: f64): void {
  raiseFloor(<u64>sequence);
}

// @ts-ignore: decorator
@inline
function flightAt(number: u32): usize {
  return <usize>at.flightTable + <usize>number * at.flightSize;
}

/** The sequence at which the oldest active flight began, Infinity if there is none. A flight that
 *  is claimed and not active yet reads its source later. One that has published by then is in a
 *  slot, where a sweep that begins now finds it. */
export function oldestFlight(): f64 {
  let oldest: f64 = Infinity;
  if (atomic.load<u64>(at.controlFlightThreads) == 0) return oldest;
  for (let number: u32 = 0; number < <u32>at.flightsMax; number++) {
    const flight = flightAt(number);
    if (atomic.load<u32>(flight) != at.flightActive) continue;
    oldest = min<f64>(oldest, <f64>atomic.load<u64>(flight, at.flightSequence));
  }
  return oldest;
}

/** Supersedes the active flights that began before `sequence`, so that tags may be forgotten: what
 *  they bring is answered and not stored. Answers how many. */
export function supersedeFlights(sequence: f64): u32 {
  let superseded: u32 = 0;
  for (let number: u32 = 0; number < <u32>at.flightsMax; number++) {
    const flight = flightAt(number);
    if (atomic.load<u32>(flight) != at.flightActive) continue;
    if (<f64>atomic.load<u64>(flight, at.flightSequence) >= sequence) continue;
    const was = atomic.cmpxchg<u32>(flight, at.flightActive, at.flightSuperseded);
    if (was == at.flightActive) superseded += 1;
  }
  return superseded;
}
