export { areTagsInvalidated, isTagInvalidated } from "./tag-invalidation.js";
export { keyTooLong, KeyWindow, noKeyRoom } from "./key-window.js";
export {
  chunkCount,
  chunkKey,
  type LargeValue,
  largeValueOf,
  copyChunk,
  readChunks,
  writeValue,
} from "./large-value.js";
export { loadSchemas, SchemaArea, type SchemaWriter } from "./schema-area.js";
export {
  type AppendOutcome,
  type Found,
  type TombstoneWriter,
  MemoryStore,
  type WriteFields,
  type WriteOutcome,
} from "./memory-store.js";
export { RecordHeader, SegmentTable } from "./segments.js";
