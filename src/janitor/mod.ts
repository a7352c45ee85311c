export { type Attachment, attachStore } from "./attachment.js";
export type { SendRemovals } from "./removals.js";
export { setPolicy, policyBytesFor, watermarkOf } from "./eviction.js";
export { Evictor } from "./evictor.js";
export { startJanitor } from "./janitor.js";
export type {
  Removal,
  JanitorEnd,
  JanitorMessage,
  JanitorTask,
  RecoveryReport,
  WorkerHandle,
} from "./messages.js";
export { sharedTime } from "./shared-time.js";
