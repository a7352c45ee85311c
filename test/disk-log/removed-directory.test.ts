// The directory of an open cache is removed, moved, replaced or partly unlinked: it is told before
// a flush or a close counts as done, memory goes on, and the tier comes back with the directory.

import { cpSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type Cache, openCache } from "../../dist/src/mod.js";
import { freshPath } from "./killed.js";
import { until } from "./scratch-cache.js";

let cache: Cache<string> | undefined;
afterEach(async () => cache?.close().catch(() => undefined));

interface Told {
  readonly cache: Cache<string>;
  readonly events: string[];
}

async function openAt(path: string): Promise<Told> {
  const opened = await openCache<string>({ memory: "2mb", disk: { path, capacity: "16mb" } });
  cache = opened;
  const events: string[] = [];
  for (const event of ["tier-down", "tier-up", "error"] as const) {
    opened.on(event, () => events.push(event));
  }
  return { cache: opened, events };
}

const keys = Array.from({ length: 50 }, (_, key) => `key-${key}`);

const ways: Record<string, (path: string) => void> = {
  removed: (path) => rmSync(path, { recursive: true }),
  moved: (path) => renameSync(path, `${path}-elsewhere`),
  "replaced by a copy": (path) => {
    renameSync(path, `${path}-elsewhere`);
    // Without the socket of the lock, which no copy has.
    const filter = (from: string): boolean => !statSync(from).isSocket();
    cpSync(`${path}-elsewhere`, path, { recursive: true, filter });
  },
  "replaced by an empty one": (path) => {
    rmSync(path, { recursive: true });
    mkdirSync(path);
  },
  "without a segment": (path) => rmSync(join(path, "segment-003.ucs")),
  "without its manifest": (path) => rmSync(join(path, "undercroft.manifest")),
  "without what remembers clears": (path) => rmSync(join(path, "undercroft.epochs")),
};

test.each(Object.keys(ways))("a directory that is %s is told at the flush", async (way) => {
  const path = freshPath();
  const { cache: opened, events } = await openAt(path);
  for (const key of keys) opened.set(key, "before");
  await opened.flush();
  ways[way]?.(path);
  for (const key of keys) opened.set(key, "after");
  await expect(opened.flush()).rejects.toMatchObject({
    code: expect.stringMatching(/^ERR_DISK_IO$|^ERR_DIRECTORY_LOCKED$/) as string,
    message: expect.stringMatching(/\d+ entries are in memory only|Cannot write to/) as string,
  });
  await until(() => events.length >= 2);
  expect(events).toEqual(["tier-down", "error"]);
  expect(opened.stats().disk?.state).toBe("down");
  for (const key of keys) expect(opened.getSync(key)).toBe("after");
  // By its files, or by its lock.
  await expect(opened.close()).rejects.toMatchObject({
    code: expect.stringMatching(/^ERR_DISK_IO$|^ERR_DIRECTORY_LOCKED$/) as string,
    message: expect.stringMatching(/removed, moved or replaced|Cannot write to/) as string,
  });
});

test("a directory that is removed is told at the close, without a flush before", async () => {
  const path = freshPath();
  const { cache: opened } = await openAt(path);
  for (const key of keys) opened.set(key, "value");
  rmSync(path, { recursive: true });
  await expect(opened.close()).rejects.toMatchObject({
    code: "ERR_DISK_IO",
    message: expect.stringMatching(/entries that were not on disk are lost.*removed/) as string,
  });
});

test("a directory that is moved and comes back is used again, and nothing is lost", async () => {
  const path = freshPath();
  const { cache: opened, events } = await openAt(path);
  for (const key of keys) opened.set(key, "before");
  await opened.flush();
  renameSync(path, `${path}-elsewhere`);
  const others = keys.map((key) => `other-${key}`);
  for (const key of others) opened.set(key, "meanwhile");
  await expect(opened.flush()).rejects.toMatchObject({ code: "ERR_DISK_IO" });
  renameSync(`${path}-elsewhere`, path);
  await until(() => events.includes("tier-up"));
  await opened.flush();
  await opened.close();
  const { cache: again } = await openAt(path);
  expect(again.recovery?.kind).toBe("clean");
  const all = [...keys, ...others];
  expect(await again.getMany(all)).toEqual(
    new Map(all.map((key, number) => [key, number < keys.length ? "before" : "meanwhile"])),
  );
});

test("what was changed while the directory was away never comes back as it was", async () => {
  const path = freshPath();
  const { cache: opened, events } = await openAt(path);
  for (const key of keys) opened.set(key, "before");
  await opened.flush();
  renameSync(path, `${path}-elsewhere`);
  for (const key of keys.slice(0, 20)) opened.set(key, "after");
  for (const key of keys.slice(40)) opened.delete(key);
  await expect(opened.flush()).rejects.toMatchObject({ code: "ERR_DISK_IO" });
  renameSync(`${path}-elsewhere`, path);
  await until(() => events.includes("tier-up"));
  await opened.close();
  const { cache: again } = await openAt(path);
  const found = await Promise.all(keys.map((key) => again.get(key)));
  for (const value of found.slice(0, 20)) expect([undefined, "after"]).toContain(value);
  expect(found.slice(40)).toEqual(keys.slice(40).map(() => undefined));
});
