export { type Attachment, attachThread } from "./attachment.js";
export { Evictor } from "./evictor.js";
export { type Removal, RemovalReporter, type SendRemovals } from "./removals.js";
export {
  policyBytesFor,
  policyCapacityOf,
  policyOver,
  setPolicy,
  usedGeometryOf,
  watermarkOf,
} from "./shared-policy.js";
export { unwrittenEntries } from "./unwritten.js";
export { sharedClock } from "./shared-time.js";
export type { WorkerHandle } from "./worker-handle.js";
