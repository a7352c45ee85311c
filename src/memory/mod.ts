export { keyTooLong, noKeyRoom } from "./key-window.js";
export {
  type Found,
  type Killer,
  MemoryStore,
  type WriteFields,
  type WriteOutcome,
} from "./memory-store.js";
