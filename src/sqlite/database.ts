// The part of a SQLite database that the tier needs, whichever package it comes from, and the one
// thing in which they differ: how a statement is given its values. Called by SqliteTier.
import { describe } from "../base/mod.js";

/** A value that SQLite stores. */
export type SqlValue = string | number | bigint | null | Uint8Array;
export type SqlRow = Readonly<Record<string, unknown>>;

/** A prepared statement of the caller's database. */
interface SqliteStatement {
  run(...values: never[]): unknown;
  get(...values: never[]): unknown;
  all(...values: never[]): unknown;
  finalize?(): unknown;
}

/**
 * A SQLite database that the caller has opened: `DatabaseSync` of `node:sqlite`, a database of
 * better-sqlite3, or `Database` of node-sqlite3-wasm. Anything with these methods will do.
 *
 * @example
 * ```ts
 * import sqlite from "node-sqlite3-wasm";
 * import type { SqliteDatabase } from "undercroft/sqlite";
 *
 * const db: SqliteDatabase = new sqlite.Database();
 * db.exec("CREATE TABLE t (a)");
 * ```
 */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

/** A statement that takes its values as an array. */
export interface Statement {
  run(values: readonly SqlValue[]): void;
  get(values: readonly SqlValue[]): SqlRow | undefined;
  all(values: readonly SqlValue[]): SqlRow[];
  finalize(): void;
}

type AnyMethod = (...values: unknown[]) => unknown;

/** Prepares statements of one database, and finalizes them. */
export class Statements {
  readonly #db: SqliteDatabase;
  readonly #prepared = new Map<string, Statement>();
  #takesArray: boolean | undefined;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  exec(sql: string): void {
    this.#db.exec(sql);
  }

  /** The statement of a text, prepared once. */
  of(sql: string): Statement {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#bound(this.#db.prepare(sql), (this.#takesArray ??= this.#probe()));
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  /** Whether the package takes values as one array. Asked of the database itself: of two values
   *  given one by one, such a package takes only the first. */
  #probe(): boolean {
    const statement = this.#db.prepare("SELECT ? AS a, ? AS b");
    try {
      const one = this.#bound(statement, false);
      return Number(one.get([1, 2])?.["b"]) !== 2;
    } catch {
      return true;
    } finally {
      statement.finalize?.();
    }
  }

  #bound(statement: SqliteStatement, takesArray: boolean): Statement {
    const call = (name: "run" | "get" | "all", values: readonly SqlValue[]): unknown => {
      const method = statement[name] as unknown as AnyMethod;
      return takesArray ? method.call(statement, [...values]) : method.call(statement, ...values);
    };
    return {
      run: (values) => void call("run", values),
      get: (values) => (call("get", values) as SqlRow | null | undefined) ?? undefined,
      all: (values) => call("all", values) as SqlRow[],
      finalize: () => void statement.finalize?.(),
    };
  }

  /** Finalizes all statements; another `of` prepares anew. */
  close(): void {
    const all = Array.from(this.#prepared.values());
    this.#prepared.clear();
    for (const statement of all) statement.finalize();
  }
}

/** Throws TypeError unless `db` is a database. */
export function assertDatabase(db: unknown): asserts db is SqliteDatabase {
  const members = (typeof db === "object" && db !== null ? db : {}) as Record<string, unknown>;
  if (typeof members["exec"] === "function" && typeof members["prepare"] === "function") return;
  throw new TypeError(
    `Cannot use a database: current value is ${describe(db)}; it must be an open database with ` +
      "exec() and prepare(): DatabaseSync of node:sqlite, better-sqlite3's, or Database of " +
      "node-sqlite3-wasm",
  );
}
