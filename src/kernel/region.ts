// The memory of one cache: how a budget is divided (the geometry), and the allocation. The opener
// calls it once; other threads get the memory by handle and read the geometry from its control
// block.
import { addressSpaceError, alignUp, assert, KiB, MiB } from "../base/mod.js";
import * as flight from "./flight-layout.js";
import * as at from "./layout.js";
import * as dir from "./layouts/directory-layout.js";
import * as tagAt from "./tag-layout.js";
import type { SharedMemory } from "./web-assembly.js";

/** How a budget is divided. All sizes in bytes. */
export interface Geometry {
  readonly totalBytes: number;
  readonly segmentBytes: number;
  readonly segmentCount: number;
  readonly segmentBase: number;
  readonly bucketCount: number;
  readonly bucketBase: number;
  /** The flight table: 0 flights in a map, whose keys are not loaded. */
  readonly flightBase: number;
  readonly flightCount: number;
  readonly diskTable: number;
  /** Segment files at most; ControlBlock.diskSegments says how many are in use. */
  readonly diskSegmentCount: number;
  readonly diskSegmentUnits: number;
  readonly tagBase: number;
  readonly tagBuckets: number;
  /** Where the key history begins: first admission's seen keys, then the eviction policy's
   *  state. */
  readonly keyHistoryBase: number;
  readonly seenBytes: number;
  readonly policyBase: number;
  readonly policyBytes: number;
  /** Sampled requests in each thread's ring; the rings of all threads follow the policy's state. */
  readonly sampleBase: number;
  readonly sampleSlots: number;
  /** The filter of keys written while the directory was another cache's; 0 bytes: none. */
  readonly writtenBase: number;
  readonly writtenBytes: number;
  /** Free segments kept for moves of live records (and a cache's long keys), so that reclaim never
   *  waits for the room it makes. */
  readonly reserveSegments: number;
}

export interface GeometryRequest {
  readonly memoryBytes: number;
  /** The most that the disk may take. */
  readonly diskCapacityBytes: number;
  /** Segment files at most. */
  readonly diskSegmentCount: number;
  readonly diskSegmentBytes: number;
  /** Whether admission remembers which keys were set. */
  readonly remembersSets: boolean;
  /** Bytes of the eviction policy's state (policyStateBytes). */
  readonly policyBytes: number;
  /** Whether requests are sampled. */
  readonly samples: boolean;
  /** Whether keys are loaded. */
  readonly loads: boolean;
  /** Whether it begins without its directory, and notes which keys are written. */
  readonly notesWrites?: boolean;
  /** Whether it is a map's: no tags. */
  readonly isMap?: boolean;
}

/** The share of its slots that an index is meant to fill. It makes 64 bytes / 7 slots / 0.85 = 10.8
 *  bytes of index per entry. */
export const designLoad: number = 0.85;
// Bytes of budget per expected entry. With records of 64 bytes two thirds of the log are full when
// slots run out; with records of 200 bytes 4 % of the budget are unneeded slots.
const expectedMemoryEntryBytes = 112;
const expectedDiskEntryBytes = 1024;
const segmentsWanted = 128;
/** The filter of written keys takes at most this part of the memory. */
const writtenShare = 64;
/** Where the tables would leave fewer segments than this, the index is smaller. */
const segmentsLeastWanted = 10;

const bucketsMin = 64;

function bucketsFor(request: GeometryRequest): number {
  const entries =
    request.memoryBytes / expectedMemoryEntryBytes +
    request.diskCapacityBytes / expectedDiskEntryBytes;
  const wanted = entries / designLoad / at.bucketSlots;
  const most = request.memoryBytes / 4 / at.bucketSize;
  return Math.max(bucketsMin, Math.floor(Math.min(wanted, most)));
}

/** How many tags a cache remembers: 1/64 of the memory, 1/32 if there is a disk, which takes longer
 *  to sweep, but at most 1/96 of the capacity for each of the three parts of the tags file
 *  (directory/tag-file.ts), of 32 bytes a tag. */
