// The memory segments: taking a free one, appending to the thread's own, sealing, giving back. A segment's owner is
// the only one that appends to it, so appending needs no lock; state changes are one CAS each.
import * as at from "../../layout";
import * as rec from "../../../record/layout";
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

let searchFrom: u32 = 0;

/** How many segments are free, at most `limit`. Counted anew each time: a count kept beside the states would be wrong for
 *  good once a thread died between the two. */
export function freeSegments(limit: u32): u32 {
  let free: u32 = 0;
  for (let segment: u32 = 0; segment < segmentCount && free < limit; segment++) {
    if (atomic.load<u32>(segmentEntry(segment)) == at.segmentFree) free += 1;
  }
  return free;
}

/** A segment's state while a thread has it open or empties it. */
// @ts-ignore: decorator
@inline
function heldState(state: u32, thread: u32): u32 {
  return state | ((thread + 1) << at.segmentThreadShift);
}

/** Takes a free segment for this thread; answers its number + 1, or 0. Only the janitor may take the last few. */
function takeSegment(log: u32, privileged: bool): u32 {
  if (!privileged && freeSegments(reserveSegments + 1) <= reserveSegments) return 0;
  const open = heldState(at.segmentOpen, selfId - 1);
  for (let step: u32 = 0; step < segmentCount; step++) {
    searchFrom = searchFrom + 1 < segmentCount ? searchFrom + 1 : 0;
    const entry = segmentEntry(searchFrom);
    if (atomic.cmpxchg<u32>(entry, at.segmentFree, open) != at.segmentFree) continue;
    store<u32>(entry, log, at.segmentLog);
    return searchFrom + 1;
  }
  return 0;
}

/** Seals a segment this thread has open: it is never written again. */
function sealSegment(segment: u32): void {
  const entry = segmentEntry(segment);
  store<f64>(entry, <f64>atomic.load<u64>(at.controlSequence), at.segmentSealOrder);
  atomic.store<u32>(entry, at.segmentSealed);
  count(counterSegmentsSealed, 1);
  ring();
}

function openSegmentWord(log: u32): usize {
  return block + (log == at.logMain ? at.threadOpenMainSegment : at.threadOpenSegment);
}

/** Seals what this thread has open in a log; for a thread that leaves. */
export function sealOpen(log: u32): void {
  const word = openSegmentWord(log);
  const open = load<u32>(word);
  if (open == 0) return;
  store<u32>(word, 0);
  sealSegment(open - 1);
}

/** Offset in shared memory of `bytes` free bytes at the end of the thread's open segment, which is not moved past
 *  them; 0 if there is no segment to be had. For keys too long for the scratch. */
