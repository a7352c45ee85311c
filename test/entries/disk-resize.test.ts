// Resize of the disk: what the files of a directory may take, while the cache is used.

import { fstatSync, mkdirSync, readdirSync, readlinkSync, rmdirSync, statfsSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { attachCache, type Cache, type CacheOptions } from "../../dist/src/mod.js";
import { attached, setUpThreads } from "../cache/attached.js";
import { errorOf } from "../cache/opened.js";
import { copyAsKilled } from "../directory/copied.js";
import { refuseWrites } from "../disk-log/killed.js";
import { bytesIn } from "../directory/scratch-directory.js";
import {
  closeFails,
  names,
  open,
  present,
  scratchDirectory,
  setAll,
  textOf,
  until,
} from "../disk-log/scratch-cache.js";

setUpThreads();

const MiB = 2 ** 20;
const GiB = 2 ** 30;

type Capacity = NonNullable<CacheOptions["disk"]>["capacity"];

/** A cache of 1 MiB over a directory, which brings nothing back to memory by itself. */
function openWith(
  capacity: Capacity,
  path = scratchDirectory(),
  memory: CacheOptions["memory"] = "1mb",
): Promise<Cache<string>> {
  const disk = { path, preload: false as const, ...(capacity === undefined ? {} : { capacity }) };
  return open<string>({ memory, disk });
}

/** Entries on disk that cannot be told apart in the index: one of two leaves. */
const twins = 3;

function pathOf(cache: Cache<string>): string {
  return cache.handle().config.disk!.path;
}

function segmentFiles(cache: Cache<string>): number {
  return readdirSync(pathOf(cache)).filter((name) => name.startsWith("segment-")).length;
}

/** A session that a kill at this moment would leave to the next open. */
async function afterKill(cache: Cache<string>, capacity: Capacity): Promise<Cache<string>> {
  const copy = scratchDirectory();
  await copyAsKilled(pathOf(cache), copy);
  return openWith(capacity, copy);
}

describe("a disk that grows", () => {
  test("keeps what it has and takes more, up to the most", async () => {
    const cache = await openWith({ now: "2mb", most: "8mb" });
    expect(cache.stats().disk?.limitBytes).toBe(2 * MiB);
    expect(bytesIn(pathOf(cache))).toBeLessThanOrEqual(2 * MiB);
    const first = names("first", 1000);
    await setAll(cache, first);
    const outcome = await cache.resize({ disk: "8mb" });
    expect(outcome.disk).toEqual({ now: 8 * MiB, most: 8 * MiB });
    expect(cache.stats().disk?.limitBytes).toBe(8 * MiB);
    const bytes = bytesIn(pathOf(cache));
    expect(bytes).toBeLessThanOrEqual(8 * MiB);
    expect(bytes).toBeGreaterThan(7 * MiB);
    const more = names("more", 4000);
    await setAll(cache, more);
    const found = await present(cache, [...first, ...more]);
    expect(found.length).toBeGreaterThanOrEqual(5000 - twins);
    const path = pathOf(cache);
    await cache.close();
    const again = await openWith("8mb", path);
    expect(again.recovery).toMatchObject({ kind: "clean", lostSegments: 0 });
    expect(await present(again, [...first, ...more])).toEqual(found);
  });

  test("is found whole after a kill, by a cache that is opened with its capacity", async () => {
    const cache = await openWith({ now: "2mb", most: "8mb" });
    await cache.resize({ disk: "8mb" });
    const keys = names("key", 4000);
    await setAll(cache, keys);
    const killed = await afterKill(cache, "8mb");
    expect(killed.recovery).toMatchObject({ kind: "scan", lostSegments: 0 });
    expect((await present(killed, keys)).length).toBeGreaterThanOrEqual(keys.length - twins);
  });
});

describe("a disk that shrinks", () => {
  test("keeps the newest and what was hit, deletes files, and goes on in less room", async () => {
    const cache = await openWith("8mb");
    const keys = names("key", 5000);
    await setAll(cache, keys);
    const before = segmentFiles(cache);
    const hot = keys.slice(0, 200);
    await present(cache, hot);
    const outcome = await cache.resize({ disk: "4mb" });
    expect(outcome.disk).toEqual({ now: 4 * MiB, most: 8 * MiB });
    expect(bytesIn(pathOf(cache))).toBeLessThanOrEqual(4 * MiB);
    expect(segmentFiles(cache)).toBeLessThan(before * 0.6);
    expect(cache.stats().disk).toMatchObject({ state: "up", limitBytes: 4 * MiB });
    const found = await present(cache, keys);
    // All but a spare file is used: 3.5 of the 4 MiB that are left for values of 1,000 bytes.
    expect(found.length).toBeGreaterThan(2500);
    const newest = keys.slice(-2000);
    expect((await present(cache, newest)).length).toBeGreaterThanOrEqual(2000 - twins);
    expect((await present(cache, hot)).length).toBeGreaterThanOrEqual(hot.length - twins);
    const more = names("more", 1000);
    await setAll(cache, more);
    expect((await present(cache, more)).length).toBe(more.length);
    expect(bytesIn(pathOf(cache))).toBeLessThanOrEqual(4 * MiB);
  });

  test("loses nothing that fits", async () => {
    const cache = await openWith("8mb");
    const keys = names("key", 2000);
    // Overwritten and deleted, so that the living are spread over all files.
    for (const version of [1, 2]) await setAll(cache, keys, { version });
    const gone = keys.filter((_, index) => index % 2 === 1);
    const kept = keys.filter((_, index) => index % 2 === 0);
    cache.deleteMany(gone);
    const evictions = cache.stats().evictions.disk;
    await cache.resize({ disk: "4mb" });
    expect((await present(cache, kept, { version: 2 })).length).toBe(kept.length);
    expect(await present(cache, gone)).toEqual([]);
    expect(cache.stats().evictions.disk).toBe(evictions);
    const killed = await afterKill(cache, "4mb");
    expect(killed.recovery?.lostSegments).toBe(0);
    expect((await present(killed, kept, { version: 2 })).length).toBe(kept.length);
    expect(await present(killed, gone)).toEqual([]);
  });

  test("keeps values in chunks whole or not at all", async () => {
    const cache = await openWith("16mb", scratchDirectory(), "2mb");
    const keys = names("large", 40);
    const bytes = 200_000;
    for (const key of keys) await cache.setAsync(key, textOf(key, 1, bytes));
    await cache.flush();
    await cache.resize({ disk: "8mb" });
    const found = await present(cache, keys, { bytes });
    expect(found.length).toBeGreaterThan(20);
    expect(found).toEqual(keys.slice(-found.length));
    const killed = await afterKill(cache, "8mb");
    expect(await present(killed, keys, { bytes })).toEqual(found);
  });

  test("writes a snapshot that the next open reads, within a 16th of what is left", async () => {
    const cache = await openWith("16mb");
    const keys = names("key", 1000);
    const path = pathOf(cache);
    await setAll(cache, keys);
    await cache.resize({ disk: "3mb" });
    await cache.close();
    expect(bytesIn(path)).toBeLessThanOrEqual(3 * MiB);
    const again = await openWith({ now: "3mb", most: "16mb" }, path);
    expect(again.recovery).toMatchObject({ kind: "clean", lostSegments: 0 });
    expect((await present(again, keys)).length).toBe(keys.length);
  });

  test("grows again, and what was deleted from a file before does not come back", async () => {
    const cache = await openWith("8mb");
    for (let round = 0; round < 3; round++) {
      const keys = names(`round-${round}`, 4000);
      await setAll(cache, keys);
      await cache.resize({ disk: "3mb" });
      cache.deleteMany(keys);
      await cache.resize({ disk: "8mb" });
      const killed = await afterKill(cache, "8mb");
      expect(await present(killed, keys)).toEqual([]);
      await killed.close();
    }
    const keys = names("last", 4000);
    await setAll(cache, keys);
    expect((await present(cache, keys)).length).toBeGreaterThanOrEqual(keys.length - twins);
  });

  test("frees what other threads have open", async () => {
    const cache = await openWith("8mb");
    const keys = names("key", 4000);
    await setAll(cache, keys);
    const other = attachCache<string>(cache.handle());
    await present(other, keys);
    const path = pathOf(cache);
    await cache.resize({ disk: "3mb" });
    const deleted = openFiles().filter(({ file }) => file.startsWith(path) && /deleted/.test(file));
    expect(deleted.length).toBeGreaterThan(0);
    for (const { bytes } of deleted) expect(bytes).toBe(0);
    await present(other, keys);
    expect((await present(other, keys)).length).toBeGreaterThan(1500);
    await other.close();
  });
});

/** What the descriptors of this process name. */
function openFiles(): { readonly file: string; readonly bytes: number }[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const { size } = fstatSync(Number(fd));
      return [{ file: readlinkSync(`/proc/self/fd/${fd}`), bytes: size }];
    } catch {
      return []; // the listing's own
    }
  });
}

