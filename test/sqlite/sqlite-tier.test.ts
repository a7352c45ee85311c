// The tier over real databases in files: what it keeps, what survives, and how it fails.
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Cache, ManualClock, openCache } from "../../dist/src/mod.js";
import { type SqliteDatabase, sqliteTier } from "../../dist/src/sqlite/mod.js";
import { Database } from "./any-database.mjs";

let folder: string;
let file: string;
let events: string[];
const databases = new Set<Database>();
const caches = new Set<Cache>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "undercroft-sqlite-"));
  file = join(folder, "cache.db");
  events = [];
});
afterEach(async () => {
  for (const cache of caches) await cache.close().catch(() => undefined);
  caches.clear();
  for (const db of databases) if (db.isOpen) db.close();
  databases.clear();
  rmSync(folder, { recursive: true });
});

function database(path = file): Database {
  const db = new Database(path);
  databases.add(db);
  return db;
}

async function open(db: SqliteDatabase, options = {}): Promise<Cache> {
  const cache = await openCache({
    memory: "2mb",
    tiers: [sqliteTier(db)],
    on: {
      "tier-down": ({ error }) => void events.push(`down: ${error.message}`),
      "tier-up": () => void events.push("up"),
    },
    ...options,
  });
  caches.add(cache);
  return cache;
}

function count(db: Database, table: string): number {
  return Number(db.get(`SELECT COUNT(*) AS n FROM ${table}`)?.["n"]);
}

test("keeps entries over sessions and databases, with times, tags and any key", async () => {
  const value = { at: new Date(7), list: [1n, -0, null], text: "ü\u0000" };
  const first = await open(database());
  first.set("a", value, { ttl: "1h", staleFor: "2h", tags: ["t", "ü\u0000'"] });
  first.set(new Uint8Array([0, 255]), Buffer.from([0, 1]));
  first.set("for ever", "x".repeat(200_000), { tags: ["t"] });
  const before = await first.getEntry("a");
  await first.close();
  for (const db of databases) db.close();
  const db = database();
  const cache = await open(db);
  expect(await cache.getEntry("a")).toEqual({
    ...before,
    source: "tier",
    size: expect.any(Number) as number,
  });
  expect(await cache.get(new Uint8Array([0, 255]))).toEqual(Buffer.from([0, 1]));
  expect((await cache.getEntry("for ever"))?.expiresAt).toBe(Infinity);
  expect(count(db, "undercroft_tags")).toBe(3);
  cache.set("a", "without tags");
  await cache.flush();
  expect(count(db, "undercroft_tags")).toBe(1);
  cache.deleteByTag("t");
  await cache.flush();
  expect([count(db, "undercroft"), count(db, "undercroft_tags")]).toEqual([2, 0]);
  cache.clear();
  await cache.flush();
  expect(count(db, "undercroft")).toBe(0);
});

test("does not give what has ended, and purges it in bounded steps", async () => {
  const clock = new ManualClock(1e12);
  const db = database();
  const cache = await open(db, { clock });
  for (let key = 0; key < 600; key++) cache.set(`k${key}`, key, { ttl: 1000, tags: ["t"] });
  cache.set("stays", 1, { ttl: 1000, staleFor: 60_000 });
  await cache.flush();
  expect(count(db, "undercroft")).toBe(601);
  clock.advance(2000);
  expect(await cache.get("k1")).toBeUndefined();
  for (const left of [346, 91, 4]) {
    cache.set(`new ${left}`, 1, { ttl: 1e6 });
    await cache.flush();
    expect(count(db, "undercroft")).toBe(left);
  }
  await cache.close();
  const again = await open(db, { clock });
  expect(await again.fetch("stays", () => 2)).toBe(1);
});

test("two caches of one database have a table each", async () => {
  const db = database();
  const one = await open(db);
  const two = await open(db, { tiers: [sqliteTier(db, { table: "other" })] });
  one.set("a", 1);
  two.set("a", 2);
  await Promise.all([one.flush(), two.flush()]);
  expect([count(db, "undercroft"), count(db, "other")]).toEqual([1, 1]);
});

test("makes its tables anew once they were dropped", async () => {
  const db = database();
  const first = await open(db);
  first.set("a", 1);
  await first.close();
  db.exec("DROP TABLE undercroft; DROP TABLE undercroft_tags");
  const cache = await open(db);
  cache.set("b", 2, { tags: ["t"] });
  await cache.close();
  expect([count(db, "undercroft"), count(db, "undercroft_tags"), events]).toEqual([1, 1, []]);
});

