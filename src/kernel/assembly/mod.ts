// The kernel's exports: every thread has its own instance of this module. Compiled by asc;
// ../layout.ts describes the memory that it works on. A verb may be interrupted at any instruction
// by the death of its thread.
import * as at from "../layout";
import * as ns from "../namespace-layout";
import { counterClears } from "../../stats/counters";
import { noteEpoch } from "./invalidations";
import { count, namespaceAt } from "./geometry";
import { clearCounts } from "./index/counts";
import { wakeJanitor } from "./segments/segments";
import { raise } from "./tags/tag-table";

export { lastInvalidation, mayKeepNear, noteEpoch, readInvalidations } from "./invalidations";
export { attach } from "./geometry";
export { recount } from "./index/counts";
export { evictUnlocked, publish, remove } from "./index/entries";
export { beginGuard } from "./index/guard";
export { find, findKnown, hashKey, homeOfEntry, touch, validate } from "./index/lookup";
export { oldestFlight, supersedeFlights } from "./flights-of-tags";
export {
  beginFlight,
  endFlight,
  endFlightsOf,
  enterFlight,
  expireFlight,
  flightWindowOf,
  leaveFlight,
  renewFlight,
} from "./flights";
export {
  claimSegment,
  freeSegment,
  freeSegments,
  pinSegment,
  releaseClaims,
  releaseSegment,
  reserve,
  ring,
  sealOpen,
  sealOrphans,
  setFlushed,
  setDiskCopyLost,
  setDeferred,
  unpinSegment,
  withheldSegments,
  withholdSegment,
} from "./segments/segments";
export {
  extendDisk,
  openDisk,
  sealDisk,
  setTombstoneCount,
  setDiskState,
  takeTombstoneIndex,
} from "./segments/disk-table";
export {
  dropDisk,
  dropInvalidated,
  dropSlot,
  dropUnits,
  insertRecovered,
  relocateDisk,
  supplantByRecovered,
} from "./moves/disk-moves";
export {
  abandonLargeWrite,
  beginLargeWrite,
  chunkCopy,
  demoteChunk,
  demoteHead,
  dropChunk,
  dropHead,
  endLargeWrite,
  findHead,
  findHeadOnDisk,
  lookForHead,
  moveHead,
  noteDeadBytes,
  setValue,
} from "./moves/chunked-values";
export {
  demote,
  demoteAtClose,
  dropRecord,
  checksumOnDisk,
  forgetHits,
  frequencyOfRecord,
  move,
  preload,
  promote,
  promoteRead,
  reserveDiskLocation,
} from "./moves/moves";
export {
  beginStream,
  endStream,
  endStreamsOf,
  isStreamIntact,
  spillingStreams,
  spillStream,
} from "./moves/streams";
export { nextExpired, sweep } from "./moves/sweep";
export { releaseLocks, reconcileIndex } from "./repair";
export { hashTag, invalidateTag, raiseTagFloor, restoreTag } from "./tags/tag-invalidation";
export { beginTagSweep, forgetTags } from "./tags/tag-table";
export { checkTags } from "./tags/tagged-records";

/** Takes a sequence, raises a clear epoch to it and so hides every record up to it. Answers the
 *  sequence. */
function raiseClearEpoch(word: usize): u64 {
  const epoch = atomic.add<u64>(at.controlSequence, 1) + 1;
  let seen = atomic.load<u64>(word);
  while (seen < epoch) {
    const was = atomic.cmpxchg<u64>(word, seen, epoch);
    if (was == seen) break;
    seen = was;
  }
  return epoch;
}

/** Clears the cache in O(1): hides every record up to a new sequence, and answers that sequence.
 *  It raises the epoch twice because of fills. A fill that checks after the first raise is
 *  superseded. A fill that checked before the first raise took its sequence earlier still, so
 *  the second epoch is above it and hides it. */
export function clear(): f64 {
  const epoch = clearUpTo(at.controlClearEpoch);
  for (let space = 1; space <= at.namespacesMax; space++) clearCounts(space, false);
  return epoch;
}

/** The same for one namespace. */
export function clearSpace(space: u32): f64 {
  const epoch = clearUpTo(namespaceAt(space) + ns.namespaceClearEpoch);
  clearCounts(space, true);
  atomic.add<u32>(at.controlNamespaceClears, 1);
  return epoch;
}

function clearUpTo(word: usize): f64 {
  raiseClearEpoch(word);
  const epoch = raiseClearEpoch(word);
  atomic.add<u32>(at.controlNearEpoch, 1);
  noteEpoch();
  count(counterClears, 1);
  return <f64>epoch;
}

/** Sets the coarse clock. The clock never goes back. */
export function tick(now: f64): void {
  // Not "<=": a clock that gives NaN must leave it alone too.
  if (!(now > load<f64>(at.controlClock))) return;
  store<f64>(at.controlClock, now);
  // With an injected clock the janitor learns here that an entry may have ended.
  if (now >= reinterpret<f64>(atomic.load<u64>(at.controlSoonest))) wakeJanitor();
}

/** Recovery calls this: new sequences start above everything on disk, and what an earlier
 *  session cleared stays cleared. Neither goes down: a directory may be taken over by a cache that
 *  is in use. */
export function raiseSequence(sequence: f64, epoch: f64): void {
  raise(at.controlSequence, <u64>sequence);
  raise(at.controlClearEpoch, <u64>epoch);
}
