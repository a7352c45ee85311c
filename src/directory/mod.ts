// The door of directory/: open a cache directory, and write its epochs, tags, schemas and
// snapshot.
export type { SnapshotEnd } from "./manifest.js";
export { openDirectory, type OpenDirectoryOptions } from "./directory.js";
export { type DirectoryEnd, lostError, type OpenDirectory } from "./open-directory.js";
export {
  type CapacityInForce,
  divideAnew,
  leastCapacityOf,
  segmentsAtMost,
  snapshotBytesMax,
} from "./geometry.js";
export { addSegments, removeSegments } from "./segment-set.js";
export { syncDirectory } from "./directory-files.js";
export { epochsName, openSegment, schemasName, segmentName, tagsName } from "./directory-files.js";
export {
  areDistrusted,
  distrustedBytes,
  epochsFileBytes,
  epochSlotCount,
  writeClearEpoch,
  writeNamespace,
  writeTagFloor,
} from "./epochs.js";
export type { MemoryMade } from "./owner/fit.js";
export { type DirectoryPeek, peekDirectory } from "./owner/peek.js";
export { type NamespaceSlot, versionHashOf } from "./namespace-slots.js";
export { reachOwner } from "./owner/reach.js";
export { assertPresent } from "./trust/presence.js";
export type { Recovery, RecoveryKind } from "./trust/recovery.js";
export { type TagHistory, writeForgotten, writeTagSlot } from "./tag-file.js";
export { type SchemasReading, writeSchemaBytes } from "./schema-file.js";
export {
  readSnapshot,
  type SegmentState,
  type SnapshotPlace,
  writeSnapshot,
} from "./index-snapshot.js";
