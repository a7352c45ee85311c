// The door of disk/: segment files, written, scanned and reconciled; disk locations.
export { BatchBuilder, type BatchPlace } from "./batch-builder.js";
export { type Batch, BatchReader, type IndexEntry, indexBytesOf } from "./batch-index.js";
export { readTombstones, appendTombstone } from "./tombstone-list.js";
export {
  batchHeaderSize,
  tombstoneSize,
  diskRecordBytesMax,
  isChunkLocation,
  offsetOfLocation,
  packLocation,
  readBytesOfLocation,
  segmentCountMax,
  segmentHeaderSize,
  segmentKeyOf,
  seedAt,
  segmentOfLocation,
  sequenceMax,
  sizeClassCount,
  sizeClassOf,
  sizeClassOfLocation,
  sizeOfClass,
  unitBytes,
  unitOfLocation,
} from "./file-layout.js";
export { openRecord, type RecordPlace, verifyRecord } from "./record-check.js";
export { dataKeyBytes, DiskCipher, indexSealBytes, recordSealBytes } from "./disk-cipher.js";
export {
  readSegmentIdentity,
  resetSegment,
  type SegmentIdentity,
  voidSegment,
  writeBatch,
} from "./segment-file.js";
export { scanSegment, type SegmentEntries, type SegmentScan } from "./segment-scan.js";
export { type RecoveryFilter, type ReconciledSegment, reconcileSegment } from "./reconcile.js";
