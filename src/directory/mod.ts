// The door of directory/: open a cache directory, and write its epochs, tags, schemas and
// snapshot.
export {
  decodeManifest,
  type ManifestFields,
  manifestDamage,
  manifestFileBytes,
  type ManifestReading,
  manifestVersion,
  type SnapshotEnd,
} from "./manifest.js";
export { type Damage, firstNonZero, isZero } from "./damage.js";
export { cipherOf, openDataKey } from "./trust/data-key.js";
export { capacityFor, isGeometry } from "./geometry.js";
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
export {
  attempt,
  type DirectoryListing,
  epochsName,
  listDirectory,
  manifestName,
  openSegment,
  openToRead,
  schemasName,
  segmentName,
  snapshotName,
  syncDirectory,
  tagsName,
} from "./directory-files.js";
export {
  areDistrusted,
  distrustedBytes,
  epochsDamage,
  epochsFileBytes,
  mendEpochSlots,
  epochSlotCount,
  type EpochsReading,
  readEpochs,
  writeClearEpoch,
  writeNamespace,
  writeTagFloor,
} from "./epochs.js";
export { withAddress } from "./owner/claims.js";
export type { MemoryMade } from "./owner/fit.js";
export { type Ownership, type OwnerState, ownershipOf } from "./owner/ownership.js";
export { type DirectoryPeek, peekDirectory } from "./owner/peek.js";
export { type NamespaceSlot, versionHashOf } from "./namespace-slots.js";
export { reachOwner } from "./owner/reach.js";
export { assertPresent } from "./trust/presence.js";
export { readBootId } from "./trust/boot.js";
export {
  type OpenCircumstances,
  planRecovery,
  type Recovery,
  type RecoveryKind,
} from "./trust/recovery.js";
export { resumeTime } from "./trust/session-time.js";
export { readStorage } from "./trust/storage.js";
export {
  carryTags,
  readTagFile,
  tagFileBytesFrom,
  tagFileDamage,
  type TagFileReading,
  tagFileSlots,
  type TagHistory,
  writeForgotten,
  writeTagSlot,
} from "./tag-file.js";
export { readSchemas, schemaDamage, type SchemasReading, writeSchemaBytes } from "./schema-file.js";
export {
  checkSnapshot,
  readSnapshot,
  type SegmentState,
  type SnapshotPlace,
  writeSnapshot,
} from "./index-snapshot.js";
