export * from "./codec-id.js";
export { isChunk, isHead, isInternal, isNegative } from "./parts.js";
export * from "./record-layout.js";
export { RecordReader } from "./record-reader.js";
export { encodeTags, type TagHash, tagHashesOf, type TagHasher } from "./tags.js";
