// A directory that another cache takes while it is open, as another machine may where a lock does
// not reach: who finds its lock gone keeps to memory, tells, and makes nothing final; and nothing
// that either of the two deleted comes back.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Cache, type CacheEventMap, openCache } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, memory, open, setUpCaches, until } from "./opened.js";

setUpCaches();

/** Takes the lock of an open cache away, as an opener of another kernel does when its lease is
 *  over. */
function breakLock(path: string): void {
  for (const name of readdirSync(path)) {
    if (name.startsWith("undercroft.lock")) rmSync(join(path, name));
  }
}

const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

const keys = Array.from({ length: 50 }, (_, n) => `k${n}`);

async function fill(cache: Cache, value: string): Promise<void> {
  for (const key of keys) cache.set(key, value);
  await cache.flush();
}

const found = async (cache: Cache) => Promise.all(keys.map((key) => cache.get(key)));
const nothing = keys.map(() => undefined);

test("the one that lost it tells, keeps to memory, and the directory starts cold", async () => {
  const path = freshPath();
  const first = await openCache({ memory, ...diskAt(path) }); // its close rejects
  const downs: CacheEventMap["tier-down"][] = [];
  first.on("tier-down", (event) => downs.push(event));
  await fill(first, "old");
  breakLock(path);
  const second = await open(diskAt(path));
  expect(await found(second)).toEqual(keys.map(() => "old"));
  for (const key of keys) second.delete(key);
  await second.flush();

  first.set("beat", 1);
  const refused = await errorOf(() => first.flush({ fsync: true }));
  // The janitor may find first that a file was replaced.
  expect(["ERR_DIRECTORY_LOCKED", "ERR_DISK_IO"]).toContain(refused.code);
  await until(() => downs.length > 0);
  expect(downs.map(({ tier, error }) => [tier, error.code])).toEqual([
    ["disk", "ERR_DIRECTORY_LOCKED"],
  ]);
  // It goes on in memory, and writes nothing there any more.
  const files = (): string[] =>
    readdirSync(path)
      .filter((name) => name.startsWith("segment-") || name === "undercroft.manifest")
      .map((name) => name + hash(readFileSync(join(path, name))));
  const before = files();
  first.clear();
  first.deleteByTag("red");
  await fill(first, "newer").catch(() => undefined);
  for (const key of keys) first.delete(key);
  expect(first.set("mine", 1)).toBe("stored");
  expect(first.getSync("mine")).toBe(1);
  expect((await errorOf(() => first.flush())).code).toBe("ERR_DIRECTORY_LOCKED");
  expect((await errorOf(() => first.close())).code).toBe("ERR_DIRECTORY_LOCKED");
  expect(files()).toEqual(before);

  await second.close();
  const third = await open(diskAt(path));
  expect(third.recovery?.kind).toBe("cold");
  expect(await found(third)).toEqual(nothing);
});

test("the one that lost it notices at its close at the latest", async () => {
  const path = freshPath();
  const first = await openCache({ memory, ...diskAt(path) }); // its close rejects
  await fill(first, "old");
  breakLock(path);
  const second = await open(diskAt(path));
  for (const key of keys) second.delete(key);
  await second.close();
  expect((await errorOf(() => first.close())).code).toBe("ERR_DIRECTORY_LOCKED");
  const third = await open(diskAt(path));
  expect(await found(third)).toEqual(nothing);
});
