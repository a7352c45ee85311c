// What the handler of `cacheHandlers` has after a restart, a kill, and a change of the clock.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

import { type Cache, openCache } from "../../dist/src/mod.js";
import { nextCacheHandler } from "../../dist/src/next/mod.js";

let cache: Cache;
let handler: ReturnType<typeof nextCacheHandler>;
let path: string;

const script = (name: string): string => join(import.meta.dirname, `${name}.mjs`);

async function open(): Promise<void> {
  cache = await openCache({ memory: "8mb", disk: { path, capacity: "32mb" } });
  handler = nextCacheHandler(cache);
}

async function reopen(): Promise<void> {
  await cache.close();
  await open();
}

beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), "undercroft-next-"));
  await open();
});
afterEach(async () => {
  await cache.close();
  rmSync(path, { recursive: true, force: true });
});

async function put(key: string, text: string, tags: string[]): Promise<void> {
  const value = new Blob([text]).stream();
  const timestamp = performance.timeOrigin + performance.now();
  const times = { timestamp, stale: 30, revalidate: 60, expire: 3600 };
  await handler.set(key, Promise.resolve({ value, tags, ...times }));
}

async function textFor(key: string): Promise<string | undefined> {
  const found = await handler.get(key, []);
  return found && (await new Response(found.value).text());
}

test("entries and invalidations stay, soft ones too", async () => {
  await put("fresh", "fresh", ["fresh"]);
  await put("soft", "soft", ["soft"]);
  await put("hard", "hard", ["hard"]);
  await handler.updateTags(["soft"], { expire: 3600 });
  await handler.updateTags(["hard"]);
  await reopen();
  expect(await textFor("hard")).toBeUndefined();
  expect((await handler.get("soft", []))?.revalidate).toBe(-1);
  expect(await textFor("fresh")).toBe("fresh");
  await handler.updateTags(["fresh"]);
  expect(await textFor("fresh")).toBeUndefined();
});

test("an invalidation ends what an older session made whose clock was ahead", async () => {
  await cache.close();
  const { stdout } = await promisify(execFile)(process.execPath, [script("next-ahead"), path]);
  expect(Number(stdout)).toBeGreaterThan(3_500_000);
  await open();
  expect(await textFor("key")).toBe("old");
  await handler.updateTags(["tag"]);
  expect(await textFor("key")).toBeUndefined();
  await put("key", "new", ["tag"]);
  expect(await textFor("key")).toBe("new");
});

test("a kill after an invalidation brings nothing back", async () => {
  await put("key", "old", ["tag"]);
  await cache.close();
  const signal = await new Promise((resolve) => {
    execFile(process.execPath, [script("next-killed"), path], (error) => resolve(error?.signal));
  });
  expect(signal).toBe("SIGKILL");
  await open();
  expect(await textFor("key")).toBeUndefined();
});
