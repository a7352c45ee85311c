// The door of inspection/: look at a cache directory, and verify it, without changing it.
export {
  type CloseState,
  type DirectoryOverview,
  type EntryCounts,
  inspectDirectory,
  type NamespaceOverview,
} from "./overview.js";
export type { SegmentOverview, SegmentUse } from "./segment-overview.js";
export type { Fault, FaultKind } from "./fault.js";
export { type Verification, verifyDirectory, type VerifyOptions } from "./verification.js";
