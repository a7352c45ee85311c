// The entry "undercroft/sqlite": a tier over the caller's SQLite database.
export type { SqliteDatabase } from "./database.js";
export { sqliteTier, type SqliteTierOptions } from "./sqlite-tier.js";
