// What does not change while a cache is open, read once from the control block into globals of this instance, and the
// block of the thread this instance serves. Every other file of the kernel reads these.
import * as at from "../layout";

export let seed: u64 = 0;
export let bucketBase: usize = 0;
export let bucketCount: u32 = 0;
export let segmentTableBase: usize = 0;
export let segmentBase: usize = 0;
export let segmentBytes: u32 = 0;
export let segmentShift: u32 = 0;
export let segmentCount: u32 = 0;
export let diskTableBase: usize = 0;
export let diskSegmentUnits: u32 = 0;
export let reserveSegments: u32 = 0;
/** This thread's ring of sampled requests. */
export let sampleBase: usize = 0;
export let sampleSlots: u32 = 0;
/** No entry gives way to another, and every entry is counted until its slot is empty: a map, not a cache. */
export let neverEvicts: bool = false;
/** This thread's block. */
export let block: usize = 0;
/** Thread + 1 and the low 24 bits of its incarnation: what stands in a lock it holds. */
export let lockWord: u32 = 0;
export let selfId: u32 = 0;

/** Binds this instance to a thread's block, which that thread has claimed. */
export function attach(thread: u32): void {
  seed = load<u64>(at.controlSeed);
  bucketBase = load<u32>(at.controlBucketBase);
  bucketCount = load<u32>(at.controlBucketCount);
  segmentTableBase = load<u32>(at.controlSegmentTable);
  segmentBase = load<u32>(at.controlSegmentBase);
  segmentBytes = load<u32>(at.controlSegmentBytes);
  segmentShift = ctz<u32>(segmentBytes);
  segmentCount = load<u32>(at.controlSegmentCount);
  diskTableBase = load<u32>(at.controlDiskTable);
  diskSegmentUnits = load<u32>(at.controlDiskSegmentUnits);
  reserveSegments = load<u32>(at.controlReserve);
  sampleSlots = load<u32>(at.controlSampleSlots);
  sampleBase = <usize>load<u32>(at.controlSampleBase) + <usize>(thread * sampleSlots * at.sampleSize);
  neverEvicts = load<u32>(at.controlNeverEvicts) != 0;
  block = at.threadTable + thread * at.threadBlockSize;
  selfId = thread + 1;
  lockWord = selfId | (load<u32>(block + at.threadIncarnation) << 8);
}

// @ts-ignore: decorator
@inline
export function count(counter: usize, amount: f64): void {
  const word = block + at.threadCounters + (counter << 3);
  store<f64>(word, load<f64>(word) + amount);
}

// @ts-ignore: decorator
@inline
export function clearEpoch(): u64 {
  return atomic.load<u64>(at.controlClearEpoch);
}
