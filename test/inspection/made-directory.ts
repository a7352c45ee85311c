// What the tests of inspection share: directories of caches, made once, and copies of them to
// damage.
import { createHash } from "node:crypto";
import { cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Cache, type CacheOptions, openCache } from "../../dist/src/mod.js";

/** An empty directory; the caller removes it. */
export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), "undercroft-inspection-"));
}

/** An empty directory, removed after the test. */
export function scratchFolder(): string {
  const path = newFolder();
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A cache of 1 MiB over a directory of 4 MiB. */
export function openAt(path: string, options: CacheOptions<unknown> = {}): Promise<Cache<unknown>> {
  return openCache<unknown>({ memory: "1mb", disk: { path, capacity: "4mb" }, ...options });
}

/** Stores entries of all kinds: tagged, expiring, deleted, cleared, of a namespace, with schemas
 *  and in chunks. */
export async function fillCache(cache: Cache<unknown>): Promise<void> {
  const agents = cache.namespace<string>("agents");
  for (let number = 0; number < 600; number++) {
    cache.set(`k${number}`, { number, text: "x".repeat(number) }, { tags: [`t${number % 5}`] });
    agents.set(`a${number}`, "v".repeat(number % 300));
    if (number % 100 === 99) await cache.flush();
  }
  cache.set("short", "lived", { ttl: 1 });
  cache.set("large", Buffer.alloc(40_000, 7));
  for (let number = 0; number < 50; number++) cache.delete(`k${number}`);
  cache.deleteByTag("t3");
  cache.namespace("emptied").set("gone", 1);
  await cache.flush();
  cache.namespace("emptied").clear();
}

/** A copy without claims, removed after the test. */
export function copyOf(path: string): string {
  const copy = scratchFolder();
  const filter = (file: string): boolean => !lstatSync(file).isSocket();
  cpSync(path, copy, { recursive: true, filter });
  return copy;
}

/** All that a directory is: names, bytes, times, modes. */
export function stateOf(path: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(path).toSorted()) {
    const file = join(path, name);
    const { mtimeMs, ctimeMs, mode, size } = lstatSync(file);
    hash.update(JSON.stringify([name, mtimeMs, ctimeMs, mode, size]));
    if (lstatSync(file).isFile()) hash.update(readFileSync(file));
  }
  return `${lstatSync(path).mtimeMs} ${hash.digest("hex")}`;
}
