// The memory segments: a thread takes a free one, appends to it, and seals it; whoever evicts
// claims and frees it. Invariants: only its holder appends to a segment, so appending needs no
// lock, and each state changes by one atomic operation. A held state names the thread, so recovery
// always knows what a dead thread had.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import { counterSegmentsSealed } from "../../../stats/counters";
import {
  block,
  bucketBase,
  count,
  selfId,
  reserveSegments,
  segmentBase,
  segmentBytes,
  segmentCount,
  segmentShift,
  segmentTableBase,
} from "../geometry";
import { assertHeld } from "../assert";
import { spillingStreams } from "../moves/streams";
import { deadlineOf } from "./record";
import { generationMask, segmentOfRecord } from "../index/slot";

// @ts-ignore: decorator
@inline
export function segmentEntry(segment: u32): usize {
  return segmentTableBase + <usize>segment * at.segmentEntrySize;
}

export function ring(): void {
  atomic.add<u32>(at.controlDoorbell, 1);
  atomic.notify(at.controlDoorbell, 1);
}

/** Wakes the janitor if it sleeps until something changes. Called after a change: the janitor looks
 *  for changes after it has said that it sleeps, so one of the two sees the other. If the thread
 *  dies before it rings, the janitor sleeps as long as it ever does. */
export function wakeJanitor(): void {
  if (atomic.load<u32>(at.controlAsleep) == 0) return;
  if (atomic.cmpxchg<u32>(at.controlAsleep, 1, 0) == 1) ring();
}

/** Lowers the time of the soonest deadline to this one; 0 = never. */
export function noteDeadline(deadline: f64): void {
  if (deadline == 0) return;
  let seen = atomic.load<u64>(at.controlSoonest);
  while (deadline < reinterpret<f64>(seen)) {
    const was = atomic.cmpxchg<u64>(at.controlSoonest, seen, reinterpret<u64>(deadline));
    if (was == seen) return;
    seen = was;
  }
}

/** Tells the janitor of an entry that is new in memory. Called after its slot shows it, since a
 *  sweep that passed the slot before has made the janitor forget all deadlines earlier still. */
export function noteEntry(record: usize): void {
  noteDeadline(deadlineOf(record));
  wakeJanitor();
}

let searchFrom: u32 = 0;

/** How many segments are free, at most `limit`. It counts them each time: a separate count would
 *  stay wrong if a thread died between the change of the state and of the count. */
export function freeSegments(limit: u32): u32 {
  let free: u32 = 0;
  for (let segment: u32 = 0; segment < segmentCount && free < limit; segment++) {
    if (atomic.load<u32>(segmentEntry(segment)) == at.segmentFree) free += 1;
  }
  return free;
}

/** How many segments are withheld. */
export function withheldSegments(): u32 {
  let withheld: u32 = 0;
  for (let segment: u32 = 0; segment < segmentCount; segment++) {
    if (atomic.load<u32>(segmentEntry(segment)) == at.segmentWithheld) withheld += 1;
  }
  return withheld;
}

/** Takes a free segment out of use; 0 if none is free. The last ones first: a segment that was
 *  never used has no pages. */
export function withholdSegment(): u32 {
  for (let left: u32 = segmentCount; left > 0; left--) {
    const entry = segmentEntry(left - 1);
    if (atomic.cmpxchg<u32>(entry, at.segmentFree, at.segmentWithheld) == at.segmentFree) return 1;
  }
  return 0;
}

/** Frees a withheld segment, the first ones first; 0 if none is withheld. */
export function releaseSegment(): u32 {
  for (let segment: u32 = 0; segment < segmentCount; segment++) {
    const entry = segmentEntry(segment);
    if (atomic.cmpxchg<u32>(entry, at.segmentWithheld, at.segmentFree) == at.segmentWithheld) {
      return 1;
    }
  }
  return 0;
}

/** A segment's state while a thread has it open or evicts it. */
// @ts-ignore: decorator
@inline
function heldState(state: u32, thread: u32): u32 {
  return state | ((thread + 1) << at.segmentThreadShift);
}

/** Takes a free segment for this thread; answers its number + 1, or 0. Only a privileged caller
 *  may take the last controlReserve segments. While a stream goes through memory to disk, one that
 *  was used before comes first: one that never was has no pages. */
function takeSegment(log: u32, privileged: bool): u32 {
  if (!privileged && freeSegments(reserveSegments + 1) <= reserveSegments) return 0;
  const taken = spillingStreams() == 0 ? 0 : takeFrom(log, true);
  return taken != 0 ? taken : takeFrom(log, false);
}

