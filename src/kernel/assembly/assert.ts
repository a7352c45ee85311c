// Checks for the protocols' assumptions, at the points that rely on them. Only the checked build
// that the tests run has them (build.mjs). The shipped builds set ASC_NO_ASSERT, which makes each
// function empty. A failed check traps.
import * as at from "../layout";
import {
  bucketBase,
  lockWord,
  segmentBase,
  segmentCount,
  segmentShift,
  segmentTableBase,
  selfId,
} from "./geometry";

/** This thread owns the bucket's lock. */
// @ts-ignore: decorator
@inline
export function assertLocked(bucket: usize): void {
  if (ASC_NO_ASSERT) return;
  assert(atomic.load<u32>(bucket) == lockWord);
}

/** The address is a slot, not a bucket's lock word. */
// @ts-ignore: decorator
@inline
export function assertSlot(slot: usize): void {
  if (ASC_NO_ASSERT) return;
  assert(slot > bucketBase && ((slot - bucketBase) & 7) == 0 && ((slot - bucketBase) & 63) != 0);
}

/** A record can start here: the address is 8-byte aligned and inside a segment. */
// @ts-ignore: decorator
@inline
export function assertRecord(record: usize): void {
  if (ASC_NO_ASSERT) return;
  assert(record >= segmentBase && (record & 7) == 0);
  assert((record - segmentBase) >> segmentShift < <usize>segmentCount);
}

/** The segment has this state, and this thread holds it. */
// @ts-ignore: decorator
@inline
export function assertHeld(segment: u32, state: u32): void {
  if (ASC_NO_ASSERT) return;
  const entry = segmentTableBase + <usize>segment * at.segmentEntrySize;
  assert(atomic.load<u32>(entry) == (state | (selfId << at.segmentThreadShift)));
}
