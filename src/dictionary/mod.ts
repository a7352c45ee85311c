export * from "./schema-image.js";
export type { SchemaTable } from "./schema-table.js";
