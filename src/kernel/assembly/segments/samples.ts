// Sampled requests, for the policy that tunes itself. Each thread has a ring in shared memory: only
// the thread writes to it, and only the janitor empties it. A key is sampled if the low half of its
// hash has none of the bits of controlSampleMask. A full ring drops and counts what comes; the
// tuner then sees less, and nothing else is affected.
import * as at from "../../layout";
import { counterSamplesDropped } from "../../../stats/counters";
import { block, count, sampleBase, sampleSlots, segmentBytes, segmentCount } from "../geometry";
import { entrySizeOf, loadClassOf } from "./record";
import { ring } from "./segments";

// @ts-ignore: decorator
@inline
export function isSampled(hash: u64): bool {
  return (<u32>hash & load<u32>(at.controlSampleMask)) == 0;
}

/** Notes a request for the key of a record, with the size of the entry, of the whole value if it is
 *  in chunks, in units of 8 bytes, and the class of its load time above it. Internal records are no
 *  requests. The record may be changing, so the size is clamped to that of the largest value. */
export function noteRequest(hash: u64, record: usize): void {
  const size = min<u32>(entrySizeOf(record), (segmentBytes >> 2) * segmentCount);
  if (size == 0) return;
  const head = load<u32>(block, at.threadSampleHead);
  const held = head - atomic.load<u32>(block, at.threadSampleTail);
  if (held >= sampleSlots) {
    if (sampleSlots != 0) count(counterSamplesDropped, 1);
    return;
  }
  const sample = sampleBase + ((<usize>(head & (sampleSlots - 1))) << 3);
  store<u32>(sample, <u32>(hash >> 32));
  const units = min<u32>((size + 7) >> 3, at.sampleUnitsMask);
  store<u32>(sample, units | (loadClassOf(record) << at.sampleLoadShift), 4);
  atomic.store<u32>(block, head + 1, at.threadSampleHead);
  if (held == sampleSlots >> 1) ring();
}
