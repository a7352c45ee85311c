// The door of the memory tier: records written and read by one thread, large values, schemas.
export {
  chunkBytesOf,
  chunkKey,
  internalKey,
  JoinedValue,
  largeValueOf,
  numbersOf,
  readChunks,
  valueBytesMax,
  writeValue,
} from "./large-value.js";
export type { LargeValue } from "./head-record.js";
export { isSpilled, streamBytesMax, StreamedValue } from "./streamed-value.js";
export { type Found, MemoryReader, type SlotRef, type StoredRecord } from "./memory-reader.js";
export {
  type AppendOutcome,
  MemoryWriter,
  type WriteCondition,
  type WriteFields,
  type WriteOutcome,
} from "./memory-writer.js";
export type { Refusal } from "./write-refusal.js";
export { loadSchemas, SchemaArea, type SchemaBytes, type SchemaWriter } from "./schema-area.js";
