export { EntryInvalidator } from "./writing/entry-invalidator.js";
export { EntryReader } from "./entry-reader.js";
export { type Gate, GatedReader } from "./gated-reader.js";
export {
  EntryWriter,
  type FillFields,
  type Filled,
  type NegativeFields,
  type SetOutcome,
  type StorePool,
} from "./writing/entry-writer.js";
export { type Compute, EntryUpdater, type UpdateOutcome } from "./writing/entry-updater.js";
export {
  byWallClock,
  type CacheEntry,
  type FoundValue,
  type Peek,
  type PeekedEntry,
} from "./found-entry.js";
export { flush, flushAtExit } from "./flush-request.js";
export { diskCapacityOf } from "./resize/disk-resize.js";
export { memoryLimitOf, resize, type ResizeOutcome, segmentsOf } from "./resize/resize-request.js";
export { SegmentRoom } from "./segment-room.js";
export { type ByteStream, byteSourceOf } from "./streams/byte-source.js";
export { StreamReader } from "./streams/stream-reader.js";
export type { StreamOutcome } from "./streams/stream-outcome.js";
export { StreamWriter } from "./streams/stream-writer.js";
export type { ValueStream } from "./streams/read-stream.js";
export { type NamespaceView, ThreadCore, type ThreadOptions } from "./thread-core.js";
export { ValueDecoder } from "./value-decoder.js";
export type { WriteThrough } from "./writing/write-through.js";