function tagBucketsFor(memoryBytes: number, diskCapacityBytes: number): number {
  const hasDisk = diskCapacityBytes > 0;
  const byMemory = memoryBytes / (hasDisk ? 32 : 64) / tagAt.tagBucketSize;
  const byDisk = hasDisk ? diskCapacityBytes / 32 / (3 * 32 * tagAt.tagBucketSlots) : Infinity;
  const buckets = Math.floor(Math.min(byMemory, byDisk));
  return Math.min(tagAt.tagBucketsMax, Math.max(tagAt.tagBucketsMin, buckets));
}

/** The slots of the tag table of a cache with this memory and disk (0 = none). */
export function tagSlotsOf(memoryBytes: number, diskCapacityBytes: number): number {
  return tagBucketsFor(memoryBytes, diskCapacityBytes) * tagAt.tagBucketSlots;
}

/** A bit for each key that may be written: some six times as many as memory holds. */
function writtenBytesFor(memoryBytes: number): number {
  return 2 ** Math.floor(Math.log2(memoryBytes / writtenShare));
}

/** Two filters of 8 bits a key, each for as many keys as memory may hold
 *  (disk-log/admission/seen-keys.ts). */
function seenBytesFor(memoryBytes: number): number {
  const words = 2 ** Math.floor(Math.log2(memoryBytes / expectedMemoryEntryBytes / 4));
  return alignUp(8 + 2 * words * 4, at.cacheLineSize);
}

/** The rings of the user's threads take at most 1/64 of the memory; 512 requests last a busy thread
 *  some milliseconds. */
function sampleSlotsFor(memoryBytes: number): number {
  const most = memoryBytes / 64 / at.userThreadsMax / at.sampleSize;
  return Math.min(512, Math.max(32, 2 ** Math.floor(Math.log2(most))));
}

/** A power of two that takes at most 1/64 of the memory, but for the hashes beside it. */
function flightCountFor(memoryBytes: number): number {
  const most = memoryBytes / flight.flightMemoryShare / flight.flightSize;
  const count = 2 ** Math.floor(Math.log2(most));
  return Math.min(flight.flightCountMax, Math.max(flight.flightCountMin, count));
}

/** Segment size for a log of this many bytes: a power of two, for about 128 segments. */
function segmentBytesFor(logBytes: number): number {
  const exponent = Math.floor(Math.log2(logBytes / segmentsWanted));
  return Math.min(at.segmentBytesMax, Math.max(at.segmentBytesMin, 2 ** exponent));
}

/** Segment size for a memory budget, before the disk geometry is known. */
export function segmentBytesOf(memoryBytes: number): number {
  return segmentBytesFor(memoryBytes * 0.7);
}

/** The least that the segment size may be made for a disk with small segments. */
export function leastSegmentBytesOf(memoryBytes: number): number {
  const least = 2 ** Math.ceil(Math.log2(memoryBytes / at.segmentCountMax));
  return Math.min(segmentBytesOf(memoryBytes), Math.max(at.segmentBytesMin, least));
}

/** Divides a budget. All but the slack lies within `memoryBytes`. */
export function divide(request: GeometryRequest): Geometry {
  const wanted = layOut(request, bucketsFor(request));
  const lacking = segmentsLeastWanted - wanted.segmentCount;
  const { bucketCount, segmentBytes } = wanted;
  const buckets = bucketCount - Math.ceil((lacking * segmentBytes) / at.bucketSize);
  const geometry = lacking <= 0 ? wanted : layOut(request, Math.max(bucketsMin, buckets));
  assert(geometry.segmentCount >= 8, "a budget holds at least eight segments");
  return geometry;
}

