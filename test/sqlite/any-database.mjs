// The database of the tests of the SQLite tier: node-sqlite3-wasm's, which is installed, or
// better-sqlite3's from the folder that UNDERCROFT_BETTER_SQLITE3 names, which needs a build for
// the machine: `npm install --prefix /tmp/better better-sqlite3`, then
// `UNDERCROFT_BETTER_SQLITE3=/tmp/better npx vitest run test/sqlite`.
import { createRequire } from "node:module";
import { join } from "node:path";
import sqlite from "node-sqlite3-wasm";

const folder = process.env["UNDERCROFT_BETTER_SQLITE3"];

export const Database = folder === undefined ? sqlite.Database : betterSqlite3(folder);

/** With the methods of the other one that tests call, and with every integer as a bigint, which is
 *  a choice of the caller there. */
function betterSqlite3(where) {
  const Base = createRequire(join(where, "from-here.js"))("better-sqlite3");
  return class extends Base {
    constructor(path) {
      super(path);
      this.defaultSafeIntegers(true);
    }

    get isOpen() {
      return this.open;
    }

    get(sql, values = []) {
      return this.prepare(sql).get(...values);
    }
  };
}
