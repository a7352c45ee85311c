// Admission to disk: each rule refuses what it should and is counted; a refused value never brings
// an older one back; a flush on request writes what was only deferred.

import { describe, expect, test } from "vitest";

import { SeenKeys } from "../../dist/src/disk-log/admission/seen-keys.js";
import { WriteBudget } from "../../dist/src/disk-log/admission/write-budget.js";
import { type AdmissionOptions, attachCache, type Cache } from "../../dist/src/mod.js";
import { afterKill, freshPath, open, setUpCaches, until } from "./killed.js";

setUpCaches();

async function openWith(admission: AdmissionOptions): Promise<{ cache: Cache; path: string }> {
  const path = freshPath();
  const cache = await open(path, { near: false, disk: { path, capacity: "2mb", admission } });
  return { cache, path };
}

const keys = Array.from({ length: 40 }, (_, number) => `key-${number}`);

/** The keys that a kill at this moment leaves. */
async function left(path: string): Promise<string[]> {
  const cache = await afterKill(path);
  const found = await cache.getMany(keys);
  return keys.filter((key) => found.has(key));
}

describe("an entry about to expire", () => {
  test("is deferred, and written by a flush", async () => {
    const { cache, path } = await openWith({ minTtl: "1h" });
    for (const key of keys) cache.set(key, "value", { ttl: key < "key-2" ? "1m" : "2h" });
    const short = keys.filter((key) => key < "key-2").length;
    await until(() => cache.stats().admissions.flushed === keys.length - short);
    expect(cache.stats().admissions.refusedExpired).toBe(short);
    expect(await left(path)).toHaveLength(keys.length - short);
    await cache.flush();
    expect(cache.stats().admissions.flushed).toBe(keys.length);
    expect(await left(path)).toEqual(keys);
  });
});

describe("the filter", () => {
  const filter = (key: string | Uint8Array, size: number): boolean =>
    size < 1000 && !String(key).endsWith("7");

  test("keeps entries off the disk for good, even at a flush", async () => {
    const { cache, path } = await openWith({ filter });
    for (const key of keys.slice(0, 20)) cache.set(key, "value");
    for (const key of keys.slice(20, 30)) await cache.setAsync(key, "value");
    for (const key of keys.slice(30)) await cache.fetch(key, () => "value");
    await cache.flush();
    expect(cache.stats().admissions).toMatchObject({ flushed: 36, refusedFilter: 4 });
    expect(keys.every((key) => cache.getSync(key) === "value")).toBe(true);
    expect(await left(path)).toEqual(keys.filter((key) => !key.endsWith("7")));
    await cache.close();
    const again = await open(path, { disk: { path, capacity: "2mb", admission: { filter } } });
    expect((await again.getMany(keys)).size).toBe(36);
  });

  test("of a newer value does not bring the older one back", async () => {
    const { cache, path } = await openWith({ filter });
    for (const key of keys) cache.set(key, "old");
    await cache.flush();
    const old = keys.filter((key) => !key.endsWith("7"));
    expect(await left(path)).toEqual(old);
    for (const key of keys) cache.set(key, "new".repeat(500));
    expect(await left(path)).toEqual([]);
    await cache.flush();
    expect(await left(path)).toEqual([]);
    expect(keys.every((key) => cache.getSync(key) === "new".repeat(500))).toBe(true);
  });

  test("gets the key as it was given, and the bytes of key and value", async () => {
    const seen: unknown[] = [];
    const { cache } = await openWith({
      filter: (key, size) => {
        seen.push([key, size]);
        return true;
      },
    });
    cache.set("grün", Uint8Array.of(1, 2, 3));
    cache.set(Uint8Array.of(9), Uint8Array.of(1, 2, 3));
    expect(seen).toEqual([
      ["grün", 8],
      [Uint8Array.of(9), 4],
    ]);
  });

  test("that throws or returns no boolean fails the set and changes nothing", async () => {
    let answer: () => unknown = () => true;
    const { cache } = await openWith({ filter: () => answer() as boolean });
    cache.set("key", "old");
    const fault = new Error("no");
    answer = () => {
      throw fault;
    };
    expect(() => cache.set("key", "new")).toThrow(fault);
    await expect(cache.setAsync("key", "new")).rejects.toBe(fault);
    answer = () => Promise.resolve(true);
    expect(() => cache.set("key", "new")).toThrow(/filter returned an instance of Promise/);
    answer = () => cache.set("other", "value");
    expect(() => cache.set("key", "new")).toThrow(/it must not write to the cache/);
    answer = () => cache.getSync("key") === "old";
    expect(cache.set("key", "new")).toBe("stored");
    expect(cache.getSync("key")).toBe("new");
  });

  test("must be given by a thread that attaches to a cache with one, and only then", async () => {
    const { cache } = await openWith({ filter });
    const plain = await open(freshPath());
    expect(() => attachCache(cache.handle())).toThrow(/option filter: current value is undefined/);
    expect(() => attachCache(plain.handle(), { filter })).toThrow(/opened without disk.admission/);
    const attached = attachCache(cache.handle(), { filter });
    attached.set("key-7", "value");
    await cache.flush();
    expect(cache.stats().admissions).toMatchObject({ flushed: 0, refusedFilter: 1 });
    await attached.close();
  });
});

