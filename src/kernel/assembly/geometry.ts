// The geometry of an open cache, which never changes. `attach` reads it once from the control block
// into globals of this instance, together with the block of the thread that the instance serves.
// Every other file of the kernel reads these.
import * as fl from "../flight-layout";
import * as at from "../layout";
import * as dir from "../layouts/directory-layout";
import * as ns from "../namespace-layout";
import * as tagAt from "../tag-layout";

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
/** The hashes of the flight table, and its flights. */
export let flightHashes: usize = 0;
export let flightBase: usize = 0;
export let flightCount: u32 = 0;
export let tagBase: usize = 0;
export let tagBuckets: u32 = 0;
export let tagFilterBase: usize = 0;
/** This thread's ring of sampled requests. */
export let sampleBase: usize = 0;
export let sampleSlots: u32 = 0;
/** True for a map, false for a cache. A map evicts no entry to make room for another, and it
 *  counts every entry until its slot is empty. */
export let neverEvicts: bool = false;
/** The filter of written keys (written-keys.ts); a mask of 0 = there is none. */
export let writtenBase: usize = 0;
export let writtenMask: u32 = 0;
/** The address of this thread's block. */
export let block: usize = 0;
/** Thread id + 1 in the low 8 bits, the incarnation's low 24 bits above. A lock that this thread
 *  owns holds this value. */
export let lockWord: u32 = 0;
export let selfId: u32 = 0;

/** Binds this instance to the block of a thread id that the calling thread has claimed. */
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
  flightCount = load<u32>(at.controlFlightCount);
  flightHashes = load<u32>(at.controlFlightBase);
  flightBase = flightHashes + <usize>flightCount * fl.flightHashSize;
  tagBase = load<u32>(at.controlTagBase);
  tagBuckets = load<u32>(at.controlTagBuckets);
  tagFilterBase = tagBase + <usize>tagBuckets * tagAt.tagBucketSize;
  sampleSlots = load<u32>(at.controlSampleSlots);
  sampleBase =
    <usize>load<u32>(at.controlSampleBase) + <usize>(thread * sampleSlots * at.sampleSize);
  neverEvicts = load<u32>(at.controlNeverEvicts) != 0;
  writtenBase = load<u32>(dir.controlWrittenBase);
  writtenMask = load<u32>(dir.controlWrittenMask);
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

/** The newest clear of the whole cache. */
// @ts-ignore: decorator
@inline
export function clearEpoch(): u64 {
  return atomic.load<u64>(at.controlClearEpoch);
}

/** The newest clear of a space, or of the whole cache. The byte that says which may be torn. */
// @ts-ignore: decorator
@inline
export function epochOf(space: u32): u64 {
  const epoch = clearEpoch();
  return space == 0 ? epoch : max<u64>(epoch, ownEpochOf(space));
}

// @ts-ignore: decorator
@inline
function ownEpochOf(space: u32): u64 {
  return atomic.load<u64>(namespaceAt(space), ns.namespaceClearEpoch);
}

/** The entry of a namespace. */
// @ts-ignore: decorator
@inline
export function namespaceAt(space: u32): usize {
  const id = <usize>min<u32>(space, at.namespacesMax);
  return <usize>at.namespaceTable + id * <usize>at.namespaceSize;
}

/** The seed of the hashes of a space's keys: one key in two spaces is two keys. */
// @ts-ignore: decorator
@inline
export function seedOf(space: u32): u64 {
  return seed ^ (<u64>space * 0x9e3779b97f4a7c15);
}