function layOut(request: GeometryRequest, bucketCount: number): Geometry {
  // A segment file takes at least two of the largest records.
  const most = request.diskSegmentBytes === 0 ? Infinity : request.diskSegmentBytes / 2;
  const segmentBytes = Math.min(segmentBytesOf(request.memoryBytes), most);
  const segmentTableEnd = at.segmentTable + at.segmentCountMax * at.segmentEntrySize;
  // Room for a segment table of the largest possible count; the real count follows from what is
  // left.
  const countMax = Math.min(at.segmentCountMax, Math.floor(request.memoryBytes / segmentBytes));
  const diskTable = Math.min(segmentTableEnd, at.segmentTable + countMax * at.segmentEntrySize);
  const bucketBase = alignUp(
    diskTable + request.diskSegmentCount * at.diskEntrySize,
    at.cacheLineSize,
  );
  const flightBase = bucketBase + bucketCount * at.bucketSize;
  const { memoryBytes, diskCapacityBytes, isMap = false } = request;
  const flightCount = request.loads ? flightCountFor(memoryBytes) : 0;
  const tagBase = flightBase + flightCount * (flight.flightHashSize + flight.flightSize);
  const tagBuckets = isMap ? 0 : tagBucketsFor(memoryBytes, diskCapacityBytes);
  const tagFilterBase = tagBase + tagBuckets * tagAt.tagBucketSize;
  const keyHistoryBase = alignUp(tagFilterBase + tagBuckets, at.cacheLineSize);
  const seenBytes = request.remembersSets ? seenBytesFor(request.memoryBytes) : 0;
  const policyBase = keyHistoryBase + seenBytes;
  const sampleBase = alignUp(policyBase + request.policyBytes, at.cacheLineSize);
  const sampleSlots = request.samples ? sampleSlotsFor(request.memoryBytes) : 0;
  const samplesEnd = sampleBase + at.threadsMax * sampleSlots * at.sampleSize;
  const writtenBase = alignUp(samplesEnd, at.cacheLineSize);
  const writtenBytes = request.notesWrites === true ? writtenBytesFor(memoryBytes) : 0;
  const segmentBase = alignUp(writtenBase + writtenBytes, 4 * KiB);
  const bytesMax = 4096 * MiB - at.slackPages * at.pageSize;
  const room = Math.min(request.memoryBytes, bytesMax) - segmentBase;
  const segmentCount = Math.min(countMax, Math.floor(room / segmentBytes));
  return {
    totalBytes: segmentBase + segmentCount * segmentBytes,
    segmentBytes,
    segmentCount,
    segmentBase,
    bucketCount,
    bucketBase,
    flightBase,
    flightCount,
    diskTable,
    diskSegmentCount: request.diskSegmentCount,
    diskSegmentUnits: request.diskSegmentBytes / 16,
    tagBase,
    tagBuckets,
    keyHistoryBase,
    seenBytes,
    policyBase,
    policyBytes: request.policyBytes,
    sampleBase,
    sampleSlots,
    writtenBase,
    writtenBytes,
    reserveSegments: 2,
  };
}

/** What the memory is for: a cache may evict, a map never does. */
export type RegionKind = "cache" | "map";

/** Allocates the memory of a geometry and writes its control block. Pages are committed as they are
 *  touched. */
