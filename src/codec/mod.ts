export { compress, compressBytesMin, decompress } from "./compression.js";
export type { Codec } from "./codec.js";
export { deepFreeze } from "./deep-freeze.js";
export { depthMax } from "./survey.js";
export { type CodecConfig, createCodec, type CustomValueCodec } from "./value-codec.js";