function takeFrom(log: u32, isUsed: bool): u32 {
  const open = heldState(at.segmentOpen, selfId - 1);
  for (let step: u32 = 0; step < segmentCount; step++) {
    searchFrom = searchFrom + 1 < segmentCount ? searchFrom + 1 : 0;
    const entry = segmentEntry(searchFrom);
    if (isUsed && atomic.load<u32>(entry, at.segmentGeneration) == 0) continue;
    if (atomic.cmpxchg<u32>(entry, at.segmentFree, open) != at.segmentFree) continue;
    store<u32>(entry, log, at.segmentLog);
    return searchFrom + 1;
  }
  return 0;
}

/** Seals a segment that this thread has open, or a dead thread had: it is never written again
 *  until it is reused. */
function sealSegment(segment: u32): void {
  const entry = segmentEntry(segment);
  store<f64>(entry, <f64>(atomic.add<u64>(at.controlSeals, 1) + 1), at.segmentSealOrder);
  atomic.store<u32>(entry, at.segmentSealed);
  count(counterSegmentsSealed, 1);
  ring();
}

function openSegmentWord(log: u32): usize {
  return block + (log == at.logMain ? at.threadOpenMainSegment : at.threadOpenSegment);
}

/** Seals this thread's open segment of a log. A thread calls it when it leaves. */
export function sealOpen(log: u32): void {
  const word = openSegmentWord(log);
  const open = load<u32>(word);
  if (open == 0) return;
  store<u32>(word, 0);
  sealSegment(open - 1);
}

/** The offset in shared memory of `bytes` free bytes at the end of the thread's open segment,
 *  whose write offset does not move; 0 if no segment is free. */
function freeBytes(bytes: u32, log: u32, privileged: u32): u32 {
  const word = openSegmentWord(log);
  const aligned = (bytes + 7) & ~7;
  if (aligned > segmentBytes) return 0;
  let open = load<u32>(word);
  if (open != 0) {
    const end = load<u32>(segmentEntry(open - 1), at.segmentWriteOffset);
    if (end + aligned <= segmentBytes)
      return <u32>(segmentBase + ((<usize>(open - 1)) << segmentShift) + end);
    store<u32>(word, 0);
    sealSegment(open - 1);
  }
  open = takeSegment(log, privileged != 0);
  if (open == 0) {
    ring();
    return 0;
  }
  store<u32>(word, open);
  return <u32>(segmentBase + (<usize>(open - 1) << segmentShift));
}

/** Appends room for a record of `bytes` bytes to the thread's open segment; answers its offset
 *  in shared memory, or 0 if no segment is free. The record is unpublished (sequence 0) until
 *  publish. */
export function reserve(bytes: u32, log: u32, privileged: u32): u32 {
  const record = freeBytes(bytes, log, privileged);
  if (record == 0) return 0;
  const entry = segmentEntry(segmentOfRecord(record));
  store<u32>(record, bytes, rec.recordSize);
  store<u64>(record, 0, rec.recordSequence);
  atomic.store<u32>(
    entry,
    load<u32>(entry, at.segmentWriteOffset) + ((bytes + 7) & ~7),
    at.segmentWriteOffset,
  );
  return record;
}

/** Maintains the segment's newest expiry and sequence. The segment's holder calls it for each
 *  record that it publishes there. */
export function noteRecord(record: usize, sequence: u64): void {
  const entry = segmentEntry(segmentOfRecord(<u32>record));
  const deadline = deadlineOf(record);
  const seen = load<f64>(entry, at.segmentMaxExpires);
  store<f64>(entry, deadline == 0 ? Infinity : max<f64>(seen, deadline), at.segmentMaxExpires);
  store<f64>(
    entry,
    max<f64>(load<f64>(entry, at.segmentMaxSequence), <f64>sequence),
    at.segmentMaxSequence,
  );
}

let missedLock: u32 = 0;

/** Notes that a record could not be visited because its bucket's lock could not be had. A slot
 *  may still name the record, and a writer may still read its header, so the segment that this
 *  thread is evicting must not be freed. */
export function noteMissedLock(bucket: u32): void {
  missedLock = bucket + 1;
}

/** Claims a sealed segment for eviction; 1 if this thread got it. */
export function claimSegment(segment: u32): u32 {
  missedLock = 0;
  const entry = segmentEntry(segment);
  const claimed = heldState(at.segmentEvicting, selfId - 1);
  if (atomic.cmpxchg<u32>(entry, at.segmentSealed, claimed) != at.segmentSealed) return 0;
  // pinSegment stores the pin and then loads the state; we do the reverse. So at least one of the
  // two sees the other.
  if (atomic.load<u32>(entry, at.segmentPin) == 0) return 1;
  atomic.store<u32>(entry, at.segmentSealed);
  return 0;
}

