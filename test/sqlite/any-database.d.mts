import type { Database as WasmDatabase } from "node-sqlite3-wasm";

/** What tests use of both packages. */
export type Database = Pick<WasmDatabase, "close" | "exec" | "get" | "isOpen" | "prepare">;
export const Database: new (path?: string) => Database;
