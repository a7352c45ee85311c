// A tier in the caller's SQLite database. Called by the cache, in the thread that opened it. All
// calls are synchronous. Invariant: a batch is one transaction, so a process that dies leaves all
// of it or nothing.
import { describe } from "../base/mod.js";
import { optionsOf } from "../config/mod.js";
import type { Tier, TierChange, TierEntry, TierKey } from "../outer-tiers/mod.js";
import { assertDatabase, type SqliteDatabase, type SqlRow, Statements } from "./database.js";
import { makeTables, sqlOf } from "./tier-tables.js";

/** The most expired rows that one batch deletes. */
export const purgeMax = 256;
const tablePattern = /^[A-Za-z_][A-Za-z0-9_]{0,47}$/;

/**
 * The options of `sqliteTier`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import type { SqliteTierOptions } from "undercroft/sqlite";
 *
 * const options: SqliteTierOptions = { table: "agents_cache" };
 * console.log(options.table); // agents_cache
 * ```
 */
export interface SqliteTierOptions {
  /** The table, made if it is missing: 1 to 48 letters, digits and underscores, no digit first. A
   *  second one for tags is named after it. Default "undercroft". */
  readonly table?: string;
  /** The tier's name in events, 1 to 64 characters. Default "sqlite". */
  readonly name?: string;
}

/**
 * A tier over a SQLite database of yours, for the option `tiers` of `openCache`.
 *
 * Each batch of changes is one transaction (`BEGIN IMMEDIATE`), so give the tier a connection on
 * which you have no transaction open over an await. The database stays yours: its pragmas, and
 * `close`, after the cache's. Rows that have ended are not read, and each batch deletes up to 256
 * of them. What was committed survives `kill -9`; what was written since the last batch, a turn of
 * the event loop ago, does not: `await cache.flush()` waits for it.
 *
 * A database that is busy, locked, damaged, closed, or has the table in another version is
 * "tier-down"; the cache goes on without it and tries again.
 *
 * @throws TypeError if `db` is no database or an option is of a wrong type, RangeError if the name
 *   of the table is not allowed.
 *
 * @example
 * ```ts
 * import sqlite from "node-sqlite3-wasm";
 * import { openCache } from "undercroft";
 * import { sqliteTier } from "undercroft/sqlite";
 *
 * const db = new sqlite.Database(); // a file, in a service
 * const cache = await openCache<string>({ tiers: [sqliteTier(db)] });
 * cache.set("a", "kept");
 * await cache.close(); // waits until it is written
 *
 * const again = await openCache<string>({ tiers: [sqliteTier(db)] });
 * console.log(await again.get("a")); // kept
 * await again.close();
 * db.close();
 * ```
 */
export function sqliteTier(db: SqliteDatabase, options: SqliteTierOptions = {}): Tier {
  assertDatabase(db);
  const { table = "undercroft", name = "sqlite" } = optionsOf("", options, ["table", "name"]);
  if (typeof table !== "string" || !tablePattern.test(table)) {
    const Kind = typeof table === "string" ? RangeError : TypeError;
    throw new Kind(
      `Cannot use option table: current value is ${describe(table)}; it must be 1 to 48 letters, ` +
        "digits and underscores, and not begin with a digit",
    );
  }
  if (typeof name !== "string") {
    throw new TypeError(
      `Cannot use option name: current value is ${describe(name)}; it must be a string`,
    );
  }
  return new SqliteTier(db, table, name);
}

class SqliteTier implements Tier {
  readonly name: string;
  readonly #statements: Statements;
  readonly #table: string;
  readonly #sql: ReturnType<typeof sqlOf>;
  #isMade = false;

  constructor(db: SqliteDatabase, table: string, name: string) {
    this.name = name;
    this.#statements = new Statements(db);
    this.#table = table;
    this.#sql = sqlOf(table);
  }

