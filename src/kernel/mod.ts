// The door of the kernel. The layout stays inside: other rooms read the memory through accessors.
export * as codes from "./codes.js";
export { HashedKey, type Key, keyIdOf } from "./hashed-key.js";
export { keyTooLong, KeyWindow } from "./key-window.js";
export { compileKernel, Kernel, type KernelVerbs, type Room } from "./kernel.js";
export {
  createRegion,
  designLoad,
  divide,
  type Geometry,
  geometryOf,
  type GeometryRequest,
  isRegionOpen,
  leastSegmentBytesOf,
  segmentBytesOf,
  tagSlotsOf,
} from "./region.js";
export type { TagTable, TrackedTag } from "./tag-table.js";
export {
  claimThread,
  deadHolderOf,
  holderOf,
  holdersOfWorker,
  isMortal,
  recoverThread,
  type ThreadHolder,
  threadsAttached,
  workerIdOf,
} from "./threads/thread-table.js";
export type { CallResults } from "./words/call-results.js";
export type { ControlBlock } from "./words/control-block.js";
export type { DiskSegmentTable } from "./words/disk-segment-table.js";
export { type FlushTickets, hasReached } from "./words/flush-tickets.js";
export {
  hasPendingTombstone,
  TombstoneWatch,
  type TombstoneWriter,
} from "./words/pending-tombstones.js";
export type { NamespaceTable } from "./words/namespace-table.js";
export type { SegmentTable, SegmentWalk } from "./words/segment-table.js";
export type { KernelModule, SharedMemory } from "./web-assembly.js";
export { waitForChange, type WaitWord } from "./threads/word-wait.js";
export { type ExtensionFields, extensionBytesOf } from "./words/shared-records.js";