export function createRegion(
  geometry: Geometry,
  seed: bigint,
  createdBaseMs: number,
  kind: RegionKind = "cache",
): SharedMemory {
  const pages = Math.ceil(geometry.totalBytes / at.pageSize) + at.slackPages;
  assert(pages * at.pageSize <= 4096 * MiB, "one memory is at most 4 GiB");
  const memory = allocate(pages);
  const words = new Uint32Array(memory.buffer);
  words[at.controlSegmentBytes / 4] = geometry.segmentBytes;
  words[at.controlSegmentCount / 4] = geometry.segmentCount;
  words[at.controlSegmentTable / 4] = at.segmentTable;
  words[at.controlSegmentBase / 4] = geometry.segmentBase;
  words[at.controlBucketCount / 4] = geometry.bucketCount;
  words[at.controlBucketBase / 4] = geometry.bucketBase;
  words[at.controlFlightBase / 4] = geometry.flightBase;
  words[at.controlFlightCount / 4] = geometry.flightCount;
  words[at.controlDiskSegmentCount / 4] = geometry.diskSegmentCount;
  words[dir.controlDiskSegmentsUsed / 4] = geometry.diskSegmentCount;
  words[at.controlDiskTable / 4] = geometry.diskTable;
  words[at.controlDiskSegmentUnits / 4] = Math.max(1, geometry.diskSegmentUnits);
  words[at.controlReserve / 4] = geometry.reserveSegments;
  words[at.controlTagBase / 4] = geometry.tagBase;
  words[at.controlTagBuckets / 4] = geometry.tagBuckets;
  words[at.controlSegmentsWanted / 4] = geometry.segmentCount;
  words[dir.controlWrittenBase / 4] = geometry.writtenBase;
  if (geometry.writtenBytes > 0) {
    words[dir.controlWrittenMask / 4] = geometry.writtenBytes * 8 - 1;
    words[dir.controlDirectory / 4] = dir.directoryOthers;
  }
  words[at.controlKeyHistoryBase / 4] = geometry.keyHistoryBase;
  words[at.controlSeenBytes / 4] = geometry.seenBytes;
  words[at.controlPolicyBytes / 4] = geometry.policyBytes;
  words[at.controlSampleBase / 4] = geometry.sampleBase;
  words[at.controlSampleSlots / 4] = geometry.sampleSlots;
  words[at.controlSampleMask / 4] = at.sampleNothing;
  words[at.controlNeverEvicts / 4] = kind === "map" ? 1 : 0;
  const hasDisk = geometry.diskSegmentCount > 0 && geometry.writtenBytes === 0;
  words[at.controlDiskUp / 4] = hasDisk ? 1 : 0;
  new BigUint64Array(memory.buffer)[at.controlSeed / 8] = seed;
  new Float64Array(memory.buffer)[at.controlInvalidations / 8] = at.firstInvalidation;
  new Float64Array(memory.buffer)[at.controlCreatedBase / 8] = createdBaseMs;
  words[at.controlLayoutVersion / 4] = at.kernelLayoutVersion;
  words[at.controlState / 4] = at.stateOpen;
  words[at.controlMagic / 4] = at.kernelMagic;
  return memory;
}

/** Throws ERR_RUNTIME if the process may not reserve the address space. */
function allocate(pages: number): SharedMemory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (error) {
    throw addressSpaceError(error);
  }
}

/** Whether the cache in a memory is open. For a thread that has not attached to it. */
export function isRegionOpen({ buffer }: SharedMemory): boolean {
  const word = at.controlState / 4;
  return Atomics.load(new Int32Array(buffer, 0, word + 1), word) === at.stateOpen;
}

/** Reads a geometry back from a memory's control block. */
export function geometryOf(memory: SharedMemory): Geometry {
  const words = new Uint32Array(memory.buffer, 0, at.controlBlockSize / 4);
  const word = (offset: number): number => words[offset / 4] as number;
  const segmentBytes = word(at.controlSegmentBytes);
  const segmentCount = word(at.controlSegmentCount);
  const segmentBase = word(at.controlSegmentBase);
  const mask = word(dir.controlWrittenMask);
  return {
    totalBytes: segmentBase + segmentCount * segmentBytes,
    segmentBytes,
    segmentCount,
    segmentBase,
    bucketCount: word(at.controlBucketCount),
    bucketBase: word(at.controlBucketBase),
    flightBase: word(at.controlFlightBase),
    flightCount: word(at.controlFlightCount),
    diskTable: word(at.controlDiskTable),
    diskSegmentCount: word(at.controlDiskSegmentCount),
    diskSegmentUnits: word(at.controlDiskSegmentUnits),
    tagBase: word(at.controlTagBase),
    tagBuckets: word(at.controlTagBuckets),
    keyHistoryBase: word(at.controlKeyHistoryBase),
    seenBytes: word(at.controlSeenBytes),
    policyBase: word(at.controlKeyHistoryBase) + word(at.controlSeenBytes),
    policyBytes: word(at.controlPolicyBytes),
    sampleBase: word(at.controlSampleBase),
    sampleSlots: word(at.controlSampleSlots),
    writtenBase: word(dir.controlWrittenBase),
    writtenBytes: mask === 0 ? 0 : (mask + 1) / 8,
    reserveSegments: word(at.controlReserve),
  };
}
