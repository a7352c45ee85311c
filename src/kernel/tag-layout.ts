// The layout of the tag table in shared memory: buckets of two cache lines, so that a look for a
// tag that is not there reads one of them. Both compilers read this file, as they do layout.ts.
//
//   lock       u32      as in the index
//   displaced  u32      tags at home here that are in another of their buckets
//   hashes     7 × u64  0 = free, else the tag's hash
//   sequences  7 × u64  the newest invalidation of the tag of that slot; 0 while the slot is free
//   zero       u64
//
// Behind the buckets is the tag filter, a byte a bucket: bit n is set if a tag at home there may
// have n in the low three bits of its hash. It stays in the processor's nearest cache, and most
// looks end there.
//
// A tag is in its home bucket, which its hash names, or in one of tagProbes - 1 others. Its slot
// changes under the home's lock only, but that a free slot is taken by a CAS of its hash.
export const tagBucketSize = 128;
export const tagBucketDisplaced = 4;
export const tagBucketSlots = 7;
export const tagHashes = 8;
export const tagSequences = 64;
/** Buckets that a tag may be in. */
export const tagProbes = 8;
/** invalidateTag: the tag has no slot; the floor covers it. */
export const noTagSlot = 0xffffffff;
/** The smallest table, for a cache of 1 MiB: 2,051 tags. */
export const tagBucketsMin = 293;
/** The largest: 458,752 tags, 8 MiB. A sweep takes longer than more tags would take to come. */
export const tagBucketsMax = 65536;
