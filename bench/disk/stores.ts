// The stores that the disk suites compare, each behind the calls that its users make. None syncs:
// what a store wrote is in the system's page cache. Called by the suites and by their processes.
import { closeSync, openSync, read, readdirSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import sqlite, { type Database, type Statement } from "node-sqlite3-wasm";

import { type Cache, openCache } from "../../src/mod.js";
import { valueOf } from "./values.js";

export interface DiskStore {
  readonly name: string;
  /** Writes entries `from` to `to` - 1, so that all of them can be read. */
  write(from: number, to: number): Promise<void>;
  /** Reads one; resolves to the length of its value, -1 if it is not there. */
  read(id: number): Promise<number>;
  close(): Promise<void>;
}

/** Where a store is, and what it keeps. */
export interface StorePlan {
  readonly path: string;
  readonly size: number;
  /** For Undercroft. */
  readonly memory: string;
  readonly capacity: string;
  /** For Undercroft: what is brought to memory at open. */
  readonly preload?: false;
}

export const storeNames = ["fs", "lmdb", "sqlite", "undercroft"] as const;
export type StoreName = (typeof storeNames)[number];

export function openStore(name: StoreName, plan: StorePlan): Promise<DiskStore> {
  if (name === "undercroft") return UndercroftStore.open(plan);
  if (name === "fs") return Promise.resolve(new FileStore(plan));
  return Promise.resolve(name === "lmdb" ? new LmdbStore(plan) : new SqliteStore(plan));
}

const keyOf = (id: number): string => `agents/${id}`;

/** One file, read and written by position: what a store cannot do without. */
class FileStore implements DiskStore {
  readonly name = "fs";
  readonly #size: number;
  readonly #file: number;

  constructor({ path, size }: StorePlan) {
    this.#size = size;
    this.#file = openSync(join(path, "values"), "a+");
  }

  async write(from: number, to: number): Promise<void> {
    for (let id = from; id < to; id++) {
      writeSync(this.#file, valueOf(id, this.#size), 0, this.#size, null);
    }
  }

  read(id: number): Promise<number> {
    const into = Buffer.allocUnsafe(this.#size);
    return new Promise((resolve, reject) => {
      read(this.#file, into, 0, this.#size, id * this.#size, (error, bytes) => {
        if (error === null) resolve(bytes);
        else reject(error);
      });
    });
  }

  async close(): Promise<void> {
    closeSync(this.#file);
  }
}

/** Puts that lmdb gathers into transactions of its own thread, as its documentation advises. */
class LmdbStore implements DiskStore {
  readonly name = "lmdb";
  readonly #size: number;
  readonly #database: RootDatabase<Uint8Array, string>;

  constructor({ path, size }: StorePlan) {
    this.#size = size;
    this.#database = open({ path, noSync: true, encoding: "binary" });
  }

  async write(from: number, to: number): Promise<void> {
    for (let id = from; id < to; id++) {
      const isDone = this.#database.put(keyOf(id), valueOf(id, this.#size));
      // Or the puts of all would be in memory at once.
      if (id % 1024 === 1023 || id === to - 1) await isDone;
    }
  }

  async read(id: number): Promise<number> {
    return this.#database.getBinary(keyOf(id))?.length ?? -1;
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}

/** SQLite in WebAssembly, 1,024 rows in a transaction. */
class SqliteStore implements DiskStore {
  readonly name = "sqlite";
  readonly #size: number;
  readonly #database: Database;
  readonly #insert: Statement;
  readonly #select: Statement;

  constructor({ path, size }: StorePlan) {
    this.#size = size;
    this.#database = new sqlite.Database(join(path, "values.db"));
    this.#database.exec("PRAGMA synchronous = OFF");
    this.#database.exec("CREATE TABLE IF NOT EXISTS v (key TEXT PRIMARY KEY, value BLOB)");
    this.#insert = this.#database.prepare("INSERT OR REPLACE INTO v VALUES (?, ?)");
    this.#select = this.#database.prepare("SELECT value FROM v WHERE key = ?");
  }

  async write(from: number, to: number): Promise<void> {
    for (let next = from; next < to;) {
      const end = Math.min(to, next + 1024);
      this.#database.exec("BEGIN");
      for (; next < end; next++) this.#insert.run([keyOf(next), valueOf(next, this.#size)]);
      this.#database.exec("COMMIT");
    }
  }

  async read(id: number): Promise<number> {
    const value = this.#select.get([keyOf(id)])?.["value"];
    return value instanceof Uint8Array ? value.length : -1;
  }

  async close(): Promise<void> {
    this.#insert.finalize();
    this.#select.finalize();
    this.#database.close();
  }
}

class UndercroftStore implements DiskStore {
  readonly name = "undercroft";
  readonly #size: number;
  readonly #cache: Cache<Uint8Array>;

  private constructor(size: number, cache: Cache<Uint8Array>) {
    this.#size = size;
    this.#cache = cache;
  }

  static async open({ path, size, memory, capacity, preload }: StorePlan): Promise<DiskStore> {
    const disk = { path, capacity, ...(preload === false ? { preload } : {}) };
    return new UndercroftStore(size, await openCache<Uint8Array>({ memory, disk }));
  }

  async write(from: number, to: number): Promise<void> {
    const cache = this.#cache;
    for (let id = from; id < to; id++) {
      const value = valueOf(id, this.#size);
      while (cache.set(keyOf(id), value) !== "stored") await cache.flush();
    }
    await cache.flush();
  }

  async read(id: number): Promise<number> {
    return (await this.#cache.get(keyOf(id)))?.length ?? -1;
  }

  async close(): Promise<void> {
    await this.#cache.close();
  }
}

/** The bytes that the file system has given to the files of a directory. */
export function bytesOnDisk(path: string): number {
  let bytes = 0;
  for (const name of readdirSync(path)) bytes += statSync(join(path, name)).blocks * 512;
  return bytes;
}