describe("a change while the cache is used", () => {
  test("in any thread, with the memory in the same call", async () => {
    const cache = await openWith({ now: "4mb", most: "8mb" }, scratchDirectory(), {
      now: "2mb",
      most: "4mb",
    });
    const other = attachCache<string>(cache.handle());
    expect(await other.resize({ memory: "4mb", disk: "8mb" })).toEqual({
      memory: { now: 4 * MiB, most: 4 * MiB },
      disk: { now: 8 * MiB, most: 8 * MiB },
    });
    const [one, two] = await Promise.all([
      cache.resize({ disk: "3mb" }),
      other.resize({ disk: "5mb" }),
    ]);
    expect(one.disk).toEqual(two.disk);
    expect(cache.stats().disk?.limitBytes).toBe(5 * MiB);
    expect(bytesIn(pathOf(cache))).toBeLessThanOrEqual(5 * MiB);
    await other.close();
  });

  test("is right for readers and writers of other threads, and after a kill", async () => {
    const cache = await openWith({ now: "4mb", most: "8mb" });
    const thread = attached(cache as unknown as Cache);
    const writing = thread.call("churnUntilStopped", "a");
    await until(() => cache.has("begun-a"));
    const versions = new Map<string, number>();
    let number = 1;
    const capacities = ["8mb", "3mb", "6mb", "2mb", "8mb"] as const;
    for (const [round, disk] of capacities.entries()) {
      let isOver = false;
      const resized = cache.resize({ disk }).finally(() => (isOver = true));
      while (!isOver) {
        for (let write = 0; write < 20; write++) {
          number = (number * 31 + 7) % 1009;
          const key = `key-${number}`;
          if (number % 3 === 0) {
            cache.delete(key);
            versions.set(key, 0);
          } else if (cache.set(key, textOf(key, round + 1, 1000)) === "stored") {
            versions.set(key, round + 1);
          } else versions.set(key, 0);
        }
        await expectNewest(cache, versions, number % 50);
        const churned = `churn-a-${number % 2000}`;
        expect([undefined, `${churned}!`]).toContain(await cache.get(churned));
        await turn();
      }
      const { now } = (await resized).disk!;
      expect(bytesIn(pathOf(cache))).toBeLessThanOrEqual(now);
      const killed = await afterKill(cache, now);
      await expectNewest(killed, versions);
      await killed.close();
    }
    cache.set("stop", "1");
    expect(await writing).toBeGreaterThan(0);
    await expectNewest(cache, versions);
  });

  test("leaves a sync that is under way whole, and the next ones", async () => {
    const cache = await openWith("8mb");
    const path = pathOf(cache);
    const keys = names("key", 4000);
    await setAll(cache, keys);
    for (const disk of ["3mb", "8mb", "2mb", "8mb"]) {
      cache.set(disk, "synced");
      await Promise.all([
        cache.flush({ fsync: true }),
        cache.resize({ disk }),
        cache.flush({ fsync: true }),
      ]);
    }
    await cache.flush({ fsync: true });
    expect(cache.stats().disk?.state).toBe("up");
    await cache.close();
    const again = await openWith("8mb", path);
    expect(again.recovery).toMatchObject({ kind: "clean", lostSegments: 0 });
    for (const disk of ["3mb", "8mb", "2mb"]) expect(await again.get(disk)).toBe("synced");
  });

  test("ends with the cache", async () => {
    const cache = await openWith("8mb");
    const path = pathOf(cache);
    await setAll(cache, names("key", 3000));
    const change = errorOf(() => cache.resize({ disk: "3mb" }));
    await cache.close();
    expect(await change).toMatchObject({ code: "ERR_CACHE_CLOSED" });
    const again = await openWith({ now: "8mb", most: "8mb" }, path);
    expect(bytesIn(path)).toBeLessThanOrEqual(8 * MiB);
    expect((await present(again, names("key", 3000))).length).toBeGreaterThan(1500);
  });
});

