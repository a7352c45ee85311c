export { DirectoryWriter } from "./directory-writer.js";
export {
  type DirectoryFiles,
  type DiskHandle,
  diskHandle,
  filesOf,
  segmentsOf,
  setFiles,
  setSegments,
  type ThreadDisk,
  threadDisk,
} from "./disk-handle.js";
export { type DiskRead, DiskReader, type DiskRecord } from "./disk-reader.js";
export { filesIdleMs, SegmentFiles } from "./segment-files.js";
