// Invalidates tags: `deleteByTag`, and recovery, which restores what earlier sessions invalidated.
import * as fl from "../../flight-layout";
import * as at from "../../layout";
import * as tagAt from "../../tag-layout";
import { counterTagInvalidations, counterTagOverflows } from "../../../stats/counters";
import { block, count, seed } from "../geometry";
import { lock, unlock } from "../index/bucket";
import { wakeJanitor } from "../segments/segments";
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
    if (slot == 0 && force == 0) return fl.answerFull;
  }
  if (slot == 0) {
    // Also if the lock could not be had: its owner has stopped.
    raiseFloor(nextSequence());
    raiseFloor(nextSequence());
    count(counterTagOverflows, 1);
  }
  atomic.add<u32>(at.controlTagEpoch, 1);
  count(counterTagInvalidations, 1);
  wakeJanitor();
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