export function stage(bytes: u32, log: u32, privileged: u32): u32 {
  const word = openSegmentWord(log);
  const aligned = (bytes + 7) & ~7;
  if (aligned > segmentBytes) return 0;
  let open = load<u32>(word);
  if (open != 0) {
    const end = load<u32>(segmentEntry(open - 1), at.segmentWriteOffset);
    if (end + aligned <= segmentBytes) return <u32>(segmentBase + (<usize>(open - 1) << segmentShift) + end);
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

/** Appends room for a record of `bytes` to the thread's open segment; answers its offset in shared memory, or 0 when
 *  no segment is free. The record counts as unpublished (sequence 0) until publish. */
export function reserve(bytes: u32, log: u32, privileged: u32): u32 {
  const record = stage(bytes, log, privileged);
  if (record == 0) return 0;
  const entry = segmentEntry(segmentOfRecord(record));
  store<u32>(record, bytes, rec.recordSize);
  store<u64>(record, 0, rec.recordSequence);
  atomic.store<u32>(entry, load<u32>(entry, at.segmentWriteOffset) + ((bytes + 7) & ~7), at.segmentWriteOffset);
  return record;
}

/** Keeps the segment's newest expiry and sequence; its owner calls it for each record that it publishes there. */
export function noteRecord(record: usize, sequence: u64): void {
  const entry = segmentEntry(segmentOfRecord(<u32>record));
  const deadline = deadlineOf(record);
  const seen = load<f64>(entry, at.segmentMaxExpires);
  store<f64>(entry, deadline == 0 ? Infinity : max<f64>(seen, deadline), at.segmentMaxExpires);
  store<f64>(entry, max<f64>(load<f64>(entry, at.segmentMaxSequence), <f64>sequence), at.segmentMaxSequence);
}

let missedLock: u32 = 0;

/** A record could not be visited, since its bucket's lock could not be had. A slot may still name it then, and a writer
 *  may still read its header, so the segment being emptied must not be freed. */
export function noteMissedLock(bucket: u32): void {
  missedLock = bucket + 1;
}

/** Claims a sealed segment for eviction; 1 if this thread got it. */
export function claimSegment(segment: u32): u32 {
  missedLock = 0;
  const entry = segmentEntry(segment);
  const claimed = heldState(at.segmentEvicting, selfId - 1);
  if (atomic.cmpxchg<u32>(entry, at.segmentSealed, claimed) != at.segmentSealed) return 0;
  // Whoever pins stores the pin and then loads the state, so at least one of the two sees the other.
  if (atomic.load<u32>(entry, at.segmentPin) == 0) return 1;
  atomic.store<u32>(entry, at.segmentSealed);
  return 0;
}

/** Notes that no slot names a record any more: its bytes are for whoever makes room. */
export function noteDead(record: u32, size: u32): void {
  atomic.add<u32>(segmentEntry(segmentOfRecord(record)), size, at.segmentDeadBytes);
}

/** Keeps a segment from being claimed while the janitor reads it; 0 if it is free or claimed already. */
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

/** Seals again what a thread that is gone had claimed: evicting it anew finds what is left. */
export function releaseClaims(thread: u32): void {
  const claimed = heldState(at.segmentEvicting, thread);
  for (let segment: u32 = 0; segment < segmentCount; segment++) {
    atomic.cmpxchg<u32>(segmentEntry(segment), claimed, at.segmentSealed);
  }
}

/** Frees a claimed segment whose every slot was changed: first it is made empty, then the generation, then the state. If
 *  a record could not be visited, the segment is blocked instead, until that bucket's lock is free (sweep). Emptied
 *  here and not by who takes it next: the flusher may look at an open segment at any moment. */
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
  // The generation's low bits come round: words that near caches still hold could name a new record from here on.
  if ((generation & generationMask) == 0) atomic.add<u32>(at.controlNearEpoch, 1);
  atomic.store<u32>(entry, at.segmentFree);
}

/** Makes blocked segments sealed again whose lock is free by now; their eviction begins anew. */
export function unblockSegments(): void {
  for (let segment: u32 = 0; segment < segmentCount; segment++) {
    const entry = segmentEntry(segment);
    if (atomic.load<u32>(entry) != at.segmentBlocked) continue;
    const bucket = bucketBase + <usize>load<u32>(entry, at.segmentBlocker) * at.bucketSize;
    if (atomic.load<u32>(bucket) == 0) atomic.cmpxchg<u32>(entry, at.segmentBlocked, at.segmentSealed);
  }
}

/** Everything before `offset` of the segment's life `generation` is on disk or was refused. */
export function setFlushed(segment: u32, offset: u32, generation: u32): void {
  const entry = segmentEntry(segment);
  if (atomic.load<u32>(entry, at.segmentGeneration) != generation) return;
  atomic.store<u32>(entry, offset, at.segmentFlushedOffset);
}

/** Notes that a record in this segment has lost its copy on disk, or (0) that a flush looks at all of them again. */
export function setDiskCopyLost(segment: u32, diskCopyLost: u32): void {
  atomic.store<u32>(segmentEntry(segment), diskCopyLost, at.segmentDiskCopyLost);
}

/** Notes that admission put off a record in this segment, or (0) that a flush looks at all of them again. */
export function setDeferred(segment: u32, deferred: u32): void {
  atomic.store<u32>(segmentEntry(segment), deferred, at.segmentDeferred);
}

/** Seals the open segments of a thread that is gone, so that their records can be flushed and evicted. */
export function sealOrphans(thread: u32): void {
  const open = heldState(at.segmentOpen, thread);
  for (let segment: u32 = 0; segment < segmentCount; segment++) {
    if (atomic.load<u32>(segmentEntry(segment)) == open) sealSegment(segment);
  }
}
