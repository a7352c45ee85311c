// A SQLite database as the example uses it: node:sqlite where the runtime has it, and else
// node-sqlite3-wasm. Opened by records.ts, once in each thread.
import { existsSync, rmSync } from "node:fs";

export type Row = Readonly<Record<string, unknown>>;
type Values = readonly (string | number)[];

export interface Sql {
  readonly library: string;
  exec(sql: string): void;
  /** The rows of a query, or of a change with RETURNING. */
  all(sql: string, ...values: Values): Row[];
  close(): void;
}

/** What this file needs of node:sqlite, which the types of older runtimes do not know. */
interface NodeSqlite {
  readonly DatabaseSync: new (path: string) => {
    exec(sql: string): void;
    prepare(sql: string): { all(...values: Values): Row[] };
    close(): void;
  };
}

// First the wait for other threads' locks, which whatever comes after may meet. Without a sync just
// as much survives `kill -9`, if not a power loss.
const settings = "PRAGMA busy_timeout = 30000; PRAGMA synchronous = OFF;";

export async function openSql(path: string): Promise<Sql> {
  const specifier = "node:sqlite";
  const native = await import(specifier).then(
    (module) => module as NodeSqlite,
    () => undefined,
  );
  return native === undefined ? openWasm(path) : openNative(native, path);
}

/** Takes away the lock of a process that was killed: node-sqlite3-wasm locks by a folder, which
 *  outlives it. Only for who knows that no other process has the database. */
export function breakLock(path: string): void {
  if (existsSync(`${path}.lock`)) rmSync(`${path}.lock`, { recursive: true });
}

function openNative({ DatabaseSync }: NodeSqlite, path: string): Sql {
  const db = new DatabaseSync(path);
  db.exec(`${settings} PRAGMA journal_mode = WAL;`);
  const statements = new Map<string, ReturnType<typeof db.prepare>>();
  return {
    library: "node:sqlite",
    exec: (sql) => db.exec(sql),
    all(sql, ...values) {
      const statement = statements.get(sql) ?? db.prepare(sql);
      statements.set(sql, statement);
      return statement.all(...values);
    },
    close: () => db.close(),
  };
}

async function openWasm(path: string): Promise<Sql> {
  const { default: sqlite } = await import("node-sqlite3-wasm");
  const db = new sqlite.Database(path);
  db.exec(settings);
  return {
    library: "node-sqlite3-wasm",
    exec: (sql) => db.exec(sql),
    all: (sql, ...values) => db.all(sql, [...values]) as Row[],
    close: () => db.close(),
  };
}