describe("a database that", () => {
  test("is busy when the cache opens is used when it is free", async () => {
    const holder = database();
    holder.exec("CREATE TABLE t (a); BEGIN EXCLUSIVE");
    const cache = await open(database());
    cache.set("a", 1);
    await expect(cache.flush()).rejects.toMatchObject({ code: "ERR_TIER" });
    expect(await cache.get("b")).toBeUndefined();
    expect(events).toEqual([expect.stringMatching(/^down: Cannot use tier "sqlite": .*locked/)]);
    holder.exec("COMMIT");
    await cache.flush();
    expect(events[1]).toBe("up");
    expect(count(holder, "undercroft")).toBe(1);
  });

  test("is locked for a while keeps no older value", async () => {
    const holder = database();
    const db = database();
    const cache = await open(db);
    cache.set("a", 1);
    cache.set("b", 1);
    await cache.flush();
    holder.exec("BEGIN IMMEDIATE");
    cache.set("a", 2);
    cache.delete("b");
    await expect(cache.flush()).rejects.toMatchObject({ code: "ERR_TIER" });
    expect(await cache.get("b")).toBeUndefined();
    holder.exec("ROLLBACK");
    await cache.close();
    const again = await open(db);
    expect(await again.getMany(["a", "b"])).toEqual(new Map([["a", 2]]));
  });

  test("is closed by its owner, or is none", async () => {
    const db = database();
    const cache = await open(db);
    cache.set("a", 1);
    await cache.flush();
    db.close();
    cache.set("b", 1);
    await expect(cache.flush()).rejects.toMatchObject({ code: "ERR_TIER" });
    expect([cache.getSync("a"), await cache.get("c")]).toEqual([1, undefined]);
    writeFileSync(
      join(folder, "text.db"),
      "no database, but a text that is long enough".repeat(99),
    );
    const other = await open(database(join(folder, "text.db")));
    expect(await other.get("a")).toBeUndefined();
    expect(events.at(-1)).toMatch(/^down: Cannot use tier "sqlite": .*not a database/);
  });

  test("is damaged anywhere gives no wrong value", async () => {
    const first = await open(database());
    for (let key = 0; key < 300; key++) first.set(`k${key}`, `value ${key}`.repeat(9));
    await first.close();
    for (const db of databases) db.close();
    const damaged = join(folder, "damaged.db");
    const bytes = await import("node:fs").then(({ readFileSync }) => readFileSync(file));
    for (let round = 0; round < 12; round++) {
      const copy = Buffer.from(bytes);
      // Every 97th byte behind the header, from another one on in each round.
      for (let at = 100 + round * 8; at < copy.length; at += 97) copy[at]! ^= 1 << (round % 8);
      writeFileSync(damaged, copy);
      const db = database(damaged);
      const cache = await open(db);
      for (let key = 0; key < 300; key++) {
        const value = await cache.get(`k${key}`);
        expect([undefined, `value ${key}`.repeat(9)]).toContain(value);
      }
      await cache.close();
      db.close();
    }
    copyFileSync(file, damaged);
    truncateSync(damaged, 5000);
    const cache = await open(database(damaged));
    expect(await cache.get("k1")).toBeUndefined();
    expect(events.at(-1)).toMatch(/^down/);
  });

  test("has the table in another version, or another's table, is not touched", async () => {
    const db = database();
    const first = await open(db);
    first.set("a", 1);
    await first.close();
    db.exec("UPDATE undercroft_tiers SET version = 99");
    const cache = await open(db);
    expect(await cache.get("a")).toBeUndefined();
    cache.set("a", 2);
    await expect(cache.close()).rejects.toMatchObject({ code: "ERR_TIER" });
    expect(events).toEqual([expect.stringContaining('"undercroft" has version 99')]);
    db.exec("DELETE FROM undercroft_tiers");
    const other = await open(db);
    expect(await other.get("a")).toBeUndefined();
    expect(events.at(-1)).toContain('a table "undercroft" that is not Undercroft\'s');
    expect(count(db, "undercroft")).toBe(1);
  });
});

test("kill -9 among batches leaves whole ones, and all that was flushed", async () => {
  for (let round = 0; round < 3; round++) {
    const path = join(folder, `killed-${round}.db`);
    const flushed = await killedWriter(path, 3 + round * 4);
    rmSync(`${path}.lock`, { recursive: true, force: true }); // of the package's own locking
    const db = database(path);
    const cache = await open(db);
    for (let key = 0; key < flushed; key++) {
      expect(await cache.get(`k${key}`)).toEqual({ key, text: "x".repeat(100) });
    }
    expect(db.get("PRAGMA integrity_check")).toEqual({ integrity_check: "ok" });
    expect(count(db, "undercroft")).toBeGreaterThanOrEqual(flushed);
    cache.set("after", round);
    await cache.close();
    expect(events).toEqual([]);
  }
});

/** Runs a writer and kills it after it has told of some flushes; answers how many keys it had
 *  flushed by then. */
async function killedWriter(path: string, flushes: number): Promise<number> {
  const program = fileURLToPath(new URL("killed-writer.mjs", import.meta.url));
  const child = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] });
  let flushed = 0;
  let told = 0;
  for await (const chunk of child.stdout.setEncoding("utf8")) {
    const lines = String(chunk).trim().split("\n");
    flushed = Math.max(flushed, ...lines.map(Number));
    told += lines.length;
    if (told >= flushes) child.kill("SIGKILL");
  }
  return flushed;
}

test.each<[unknown, unknown, RegExp]>([
  [5, {}, /Cannot use a database: current value is 5; it must be an open database with exec/],
  [{ exec: () => undefined }, {}, /Cannot use a database/],
  [{}, { table: "a b" }, /option table: current value is "a b"/],
  [{}, { table: 5 }, /option table: current value is 5/],
  [{}, { name: 5 }, /option name: current value is 5/],
  [{}, { tabel: "a" }, /tabel/],
])("a wrong argument is refused: %j %j", (db, options, message) => {
  const given = typeof db === "object" && Object.keys(db as object).length === 0 ? database() : db;
  expect(() => sqliteTier(given as never, options as never)).toThrow(message);
});
