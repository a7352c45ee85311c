export { type CacheEntry, EntryReader, type FoundValue, type Peek } from "./entry-reader.js";
export {
  EntryWriter,
  type FillFields,
  type Filled,
  type SetOutcome,
  type StoreInPool,
} from "./entry-writer.js";
export { flush } from "./flush-request.js";
export { ThreadCore, type ThreadOptions } from "./thread-core.js";
export { ValueDecoder } from "./value-decoder.js";
