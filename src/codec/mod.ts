export { compress, compressBytesMin, decompress } from "./compression.js";
export type { Codec } from "./codec.js";
export * from "./codec-id.js";
export { deepFreeze } from "./deep-freeze.js";
export { depthMax } from "./survey.js";
export * from "./shape-image.js";
export type { ShapeTable } from "./shape-table.js";
export { type CodecConfig, createCodec, type CustomValueCodec } from "./value-codec.js";
