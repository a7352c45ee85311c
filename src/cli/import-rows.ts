// What `undercroft import` reads: the rows of a SQLite table, or lines of JSON. Each is an entry,
// or the reason why it is none. Called by that command.
import { closeSync, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { describe } from "../base/mod.js";
import type { SetOptions } from "../config/mod.js";
import type { Key } from "../kernel/mod.js";
import type { TableSource } from "./import-options.js";

/** An entry to store. */
export interface Row {
  readonly key: Key;
  readonly value: unknown;
  readonly options: SetOptions | undefined;
}

/** Why a row or a line is no entry. */
export class NoEntry {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

export type Rows = AsyncIterable<Row | NoEntry> | Iterable<Row | NoEntry>;

// ── Lines of JSON ─────────────────────────────────────────────────────────────────────────────

const lineAllowed =
  '{"key": "…", "value": …}, with "ttl", "staleFor" and "tags" as set() takes them';

/** `{ key, value, ttl?, staleFor?, tags? }` a line; empty lines are skipped. */
export async function* rowsOfLines(input: Readable): AsyncIterable<Row | NoEntry> {
  let number = 0;
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    number += 1;
    if (line.trim() !== "") yield rowOfLine(line, number);
  }
}

function rowOfLine(line: string, number: number): Row | NoEntry {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return new NoEntry(`line ${number} is not JSON`);
  }
  if (typeof entry !== "object" || entry === null || !("key" in entry) || !("value" in entry)) {
    return new NoEntry(`line ${number} is not ${lineAllowed}`);
  }
  const { key, value, ...options } = entry as { key: unknown; value: unknown };
  if (typeof key !== "string") {
    return new NoEntry(`the key in line ${number} is ${describe(key)}, not a string`);
  }
  return { key, value, options: Object.keys(options).length === 0 ? undefined : options };
}

// ── A SQLite table ────────────────────────────────────────────────────────────────────────────

interface Query {
  iterate?(): Iterable<unknown>;
  all(): unknown;
}

interface ReadDatabase {
  prepare(sql: string): Query;
  close(): unknown;
}

type Opened = new (file: string, options: Record<string, boolean>) => ReadDatabase;

/** Where a package has its class, and how it opens a file that must be there, to read only. */
const packages: readonly (readonly [string, string | undefined, Record<string, boolean>])[] = [
  ["node:sqlite", "DatabaseSync", { readOnly: true }],
  ["better-sqlite3", undefined, { readonly: true, fileMustExist: true }],
  ["node-sqlite3-wasm", "Database", { readOnly: true, fileMustExist: true }],
];

const header = "SQLite format 3\0";

/** The rows of a table. Throws RangeError if there is no such table in a SQLite database. */
export function rowsOfTable(source: TableSource): Iterable<Row | NoEntry> {
  assertIsDatabase(source.file);
  return rowsOf(open(source.file), source);
}

function* rowsOf(db: ReadDatabase, source: TableSource): Iterable<Row | NoEntry> {
  try {
    let number = 0;
    for (const row of query(db, source)) {
      number += 1;
      yield rowOf(row as Record<string, unknown>, number, source.json);
    }
  } finally {
    db.close();
  }
}

function assertIsDatabase(file: string): void {
  const begin = Buffer.alloc(header.length);
  try {
    const fd = openSync(file, "r");
    try {
      readSync(fd, begin, 0, begin.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new RangeError(`Cannot import ${file}: ${textOf(error)}`, { cause: error });
  }
  if (begin.toString("latin1") === header) return;
  throw new RangeError(`Cannot import ${file}: it is not a SQLite database`);
}

function open(file: string): ReadDatabase {
  const require = createRequire(join(process.cwd(), "import.js"));
  for (const [name, member, options] of packages) {
    const Database = classOf(require, name, member);
    if (Database === undefined) continue;
    try {
      return new Database(file, options);
    } catch (error) {
      throw new RangeError(`Cannot import ${file}: ${textOf(error)}`, { cause: error });
    }
  }
  const names = packages.map(([name]) => name).join(", ");
  throw new RangeError(
    `Cannot import ${file}: nothing here reads SQLite; one of ${names} must be installed where ` +
      "the command runs",
  );
}

/** The class of a package, unless the package is not there or does not load. */
function classOf(
  require: NodeJS.Require,
  name: string,
  member: string | undefined,
): Opened | undefined {
  try {
    const loaded = require(name) as Record<string, unknown>;
    return (member === undefined ? loaded : loaded[member]) as Opened | undefined;
  } catch {
    return undefined;
  }
}

function* query(db: ReadDatabase, { file, table, key, value }: TableSource): Iterable<unknown> {
  let rows: Iterable<unknown>;
  try {
    const sql = `SELECT ${quoted(key)} AS k, ${quoted(value)} AS v FROM ${quoted(table)}`;
    const statement = db.prepare(sql);
    rows = statement.iterate?.() ?? (statement.all() as unknown[]);
    yield* rows;
  } catch (error) {
    throw new RangeError(`Cannot import table ${table} of ${file}: ${textOf(error)}`, {
      cause: error,
    });
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function rowOf({ k, v }: Record<string, unknown>, number: number, isJson: boolean): Row | NoEntry {
  const key = keyOf(k);
  if (key === undefined) return new NoEntry(`the key of row ${number} is ${describe(k)}`);
  if (!isJson) return { key, value: v, options: undefined };
  try {
    const text = v instanceof Uint8Array ? Buffer.from(v).toString("utf8") : String(v);
    return { key, value: v === null ? null : JSON.parse(text), options: undefined };
  } catch {
    return new NoEntry(`the value of ${describe(key)} is not JSON`);
  }
}

function keyOf(key: unknown): Key | undefined {
  if (typeof key === "string" || key instanceof Uint8Array) return key;
  return typeof key === "number" || typeof key === "bigint" ? String(key) : undefined;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
