export { CompressionDictionary, symbolsMax } from "./compression-dictionary.js";
export { CompressionDictionaries } from "./compression-dictionaries.js";
export { DictionaryTraining } from "./dictionary-training.js";
export * from "./dictionary-image.js";
export type { SchemaTable } from "./schema-table.js";