/** Notes that no slot names a record any more: its bytes are dead. Eviction uses the sum to
 *  choose a segment. */
export function noteDead(record: u32, size: u32): void {
  atomic.add<u32>(segmentEntry(segmentOfRecord(record)), size, at.segmentDeadBytes);
}

/** Keeps a segment from being claimed while the flusher reads it; 0 if it is free or claimed
 *  already. */
export function pinSegment(segment: u32): u32 {
  const entry = segmentEntry(segment);
  atomic.store<u32>(entry, 1, at.segmentPin);
  const state = atomic.load<u32>(entry) & at.segmentStateMask;
  if (state == at.segmentOpen || state == at.segmentSealed) return 1;
  atomic.store<u32>(entry, 0, at.segmentPin);
  return 0;
}

export function unpinSegment(segment: u32): void {
  atomic.store<u32>(segmentEntry(segment), 0, at.segmentPin);
}

/** Seals the segments that a thread had claimed, when it died or gives up: evicting one again
 *  finds what is left. */
export function releaseClaims(thread: u32): void {
  const claimed = heldState(at.segmentEvicting, thread);
  for (let segment: u32 = 0; segment < segmentCount; segment++) {
    atomic.cmpxchg<u32>(segmentEntry(segment), claimed, at.segmentSealed);
  }
}

/** Frees a claimed segment after every slot that named it has changed. The order is: the header
 *  fields, then the generation, then the state. If a record could not be visited, the segment is
 *  blocked instead, until that bucket's lock is free (sweep). The fields are reset here and not
 *  when the segment is taken, since the flusher may look at an open segment at any moment. */
export function freeSegment(segment: u32): void {
  assertHeld(segment, at.segmentEvicting);
  const entry = segmentEntry(segment);
  if (missedLock != 0) {
    store<u32>(entry, missedLock - 1, at.segmentBlocker);
    atomic.store<u32>(entry, at.segmentBlocked);
    return;
  }
  atomic.store<u32>(entry, 0, at.segmentWriteOffset);
  atomic.store<u32>(entry, 0, at.segmentDeadBytes);
  store<u32>(entry, 0, at.segmentFlushedOffset);
  store<u32>(entry, 0, at.segmentDiskCopyLost);
  store<u32>(entry, 0, at.segmentDeferred);
  store<f64>(entry, 0, at.segmentMaxExpires);
  store<f64>(entry, 0, at.segmentMaxSequence);
  const generation = atomic.add<u32>(entry, 1, at.segmentGeneration) + 1;
  // The low bits of the generation have wrapped around: from here on, a word that a near cache
  // still holds could name a new record.
  if ((generation & generationMask) == 0) atomic.add<u32>(at.controlNearEpoch, 1);
  atomic.store<u32>(entry, at.segmentFree);
}

/** Makes each blocked segment sealed again if its lock is free now; its eviction starts again. */
export function unblockSegments(): void {
  for (let segment: u32 = 0; segment < segmentCount; segment++) {
    const entry = segmentEntry(segment);
    if (atomic.load<u32>(entry) != at.segmentBlocked) continue;
    const bucket = bucketBase + <usize>load<u32>(entry, at.segmentBlocker) * at.bucketSize;
    if (atomic.load<u32>(bucket) == 0)
      atomic.cmpxchg<u32>(entry, at.segmentBlocked, at.segmentSealed);
  }
}

/** Notes that everything before `offset` in this generation of the segment is on disk or
 *  refused. */
export function setFlushed(segment: u32, offset: u32, generation: u32): void {
  const entry = segmentEntry(segment);
  if (atomic.load<u32>(entry, at.segmentGeneration) != generation) return;
  atomic.store<u32>(entry, offset, at.segmentFlushedOffset);
}

/** Notes that a record in this segment has lost its disk copy; 0 once a flush looks at all of
 *  them again. */
export function setDiskCopyLost(segment: u32, diskCopyLost: u32): void {
  atomic.store<u32>(segmentEntry(segment), diskCopyLost, at.segmentDiskCopyLost);
}

/** Notes that admission deferred a record in this segment; 0 once a flush looks at all of them
 *  again. */
export function setDeferred(segment: u32, deferred: u32): void {
  atomic.store<u32>(segmentEntry(segment), deferred, at.segmentDeferred);
}

/** Seals the open segments of a dead thread, so that their records can be flushed and evicted. */
export function sealOrphans(thread: u32): void {
  const open = heldState(at.segmentOpen, thread);
  for (let segment: u32 = 0; segment < segmentCount; segment++) {
    if (atomic.load<u32>(segmentEntry(segment)) == open) sealSegment(segment);
  }
}
