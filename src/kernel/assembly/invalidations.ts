// The invalidation log: a ring of the hashes of written keys, for threads that keep near values by
// the key itself. Such a thread finds a value without its slot, so it must hear of each write. A
// writer notes the key's hash before it changes the slot, under the key's lock. A reader that keeps
// a value first sees that lock free and then the slot unchanged. So it sees an earlier change in
// the slot, and reads a later one in this log before it uses the kept value.
import * as at from "../layout";
import { bucketAt, locatedWord, locateLocation } from "./index/bucket";
import { block } from "./geometry";
import { isSampled } from "./segments/samples";
import { fingerprintOf, frequencyOf, homeOf, locationBits } from "./index/slot";
import { noteWritten } from "./written-keys";

export { noteWritten } from "./written-keys";

// @ts-ignore: decorator
@inline
function invalidationAt(number: u64): usize {
  return <usize>at.invalidationLog + ((<usize>number & (at.invalidationsMax - 1)) << 3);
}

/** Notes that the entry of a hash is about to change or, from evictUnlocked, has just changed.
 *  Answers the number of the change. */
export function noteInvalidation(hash: u64): u64 {
  noteWritten(hash);
  const number = atomic.add<u64>(at.controlInvalidations, 1) + 1;
  atomic.store<u64>(invalidationAt(number), (number << 32) | <u64>(<u32>hash));
  return number;
}

/** Numbers a change that concerns no single key. The near epoch or the state has changed before. */
export function noteEpoch(): void {
  noteInvalidation(0);
}

/** The number of the last invalidation, as the double that readInvalidations takes. */
export function lastInvalidation(): f64 {
  return reinterpret<f64>(atomic.load<u64>(at.controlInvalidations));
}

/** Reads the invalidations after `seen`, at most invalidationBatch; answers how many it read. It
 *  stops early at one that is numbered but not written yet. answerMiss: the ring has overwritten
 *  some that were not read. Results: the low halves of the hashes. */
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

/** After a `findKnown` that answered answerKnown: 1 if the near value made from that word may be
 *  kept by its key until the log names the key. Three things forbid it. A writer that owns the
 *  key's lock may have noted its change already. A slot below its maximum frequency still has hits
 *  to count, and hits on a kept value are not counted. And of a sampled key every request must be
 *  counted. */
export function mayKeepNear(): u32 {
  const hash = load<u64>(block, at.resultHashLow);
  if (isSampled(hash)) return 0;
  const home = homeOf(hash);
  if (atomic.load<u32>(bucketAt(home)) != 0) return 0;
  const location = load<u64>(block, at.resultSlotLow) & locationBits;
  if (locateLocation(home, fingerprintOf(hash), 0, location) == 0) return 0;
  return frequencyOf(locatedWord) == at.slotFrequencyMax ? 1 : 0;
}
