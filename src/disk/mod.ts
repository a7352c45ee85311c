export { BatchBuilder, type BatchPlace } from "./batch-builder.js";
export { readTombstones, appendTombstone } from "./tombstone-list.js";
export {
  type DirectoryEnd,
  type OpenDirectory,
  openDirectory,
  type OpenDirectoryOptions,
} from "./directory.js";
export { epochsName, segmentName, schemasName } from "./directory-files.js";
export { epochSlotCount, writeClearEpoch } from "./epochs.js";
export { type TagEpochs, writeTagCell, writeTagFloor } from "./tag-epochs.js";
export {
  tombstoneSize,
  diskRecordBytesMax,
  offsetOfLocation,
  packLocation,
  readBytesOfLocation,
  segmentHeaderSize,
  segmentKeyOf,
  segmentOfLocation,
  sequenceMax,
  sizeClassCount,
  sizeClassOf,
  sizeClassOfLocation,
  sizeOfClass,
  unitBytes,
} from "./layout.js";
export { verifyRecord } from "./record-check.js";
export type { Recovery, RecoveryKind } from "./recovery.js";
export {
  readSegmentIdentity,
  resetSegment,
  type SegmentIdentity,
  voidSegment,
  writeBatch,
} from "./segment-file.js";
export { scanSegment, type SegmentEntries, type SegmentScan } from "./segment-scan.js";
export { type RecoveryFilter, type ReconciledSegment, reconcileSegment } from "./reconcile.js";
export { type SchemasReading, writeSchemaBytes } from "./schema-file.js";
export { readSnapshot, type SegmentState, type SnapshotPlace, writeSnapshot } from "./snapshot.js";
