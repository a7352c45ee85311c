// Packs and unpacks the word of a slot and a memory location; ../../layout.ts has the diagram. Only
// locationOf reads shared memory.
import * as at from "../../layout";
import { bucketCount, segmentBase, segmentShift, segmentTableBase } from "../geometry";

const offsetMask: usize = (1 << at.locationOffsetBits) - 1;
const segmentMask: u64 = (1 << at.locationSegmentBits) - 1;
const generationShift: u64 = at.locationOffsetBits + at.locationSegmentBits;
/** The bits of a segment's generation that a location holds. */
export const generationMask: u32 = (1 << at.locationGenerationBits) - 1;
export const frequencyOne: u64 = (<u64>1) << at.slotFrequencyShift;
export const frequencyBits: u64 = (<u64>3) << at.slotFrequencyShift;
export const displacedBit: u64 = (<u64>1) << at.slotDisplacedShift;
export const diskBit: u64 = (<u64>1) << at.slotTierShift;
/** In a disk location: the record there is a chunk. */
export const chunkBit: u64 = (<u64>1) << at.locationChunkShift;
export const locationBits: u64 = ((<u64>1) << at.slotLocationBits) - 1;
/** The bits that say which class of keys a slot in a bucket is for: fingerprint and displaced. */
export const classBits: u64 = ((<u64>0xffff) << at.slotFingerprintShift) | displacedBit;
/** Class and tier: in a memory slot of a class, these bits equal the class. */
export const nearBits: u64 = classBits | diskBit;

// @ts-ignore: decorator
@inline
export function homeOf(hash: u64): u32 {
  return <u32>(((hash >> 32) * <u64>bucketCount) >> 32);
}

// @ts-ignore: decorator
@inline
export function fingerprintOf(hash: u64): u64 {
  const low = hash & 0xffff;
  return low == 0 ? 1 : low;
}

/** The distance from a key's home bucket to its other bucket. It is never 0, and the fingerprint
 *  alone determines it. */
// @ts-ignore: decorator
@inline
function distanceOf(fingerprint: u64): u32 {
  return 1 + ((<u32>fingerprint * 0x9e3779b1) % (bucketCount - 1));
}

export function otherOf(home: u32, fingerprint: u64): u32 {
  const other = <u64>home + distanceOf(fingerprint);
  return <u32>(other >= bucketCount ? other - bucketCount : other);
}

/** The home bucket of the entry in a slot of `bucket`. */
export function homeOfSlot(bucket: u32, word: u64): u32 {
  if ((word & displacedBit) == 0) return bucket;
  const distance = distanceOf(word >> at.slotFingerprintShift);
  return bucket >= distance ? bucket - distance : bucket + bucketCount - distance;
}

// @ts-ignore: decorator
@inline
export function isDisk(word: u64): bool {
  return (word & diskBit) != 0;
}

// @ts-ignore: decorator
@inline
export function frequencyOf(word: u64): u32 {
  return <u32>((word >> at.slotFrequencyShift) & 3);
}

// @ts-ignore: decorator
@inline
export function segmentOfRecord(record: u32): u32 {
  return <u32>((<usize>record - segmentBase) >> segmentShift);
}

/** The location of a record that is in its segment now, with the segment's generation. */
// @ts-ignore: decorator
@inline
export function locationOf(record: u32): u64 {
  const segment = segmentOfRecord(record);
  const offset = (<usize>record - segmentBase) & (((<usize>1) << segmentShift) - 1);
  const entry = segmentTableBase + segment * at.segmentEntrySize;
  const generation = <u64>(atomic.load<u32>(entry, at.segmentGeneration) & generationMask);
  return (
    (generation << generationShift) |
    ((<u64>segment) << at.locationOffsetBits) |
    (<u64>(offset >> 3))
  );
}

// @ts-ignore: decorator
@inline
export function recordOf(word: u64): u32 {
  const segment = <usize>((word >> at.locationOffsetBits) & segmentMask);
  return <u32>(segmentBase + (segment << segmentShift) + ((<usize>word & offsetMask) << 3));
}
