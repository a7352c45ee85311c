export * from "./codec-id.js";
export * from "./record-layout.js";
export { RecordReader } from "./record-reader.js";
export { encodeTags, tagHash } from "./tags.js";
