// What the tests of whole caches share: caches, directories and threads, all closed after each
// test, however it ends.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { type Cache, type CacheOptions, type DiskOptions, openCache } from "../../dist/src/mod.js";

const caches = new Set<Cache>();
const directories = new Set<string>();

/** Small, so that opening is cheap: 2 MiB of memory. */
export const memory = "2mb";

/** Opens a cache that is closed after the test. */
export async function open<V = unknown>(options: CacheOptions<V> = {}): Promise<Cache<V>> {
  const cache = await openCache<V>({ memory, ...options });
  caches.add(cache as unknown as Cache);
  return cache;
}

/** A path that does not exist yet, in a directory that is removed after the test. */
export function freshPath(): string {
  const directory = mkdtempSync(join(tmpdir(), "undercroft-cache-"));
  directories.add(directory);
  return join(directory, "cache");
}

/** The options of a small disk tier. */
export function diskAt(path: string, capacity = "8mb"): { readonly disk: DiskOptions } {
  return { disk: { path, capacity, preload: false } };
}

/** Closes a cache that may have lost something; resolves to the error's message, or to "kept". */
export async function closeLossy(cache: Cache): Promise<string> {
  caches.delete(cache);
  return cache.close().then(
    () => "kept",
    (error: Error) => error.message,
  );
}

/** Call it once in a test file. */
export function setUpCaches(): void {
  afterEach(async () => {
    await Promise.all(Array.from(caches, (cache) => cache.close()));
    caches.clear();
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
    directories.clear();
  });
}

/** What a call throws or rejects with; throws if it does neither. */
export async function errorOf(call: () => unknown): Promise<Error & { readonly code?: string }> {
  let value: unknown;
  try {
    value = await call();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return error as Error;
  }
  throw new Error(`nothing was thrown; the call gave ${String(value)}`);
}

/** What this process holds of the system. */
export interface Held {
  /** Open descriptors of the process. */
  readonly descriptors: number;
  readonly threads: number;
}

/** Counts what the process holds. Only Linux has such lists; elsewhere the counts are 0. */
export function held(): Held {
  if (process.platform !== "linux") return { descriptors: 0, threads: 0 };
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    threads: readdirSync("/proc/self/task").length,
  };
}

/** Waits until `condition` is true; throws after ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { interval: 5, timeout: 10_000 }).toBe(true);
}
