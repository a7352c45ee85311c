// Requests for sampled keys, noted for the policy that tunes itself: each thread has a ring in shared memory that it alone
// writes and the janitor alone empties. A key is sampled if none of the bits of controlSampleMask is set in the low half
// of its hash. A full ring drops what comes, counted: the tuner then sees less, and nothing else happens.
import * as at from "../../layout";
import { counterSamplesDropped } from "../../../stats/counters";
import { block, count, sampleBase, sampleSlots, segmentBytes } from "../geometry";
import { ring } from "./segments";

// @ts-ignore: decorator
@inline
export function isSampled(hash: u64): bool {
  return (<u32>hash & load<u32>(at.controlSampleMask)) == 0;
}

/** Notes a request for a key whose record has about `size` bytes: the record may be changing, so it is only bounded. */
export function noteRequest(hash: u64, size: u32): void {
  const head = load<u32>(block, at.threadSampleHead);
  const held = head - atomic.load<u32>(block, at.threadSampleTail);
  if (held >= sampleSlots) {
    if (sampleSlots != 0) count(counterSamplesDropped, 1);
    return;
  }
  const place = sampleBase + ((<usize>(head & (sampleSlots - 1))) << 3);
  store<u32>(place, <u32>(hash >> 32));
  store<u32>(place, max<u32>(1, min<u32>(size, segmentBytes)), 4);
  atomic.store<u32>(block, head + 1, at.threadSampleHead);
  if (held == sampleSlots >> 1) ring();
}