  getMany(keys: readonly TierKey[], now: number): (TierEntry | undefined)[] {
    this.#make();
    const find = this.#statements.of(this.#sql.find);
    return keys.map(({ namespace, key }) => {
      const row = find.get([namespace, key, now]);
      return row === undefined ? undefined : entryOf(row);
    });
  }

  apply(changes: readonly TierChange[], now: number): void {
    this.#make();
    this.#transact(() => {
      for (const change of changes) this.#change(change);
      this.#purge(now);
    });
  }

  health(): void {
    this.#make();
    this.#statements.of(this.#sql.count).get([]);
  }

  close(): void {
    this.#statements.close();
  }

  /** At the first call, since the database may be locked or damaged: the cache opens all the
   *  same. */
  #make(): void {
    if (this.#isMade) return;
    this.#transact(() => makeTables(this.#statements, this.#table));
    this.#isMade = true;
  }

  #transact(change: () => void): void {
    this.#statements.exec("BEGIN IMMEDIATE");
    try {
      change();
      this.#statements.exec("COMMIT");
    } catch (error) {
      try {
        this.#statements.exec("ROLLBACK");
      } catch {
        // SQLite has rolled back by itself, as it does when the disk is full.
      }
      throw error;
    }
  }

  #change(change: TierChange): void {
    const { untag, tag, set } = this.#sql;
    switch (change.kind) {
      case "set": {
        const { namespace, key, entry } = change;
        const { value, createdAt, expiresAt, staleUntil, tags } = entry;
        this.#run(untag, namespace, key);
        const times = [createdAt, finite(expiresAt), finite(staleUntil)];
        const names = tags.length === 0 ? null : JSON.stringify(tags);
        this.#run(set, namespace, key, value, ...times, names);
        for (const name of tags) this.#run(tag, name, namespace, key);
        return;
      }
      case "delete":
        this.#run(untag, change.namespace, change.key);
        this.#run(this.#sql.delete, change.namespace, change.key);
        return;
      case "delete-by-tag": {
        const { namespace } = change;
        const rows = this.#statements.of(this.#sql.tagged);
        this.#deleteRows(rows.all([change.tag, namespace, namespace]));
        return;
      }
      case "clear":
        this.#clear(change.namespace);
        return;
    }
  }

  #clear(namespace: string | null): void {
    if (namespace !== null) {
      this.#deleteRows(this.#statements.of(this.#sql.ofNamespace).all([namespace]));
      return;
    }
    this.#run(this.#sql.untagAll);
    this.#run(this.#sql.clear);
  }

  #purge(now: number): void {
    this.#deleteRows(this.#statements.of(this.#sql.expired).all([now, purgeMax]));
  }

  #deleteRows(rows: readonly SqlRow[]): void {
    for (const { id } of rows) {
      this.#run(this.#sql.untagId, id as number);
      this.#run(this.#sql.deleteId, id as number);
    }
  }

  #run(sql: string, ...values: Parameters<ReturnType<Statements["of"]>["run"]>[0]): void {
    this.#statements.of(sql).run(values);
  }
}

/** NULL stands for never. */
function finite(ms: number): number | null {
  return Number.isFinite(ms) ? ms : null;
}

/** An entry, or what cannot be one: the cache finds its seal broken. */
function entryOf({ value, created, expires, stale, tags }: SqlRow): TierEntry {
  const time = (ms: unknown): number => (ms === null ? Infinity : Number(ms));
  return {
    value: value instanceof Uint8Array ? value : new Uint8Array(0),
    createdAt: time(created),
    expiresAt: time(expires),
    staleUntil: time(stale),
    tags: tagsOf(tags),
  };
}

function tagsOf(text: unknown): readonly string[] {
  if (typeof text !== "string") return [];
  try {
    const tags: unknown = JSON.parse(text);
    return Array.isArray(tags) && tags.every((tag) => typeof tag === "string") ? tags : [];
  } catch {
    return []; // damaged: the seal covers the tags
  }
}
