// What the janitor's tests share: caches in directories that are removed after each test, and the
// cache that a kill -9 at this moment would leave: a copy of the directory, opened again.

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { type Cache, type CacheOptions, openCache } from "../../dist/src/mod.js";
import { copyAsKilled } from "../directory/copied.js";

const caches = new Set<Cache>();
const directories = new Set<string>();

/** A directory that does not exist yet, removed after the test. */
export function freshPath(): string {
  const directory = fs.mkdtempSync(join(tmpdir(), "undercroft-janitor-"));
  directories.add(directory);
  return join(directory, "cache");
}

/** Opens a cache of 2 MiB over 16 MiB of disk that is closed after the test. */
export async function open(path: string, options: CacheOptions = {}): Promise<Cache> {
  const cache = await openCache({ memory: "2mb", disk: { path, capacity: "16mb" }, ...options });
  caches.add(cache);
  return cache;
}

/** The cache that a kill of the process at this moment would leave to the next open. */
export async function afterKill(path: string): Promise<Cache> {
  const copy = freshPath();
  await copyAsKilled(path, copy);
  return open(copy);
}

/** Makes every write to a cache's directory fail, as on a disk that the system has made read-only,
 *  and segment files that are not open unreadable; returns a function that ends that. */
export function refuseWrites(cache: Cache): () => void {
  const { path } = cache.handle().config.disk!;
  const descriptors = fs.readdirSync("/proc/self/fd").map(Number);
  const ours = descriptors.filter((fd) => fileOf(fd).startsWith(`${path}/`));
  expect(ours.length).toBeGreaterThanOrEqual(4);
  const segments = fs.readdirSync(path).filter((name) => name.startsWith("segment-"));
  const rename = (from: string, to: string): void => {
    for (const name of segments) fs.renameSync(`${path}/${from}${name}`, `${path}/${to}${name}`);
  };
  // Away first, and back last: no other thread may be given a number that is free for a moment.
  rename("", "away-");
  for (const fd of ours) reopenAs(fd, fs.constants.O_RDONLY);
  return () => {
    // A thread closes what it has not used for a while.
    for (const fd of ours) {
      if (fileOf(fd).startsWith(`${path}/`)) reopenAs(fd, fs.constants.O_RDWR);
    }
    rename("away-", "");
  };
}

function fileOf(fd: number): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

/** Opens the file behind a descriptor in another mode, under the same number: the lowest free one
 *  is given out first. */
function reopenAs(fd: number, mode: number): void {
  const path = fs.readlinkSync(`/proc/self/fd/${fd}`);
  const others: number[] = [];
  fs.closeSync(fd);
  for (let opened = fs.openSync(path, mode); opened !== fd; opened = fs.openSync(path, mode)) {
    others.push(opened);
    if (others.length > 100) throw new Error(`descriptor ${fd} was given to somebody else`);
  }
  for (const other of others) fs.closeSync(other);
}

/** Call it once in a test file. */
export function setUpCaches(): void {
  afterEach(async () => {
    await Promise.all(Array.from(caches, (cache) => cache.close()));
    caches.clear();
    for (const directory of directories) fs.rmSync(directory, { recursive: true, force: true });
    directories.clear();
  });
}

/** Waits until `condition` holds; throws after ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { interval: 5, timeout: 10_000 }).toBe(true);
}
