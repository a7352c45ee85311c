export { DirectoryWriter } from "./directory-writer.js";
export type { DiskHandle } from "./disk-handle.js";
export { type DiskRead, DiskReader } from "./disk-reader.js";
