export { DirectoryWriter } from "./directory-writer.js";
export type { DiskHandle } from "./disk-handle.js";
export { type DiskRead, DiskReader, type DiskRecord } from "./disk-reader.js";