test("an entry larger than maxSize stays in memory, all its chunks too", async () => {
  const { cache } = await openWith({ maxSize: "10kb" });
  cache.set("small", Buffer.alloc(5000));
  cache.set("large", Buffer.alloc(100_000));
  await cache.flush();
  expect(cache.stats().admissions).toMatchObject({ flushed: 1, refusedSize: 1 });
  expect(cache.getSync("large")).toHaveLength(100_000);
});

test("seenBefore writes what was hit or set before", async () => {
  const { cache, path } = await openWith({ seenBefore: true });
  for (const key of keys) cache.set(key, "first");
  for (const key of keys.slice(0, 10)) cache.getSync(key);
  await until(() => cache.stats().admissions.refusedUnseen === 30);
  expect(await left(path)).toEqual(keys.slice(0, 10));
  for (const key of keys.slice(30)) cache.set(key, "second");
  await until(() => cache.stats().admissions.flushed === 20);
  expect(await left(path)).toEqual([...keys.slice(0, 10), ...keys.slice(30)]);
  await cache.flush();
  expect(await left(path)).toEqual(keys);
});

test("over the write budget only a flush writes", async () => {
  const { cache } = await openWith({ writeBudget: { perDay: "2kb" } });
  for (const key of keys) cache.set(key, Buffer.alloc(1000));
  await until(() => cache.stats().admissions.refusedBudget === keys.length - 1);
  expect(cache.stats().admissions.flushed).toBe(1);
  await cache.flush();
  expect(cache.stats().admissions.flushed).toBe(keys.length);
});

test("an entry whose copy on disk is current is not written again", async () => {
  const { cache, path } = await openWith({});
  cache.set("key", "value");
  await cache.close();
  const again = await open(path, { near: false });
  // The second hit promotes it to memory, with its copy.
  for (let hit = 0; hit < 3; hit++) expect(await again.get("key")).toBe("value");
  expect(again.stats().moves.promotions).toBe(1);
  await again.flush();
  expect(again.stats().admissions).toMatchObject({ flushed: 0, refusedClean: 1 });
});

describe("a write budget", () => {
  test("admits no more than it holds and earns", () => {
    const budget = new WriteBudget(1000, Infinity, 0);
    let written = 0;
    for (let now = 0; now <= 10_000; now++) {
      if (!budget.hasRoom(now)) continue;
      budget.charge(300);
      written += 300;
    }
    // One second's worth to begin with, ten seconds' earned, and the record that exceeded it.
    expect(written).toBeGreaterThan(11 * 1000 - 300);
    expect(written).toBeLessThanOrEqual(11 * 1000 + 300);
  });

  test("spreads a day over its hours", () => {
    const budget = new WriteBudget(Infinity, 24_000, 0);
    let first = 0;
    while (budget.hasRoom(0)) {
      budget.charge(100);
      first += 100;
    }
    expect(first).toBe(1000);
    expect(budget.hasRoom(3_600_000)).toBe(true);
    budget.charge(5000);
    expect(budget.hasRoom(3 * 3_600_000)).toBe(false);
    expect(budget.hasRoom(7 * 3_600_000)).toBe(true);
  });
});

test("seen keys are remembered for one to two fillings, others hardly ever match", () => {
  const bytes = 8 + 2 * 4096;
  const seen = new SeenKeys(new ArrayBuffer(bytes), 0, bytes);
  const hash = (number: number): [number, number] => [
    Math.imul(number, 0x9e3779b1) ^ (number >>> 3),
    Math.imul(number + 77, 0x85ebca6b) ^ (number << 7),
  ];
  let falsely = 0;
  for (let number = 0; number < 20_000; number++) if (seen.note(...hash(number))) falsely += 1;
  expect(falsely).toBeLessThan(20_000 * 0.06);
  for (let number = 16_000; number < 20_000; number++) {
    expect(seen.note(...hash(number))).toBe(true);
  }
  let remembered = 0;
  for (let number = 0; number < 2000; number++) if (seen.note(...hash(number))) remembered += 1;
  expect(remembered).toBeLessThan(2000 * 0.1);
});
