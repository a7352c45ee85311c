// What was written, for threads that keep values by the very key strings they were asked with: such a thread finds a value
// without looking at its slot, so it has to hear of each write instead. A write notes the hash of its key in a ring before
// the slot changes and under the key's lock; a reader that keeps a value first sees that lock free and then the slot
// unchanged. So whoever changed the key before that is seen in the slot, and whoever changes it later is read in the ring
// before the next value is taken from what is kept.
import * as at from "../layout";
import { bucketAt, locatedWord, locateLocation } from "./index/bucket";
import { block } from "./geometry";
import { isSampled } from "./segments/samples";
import { fingerprintOf, frequencyOf, homeOf, locationBits } from "./index/slot";

// @ts-ignore: decorator
@inline
function invalidationAt(number: u64): usize {
  return <usize>at.invalidationLog + ((<usize>number & (at.invalidationsMax - 1)) << 3);
}

/** Notes that the entry of a hash is about to change, or (evictUnlocked) has just gone. */
export function noteInvalidation(hash: u64): void {
  const number = atomic.add<u64>(at.controlInvalidations, 1) + 1;
  atomic.store<u64>(invalidationAt(number), (number << 32) | <u64>(<u32>hash));
}

/** Numbers a change that is of no key: of the near epoch or the state, whose words have changed before. */
export function noteEpoch(): void {
  noteInvalidation(0);
}

/** The number of the last change, as the double that readInvalidations takes. */
export function lastInvalidation(): f64 {
  return reinterpret<f64>(atomic.load<u64>(at.controlInvalidations));
}

/** Reads changes from the one behind `seen` on, at most invalidationBatch; answers how many, which is fewer when the next is
 *  numbered and not written yet, or answerMiss when more have been made than the ring holds. Results: the low halves
 *  of their hashes. */
export function readInvalidations(seen: f64): i32 {
  const first = reinterpret<u64>(seen);
  const newest = atomic.load<u64>(at.controlInvalidations);
  if (newest - first > <u64>at.invalidationsMax) return at.answerMiss;
  let taken: u32 = 0;
  while (taken < <u32>at.invalidationBatch && first + taken != newest) {
    const number = first + taken + 1;
    const word = atomic.load<u64>(invalidationAt(number));
    const lead = <i32>(<u32>(word >> 32) - <u32>number);
    if (lead > 0) return at.answerMiss;
    if (lead < 0) break;
    store<u32>(block + (<usize>taken << 2), <u32>word, at.threadInvalidations);
    taken += 1;
  }
  return <i32>taken;
}

/** After a `findNear` whose word was compared: 1 if the value made from that word may be kept by its key, until a change
 *  of it is noted. Not while a writer holds the key's lock, who may have noted the change already; not before the slot has
 *  counted all hits that it can, since those of what is kept are not counted; and not what is sampled, of which each
 *  request counts. */
export function mayKeepNear(): u32 {
  const hash = load<u64>(block, at.resultHashLow);
  if (isSampled(hash)) return 0;
  const home = homeOf(hash);
  if (atomic.load<u32>(bucketAt(home)) != 0) return 0;
  const location = load<u64>(block, at.resultSlotLow) & locationBits;
  if (locateLocation(home, fingerprintOf(hash), 0, location) == 0) return 0;
  return frequencyOf(locatedWord) == at.slotFrequencyMax ? 1 : 0;
}
