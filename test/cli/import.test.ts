// `undercroft import` as a user runs it: from a real table, and from lines of JSON.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sqlite from "node-sqlite3-wasm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCache } from "../../dist/src/mod.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = join(root, "dist/src/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "undercroft-import-"));
const file = join(folder, "app.db");
const rowCount = 3000;
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  const db = new sqlite.Database(file);
  db.exec('CREATE TABLE "my agents" (id, json TEXT, text, bytes BLOB); BEGIN');
  const insert = db.prepare('INSERT INTO "my agents" VALUES (?, ?, ?, ?)');
  for (let row = 0; row < rowCount; row++) {
    const json = JSON.stringify({ row, text: "x".repeat(row % 700) });
    insert.run([row % 2 === 0 ? `k${row}` : row, json, `text ${row}`, Buffer.from([row % 256])]);
  }
  insert.run([null, "1", null, null]);
  insert.run(["broken", "{", null, null]);
  insert.run([new Uint8Array([255]), "null", null, null]);
  insert.finalize();
  db.exec("COMMIT");
  db.close();
});

interface Ending {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function undercroft(words: readonly string[], input = ""): Promise<Ending> {
  const child = spawn(process.execPath, [program, ...words], { cwd: root });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  child.stdin.on("error", () => undefined); // it may end before it has read all
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.on("close", (status) => resolve({ status, out, err }));
  });
}

const table = (key: string, value: string): string[] => [
  "--sqlite",
  file,
  "--table",
  "my agents",
  "--key",
  key,
  "--value",
  value,
];

describe("a table", () => {
  test("of JSON is in the directory as values; what is no entry is told and counted", async () => {
    const path = join(folder, "json");
    const ending = await undercroft(["import", path, ...table("id", "json"), "--json"]);
    expect(ending).toEqual({
      status: 1,
      out: `${path}: 3001 stored, 2 refused; 3001 entries are there\n`,
      err:
        "undercroft: not stored: the key of row 3001 is null\n" +
        'undercroft: not stored: the value of "broken" is not JSON\n',
    });
    const cache = await openCache<unknown>({ disk: { path } });
    for (let row = 0; row < rowCount; row++) {
      const key = row % 2 === 0 ? `k${row}` : `${row}`;
      expect(await cache.get(key)).toEqual({ row, text: "x".repeat(row % 700) });
    }
    expect(await cache.get(new Uint8Array([255]))).toBeNull();
    await cache.close();
  });

  test("of text and bytes is as it is there, with a ttl", async () => {
    const path = join(folder, "text");
    const options = ["--ttl", "1h", "--memory", "16mb", "--capacity", "32mb"];
    await undercroft(["import", path, ...table("id", "text"), ...options]);
    await undercroft(["import", path, ...table("text", "bytes"), ...options]);
    const cache = await openCache<unknown>({
      memory: "16mb",
      disk: { path, capacity: "32mb" },
    });
    const entry = await cache.getEntry("k2");
    expect(entry?.value).toBe("text 2");
    expect((entry?.expiresAt ?? 0) - (entry?.createdAt ?? 0)).toBe(3_600_000);
    expect(Buffer.from((await cache.get("text 7")) as Uint8Array)).toEqual(Buffer.from([7]));
    await cache.close();
  });
});

test("lines of JSON bring times and tags of their own", async () => {
  const path = join(folder, "lines");
  const lines = [
    '{"key":"a","value":{"x":[1]},"ttl":"1h","tags":["t"]}',
    "",
    "oops",
    '{"key":"b"}',
    '{"key":5,"value":1}',
    '{"key":"c","value":1,"ttl":0}',
    '{"key":"d","value":1,"tll":1}',
    '{"key":"e","value":null}',
  ];
  const { status, out, err } = await undercroft(["import", path], lines.join("\n"));
  expect([status, out]).toEqual([1, `${path}: 2 stored, 5 refused; 2 entries are there\n`]);
  expect(err.split("\n").map((line) => line.slice(0, 60))).toEqual([
    "undercroft: not stored: line 3 is not JSON",
    'undercroft: not stored: line 4 is not {"key": "…", "value": ',
    "undercroft: not stored: the key in line 5 is 5, not a string",
    "undercroft: not stored: Cannot use option ttl: current value",
    expect.stringContaining("tll") as string,
    "",
  ]);
  const cache = await openCache<unknown>({ disk: { path } });
  expect(await cache.getEntry("a")).toMatchObject({ value: { x: [1] }, tags: ["t"] });
  expect(await cache.get("e")).toBeNull();
  await cache.close();
});

test("more than memory holds is all there", async () => {
  const path = join(folder, "large");
  const lines = Array.from({ length: 6000 }, (_, key) =>
    JSON.stringify({ key: `k${key}`, value: `${key} `.repeat(100) }),
  );
  const options = ["--memory", "2mb", "--capacity", "64mb"];
  const { out } = await undercroft(["import", path, ...options], lines.join("\n"));
  expect(out).toContain("6000 stored, 0 refused");
  const cache = await openCache<string>({ memory: "2mb", disk: { path, capacity: "64mb" } });
  for (let key = 0; key < 6000; key++)
    expect(await cache.get(`k${key}`)).toBe(`${key} `.repeat(100));
  await cache.close();
});

test.each<[string, readonly string[], string]>([
  ["no database", ["--sqlite", program], "it is not a SQLite database"],
  ["no file", ["--sqlite", join(folder, "none.db")], "ENOENT"],
  ["no table", ["--sqlite", file], "no such table"],
])("%s is refused with one line", async (_, source, why) => {
  const rest = ["--table", "none", "--key", "k", "--value", "v"];
  const { status, out, err } = await undercroft(["import", join(folder, "x"), ...source, ...rest]);
  expect([status, out]).toEqual([2, ""]);
  expect(err).toMatch(/^undercroft: Cannot import .*\n$/);
  expect(err).toContain(why);
});

test.each<[readonly string[], string]>([
  [["import"], "name the one of the cache"],
  [["import", "a", "b"], "2 directories were named"],
  [["import", "a", "--table", "t"], "--table say too little"],
  [["import", "a", "--tabel", "t"], "the options are --sqlite, --table"],
])("%j is a mistake of the caller", async (words, why) => {
  const { status, err } = await undercroft(words);
  expect(status).toBe(2);
  expect(err).toContain(why);
});

test("a directory that is not a cache's is left alone", async () => {
  const path = mkdtempSync(join(folder, "other-"));
  writeFileSync(join(path, "thesis.txt"), "mine");
  const { status, err } = await undercroft(["import", path], '{"key":"a","value":1}');
  expect(status).toBe(1);
  expect(err).toMatch(/^undercroft: .*\n$/);
});

test("help says how", async () => {
  const { status, out } = await undercroft(["help", "import"]);
  expect([status, out.startsWith("import <directory>")]).toEqual([0, true]);
  expect((await undercroft(["import", "-h"])).out).toBe(out);
});
