// The tables of the tier in the caller's database. This file owns them.
//
//   undercroft_tiers     name, version                       a row for each tier table
//   <table>              id, namespace, key, value           an entry: its key, and an envelope
//                        created, expires, stale             wall-clock ms; NULL = never
//                        tags                                JSON, NULL = none
//   <table>_tags         tag, id                             so that a tag finds its entries
//
// A table of another version is not read: every call fails, which is an event of the cache.
import { UndercroftError } from "../base/mod.js";
import type { Statements } from "./database.js";

/** The version of the tables. */
export const tablesVersion = 1;

/** Makes the tables unless they are there. Call it in a transaction. Throws ERR_FORMAT_VERSION if
 *  they are of another version, or of something else. */
export function makeTables(statements: Statements, table: string): void {
  statements.exec(
    "CREATE TABLE IF NOT EXISTS undercroft_tiers" +
      " (name TEXT PRIMARY KEY, version INTEGER NOT NULL)",
  );
  const known = statements.of("SELECT version FROM undercroft_tiers WHERE name = ?").get([table]);
  if (known !== undefined) {
    const version = Number(known["version"]);
    if (version === tablesVersion) return createTables(statements, table);
    throw new UndercroftError(
      "ERR_FORMAT_VERSION",
      `the table "${table}" has version ${version}, and this Undercroft reads ${tablesVersion}; ` +
        "use another table, or drop this one",
    );
  }
  const other = statements
    .of("SELECT name FROM sqlite_master WHERE name IN (?, ?)")
    .get([table, `${table}_tags`]);
  if (other !== undefined) {
    throw new UndercroftError(
      "ERR_FORMAT_VERSION",
      `the database has a table "${String(other["name"])}" that is not Undercroft's; ` +
        "use another table",
    );
  }
  createTables(statements, table);
  statements.of("INSERT INTO undercroft_tiers VALUES (?, ?)").run([table, tablesVersion]);
}

/** What of them is missing: someone may have dropped them. */
function createTables(statements: Statements, table: string): void {
  statements.exec(`CREATE TABLE IF NOT EXISTS "${table}" (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    created REAL NOT NULL,
    expires REAL,
    stale REAL,
    tags TEXT,
    UNIQUE (namespace, key)
  )`);
  statements.exec(
    `CREATE INDEX IF NOT EXISTS "${table}_stale" ON "${table}" (stale) WHERE stale IS NOT NULL`,
  );
  statements.exec(
    `CREATE TABLE IF NOT EXISTS "${table}_tags" (tag TEXT NOT NULL, id INTEGER NOT NULL, ` +
      "PRIMARY KEY (tag, id)) WITHOUT ROWID",
  );
  statements.exec(`CREATE INDEX IF NOT EXISTS "${table}_tagged" ON "${table}_tags" (id)`);
}

/** The texts of the statements over one table. */
export function sqlOf(table: string) {
  const named = "namespace = ? AND key = ?";
  const ended = `FROM "${table}" WHERE stale IS NOT NULL AND stale <= ? ORDER BY stale LIMIT ?`;
  return {
    find:
      `SELECT value, created, expires, stale, tags FROM "${table}" ` +
      `WHERE ${named} AND (stale IS NULL OR stale > ?)`,
    set:
      `INSERT INTO "${table}" (namespace, key, value, created, expires, stale, tags) ` +
      "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, key) DO UPDATE SET " +
      "value = excluded.value, created = excluded.created, expires = excluded.expires, " +
      "stale = excluded.stale, tags = excluded.tags",
    tag: `INSERT OR IGNORE INTO "${table}_tags" SELECT ?, id FROM "${table}" WHERE ${named}`,
    untag:
      `DELETE FROM "${table}_tags" WHERE id IN ` +
      `(SELECT id FROM "${table}" WHERE ${named} AND tags IS NOT NULL)`,
    delete: `DELETE FROM "${table}" WHERE ${named}`,
    tagged:
      `SELECT id FROM "${table}_tags" JOIN "${table}" USING (id) ` +
      "WHERE tag = ? AND (? IS NULL OR namespace = ?)",
    deleteId: `DELETE FROM "${table}" WHERE id = ?`,
    untagId: `DELETE FROM "${table}_tags" WHERE id = ?`,
    clear: `DELETE FROM "${table}"`,
    untagAll: `DELETE FROM "${table}_tags"`,
    ofNamespace: `SELECT id FROM "${table}" WHERE namespace = ?`,
    expired: `SELECT id ${ended}`,
    count: `SELECT 1 AS one FROM "${table}" LIMIT 1`,
  } as const;
}
