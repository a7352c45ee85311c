export * from "./codec-id.js";
export * from "./record-layout.js";
export { RecordReader } from "./record-reader.js";
export { encodeTags, type TagHash, tagHashesOf, type TagHasher } from "./tags.js";
