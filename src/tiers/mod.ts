export { DirectoryWriter } from "./directory-writer.js";
export { type DiskHandle, type ThreadDisk, threadDisk } from "./disk-handle.js";
export { type DiskRead, DiskReader, type DiskRecord } from "./disk-reader.js";
export { filesIdleMs, SegmentFiles } from "./segment-files.js";