/** Each key, or every n-th, has its newest version or is missing. */
async function expectNewest(
  cache: Cache<string>,
  versions: ReadonlyMap<string, number>,
  from?: number,
): Promise<void> {
  let position = 0;
  for (const [key, version] of versions) {
    position += 1;
    if (from !== undefined && position % 50 !== from) continue;
    const value = await cache.get(key);
    if (value === undefined) continue;
    if (version === 0 || value !== textOf(key, version, 1000)) {
      throw new Error(`${key} is ${value.slice(0, 30)}, and its version ${version}`);
    }
  }
}

describe("what cannot be is refused, and the old capacity stays", () => {
  test.each([
    [{ disk: "65mb" }, RangeError, /disk.*"65mb".*at most 67108864 bytes.*disk\.capacity/],
    [{ disk: "1mb" }, RangeError, /disk.*"1mb".*at least \d+ bytes/],
    [{ disk: 100 }, RangeError, /disk.*100.*at least 1 MiB/],
    [{ disk: {} }, TypeError, /disk/],
    [{ disk: "4mb", memory: "9mb" }, RangeError, /memory/],
    [{ disk: "65mb", memory: "2mb" }, RangeError, /disk/],
  ])("a size that cannot be: %j", async (sizes, kind, text) => {
    const cache = await openWith("64mb", scratchDirectory(), "4mb");
    const error = await errorOf(() => cache.resize(sizes as never));
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(text);
    expect(await cache.resize({})).toEqual({
      memory: { now: 4 * MiB, most: 4 * MiB },
      disk: { now: 64 * MiB, most: 64 * MiB },
    });
  });

  test.each([
    [{ now: "9mb", most: "8mb" }, RangeError, /disk\.capacity\.now.*at most disk\.capacity\.most/],
    [{ now: "4mb" }, TypeError, /disk\.capacity\.most/],
    [{ now: "1mb", most: "300gb" }, RangeError, /disk\.capacity/],
    [{ now: "4mb", most: "8mb", least: "1mb" }, RangeError, /disk\.capacity\.least/],
  ])("capacities at open: %j", async (capacity, kind, text) => {
    const error = await errorOf(() => openWith(capacity as never));
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(text);
  });

  test("a file that cannot be made, until it can", async () => {
    const cache = await openWith({ now: "2mb", most: "4mb" });
    await setAll(cache, names("key", 500));
    const count = segmentFiles(cache);
    const planted = `${pathOf(cache)}/segment-0${count + 3}.ucs`;
    mkdirSync(planted);
    const error = await errorOf(() => cache.resize({ disk: "4mb" }));
    expect(error).toMatchObject({ code: "ERR_DISK_IO" });
    expect(error.message).toMatch(/EISDIR.*it still takes 2097152/);
    expect(segmentFiles(cache)).toBe(count + 1);
    expect(cache.stats().disk).toMatchObject({ state: "up", limitBytes: 2 * MiB });
    rmdirSync(planted);
    expect((await cache.resize({ disk: "4mb" })).disk?.now).toBe(4 * MiB);
    expect((await present(cache, names("key", 500))).length).toBe(500);
  });

  const { bavail, bsize } = statfsSync("/tmp");
  test.skipIf(bavail * bsize > 200 * GiB)("a file system without room for more", async () => {
    const most = bavail * bsize * 2 + GiB;
    const cache = await openWith({ now: Math.ceil(most / 32), most });
    const { disk } = await cache.resize({});
    const error = await errorOf(() => cache.resize({ disk: most }));
    expect(error).toMatchObject({ code: "ERR_DISK_IO" });
    expect(error.message).toMatch(/ENOSPC/);
    expect(await cache.resize({})).toMatchObject({ disk: disk! });
    expect(cache.set("key", "value")).toBe("stored");
    await cache.flush();
  });

  test("while the tier is down", async () => {
    const cache = await openWith({ now: "4mb", most: "8mb" });
    await setAll(cache, names("key", 500));
    const mend = refuseWrites(cache);
    for (const key of names("more", 300)) cache.set(key, textOf(key, 1, 1000));
    await errorOf(() => cache.flush());
    expect(cache.stats().disk?.state).toBe("down");
    for (const disk of ["8mb", "3mb"]) {
      const error = await errorOf(() => cache.resize({ disk }));
      expect(error).toMatchObject({ code: "ERR_DISK_IO" });
      expect(error.message).toMatch(/the tier is down.*it still takes 4194304/);
    }
    await closeFails(cache);
    mend();
  });
});
