export {
  type DirectoryEnd,
  type OpenDirectory,
  openDirectory,
  type OpenDirectoryOptions,
} from "./directory.js";
export { epochsName, segmentName, schemasName } from "./directory-files.js";
export { epochSlotCount, writeClearEpoch } from "./epochs.js";
export { type TagEpochs, writeTagCell, writeTagFloor } from "./tag-epochs.js";
export type { Recovery, RecoveryKind } from "./recovery.js";
export { type SchemasReading, writeSchemaBytes } from "./schema-file.js";
export { readSnapshot, type SegmentState, type SnapshotPlace, writeSnapshot } from "./snapshot.js";
