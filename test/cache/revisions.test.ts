// Writes with a revision: the newest one stays, whatever the order of the calls, in memory, on disk
// and over restarts.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { type Cache, entry, ManualClock } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

interface Row {
  readonly n: number;
}

const revision = ({ n }: Row): number => n;

function set(cache: Cache<Row>, n: number): string {
  return cache.set("k", { n }, { revision: n });
}

describe("in memory", () => {
  test("an older value is outdated, the same and a newer one are stored", async () => {
    const cache = await open<Row>();
    expect(set(cache, 5)).toBe("stored");
    expect(set(cache, 4)).toBe("outdated");
    expect(cache.getSync("k")).toEqual({ n: 5 });
    expect(cache.set("k", { n: 50 }, { revision: 5 })).toBe("stored");
    expect(cache.getSync("k")).toEqual({ n: 50 });
    expect(set(cache, 6)).toBe("stored");
    expect(set(cache, 5)).toBe("outdated");
    expect(cache.getSync("k")).toEqual({ n: 6 });
  });

  test("a write without one ends it", async () => {
    const cache = await open<Row>();
    set(cache, 5);
    cache.set("k", { n: 0 });
    expect(set(cache, 1)).toBe("stored");
    cache.delete("k");
    expect(set(cache, 0)).toBe("stored");
  });

  test("a delete is newer than the same revision, and remembered", async () => {
    const cache = await open<Row>();
    set(cache, 5);
    expect(cache.delete("k", { revision: 4 })).toBe(false);
    expect(cache.getSync("k")).toEqual({ n: 5 });
    expect(cache.delete("k", { revision: 5 })).toBe(true);
    expect([cache.getSync("k"), cache.has("k"), await cache.getEntry("k")]).toEqual([
      undefined,
      false,
      undefined,
    ]);
    expect(set(cache, 5)).toBe("outdated");
    expect(set(cache, 6)).toBe("stored");
    expect(cache.delete("k", { revision: 9 })).toBe(true);
    expect(cache.delete("k", { revision: 7 })).toBe(false);
    expect(set(cache, 8)).toBe("outdated");
    // Of no entry, it is remembered too.
    expect(cache.delete("never", { revision: 3 })).toBe(false);
    expect(cache.set("never", { n: 3 }, { revision: 3 })).toBe("outdated");
    expect(cache.delete("k")).toBe(false);
    expect(set(cache, 0)).toBe("stored");
  });

  test("what is remembered of a delete is no entry and no answer", async () => {
    const cache = await open<Row>({ negativeTtl: "1m" });
    set(cache, 5);
    cache.delete("k", { revision: 5 });
    const { entries } = cache.stats().memory as unknown as { entries: number };
    expect(entries).toBe(0);
    let loads = 0;
    const load = (): Row | undefined => void loads++;
    expect(await cache.fetch("k", load)).toBeUndefined();
    expect(await cache.fetch("k", load)).toBeUndefined();
    expect(loads).toBe(1);
    // The answer "none" lies over what is remembered, and does not end it.
    expect(set(cache, 5)).toBe("outdated");
    expect(set(cache, 6)).toBe("stored");
  });

  test("it is remembered for an hour, and behind an answer that ends before", async () => {
    const clock = new ManualClock();
    const cache = await open<Row>({ clock, negativeTtl: "1m" });
    cache.delete("k", { revision: 5 });
    await cache.fetch("k", () => undefined);
    clock.advance(59 * 60_000);
    let loads = 0;
    await cache.fetch("k", () => void loads++, { negativeTtl: 0 });
    expect(loads).toBe(1);
    expect(set(cache, 5)).toBe("outdated");
    clock.advance(60_001);
    expect(set(cache, 5)).toBe("stored");
  });

  test("an expired value counts only while it may be served", async () => {
    const clock = new ManualClock();
    const cache = await open<Row>({ clock });
    cache.set("k", { n: 5 }, { revision: 5, ttl: 10, staleFor: 10 });
    clock.advance(15);
    expect(set(cache, 4)).toBe("outdated");
    clock.advance(10);
    expect(set(cache, 4)).toBe("stored");
  });

  test("a clear and an invalidated tag end it", async () => {
    const cache = await open<Row>();
    set(cache, 5);
    cache.clear();
    expect(set(cache, 1)).toBe("stored");
    cache.set("k", { n: 5 }, { revision: 5, tags: ["t"] });
    cache.deleteByTag("t");
    expect(set(cache, 1)).toBe("stored");
  });

  test("values in chunks and every other field keep it", async () => {
    const cache = await open<{ readonly text: string }>({ memory: "4mb" });
    const large = { text: "x".repeat(200_000) };
    const options = { ttl: "1h", staleFor: "1h", tags: ["t", "u"] } as const;
    expect(cache.set("k", large, { ...options, revision: 7 })).toBe("stored");
    expect(cache.set("k", large, { revision: 6 })).toBe("outdated");
    expect((await cache.getEntry("k"))?.tags).toEqual(["t", "u"]);
    expect(cache.getSync("k")).toEqual(large);
    expect(cache.set("k", { text: "" }, { revision: 2 ** 53 - 1 })).toBe("stored");
    expect(cache.set("k", large, { revision: 2 ** 53 - 2 })).toBe("outdated");
    expect(await cache.setAsync("k", large, { revision: 3 })).toBe("outdated");
    expect(cache.getSync("k")).toEqual({ text: "" });
  });

  test("what is too large removes an older value, and leaves a newer one", async () => {
    const cache = await open<string>();
    const huge = "x".repeat(2 ** 20);
    cache.set("k", "small", { revision: 5 });
    expect(cache.set("k", huge, { revision: 4 })).toBe("outdated");
    expect(cache.getSync("k")).toBe("small");
    expect(cache.set("k", huge, { revision: 6 })).toBe("too-large");
    expect(cache.has("k")).toBe(false);
  });
});

describe("loads", () => {
  test("a loaded value that is older than the entry is answered and not stored", async () => {
    const cache = await open<Row>();
    expect(await cache.fetch("k", () => ({ n: 3 }), { revision })).toEqual({ n: 3 });
    expect(set(cache, 2)).toBe("outdated");
    const forced = { revision, forceRefresh: true };
    expect(await cache.fetch("k", () => ({ n: 1 }), forced)).toEqual({ n: 1 });
    expect(cache.getSync("k")).toEqual({ n: 3 });
    expect(cache.stats().fillsSuperseded).toBe(1);
    expect(await cache.fetch("k", () => ({ n: 3 }), forced)).toEqual({ n: 3 });
    const older = entry({ n: 2 }, { revision: 2 });
    expect(await cache.fetch("k", () => older, { forceRefresh: true })).toEqual({ n: 2 });
    expect(cache.getSync("k")).toEqual({ n: 3 });
  });

  test("nothing is stored over a newer delete", async () => {
    const cache = await open<Row>();
    cache.delete("k", { revision: 3 });
    expect(await cache.fetch("k", () => ({ n: 3 }), { revision })).toEqual({ n: 3 });
    expect(cache.has("k")).toBe(false);
    await cache.fetch("k", () => ({ n: 4 }), { revision });
    expect(cache.getSync("k")).toEqual({ n: 4 });
  });

  test("wrap takes it too", async () => {
    const cache = await open<Row>();
    const load = cache.wrap((n: number) => ({ n }), { key: () => "k", revision });
    await load(7);
    expect(set(cache, 6)).toBe("outdated");
  });
});

describe("on disk", () => {
  async function reopened(path: string, write: (cache: Cache<Row>) => void): Promise<Cache<Row>> {
    const first = await open<Row>(diskAt(path));
    write(first);
    await first.close();
    const cache = await open<Row>(diskAt(path));
    // The record is on disk only, so the set has to read it.
    expect(cache.getSync("k")).toBeUndefined();
    return cache;
  }

  test("a revision survives a restart, and is respected where it is on disk only", async () => {
    const cache = await reopened(freshPath(), (first) => set(first, 5));
    expect(set(cache, 4)).toBe("outdated");
    expect(cache.getSync("k")).toEqual({ n: 5 });
    expect(set(cache, 6)).toBe("stored");
  });

  test("a delete with an older one leaves the entry on disk", async () => {
    const path = freshPath();
    const cache = await reopened(path, (first) => set(first, 5));
    expect(cache.delete("k", { revision: 4 })).toBe(false);
    expect(await cache.get("k")).toEqual({ n: 5 });
    expect(cache.delete("k", { revision: 6 })).toBe(true);
    await cache.close();
    const again = await open<Row>(diskAt(path));
    expect(await again.get("k")).toBeUndefined();
  });

  test("a load respects it", async () => {
    const cache = await reopened(freshPath(), (first) => set(first, 5));
    await cache.fetch("k", () => ({ n: 4 }), { revision, forceRefresh: true });
    expect(await cache.get("k")).toEqual({ n: 5 });
  });

  test("a newer value replaces the one on disk for good", async () => {
    const path = freshPath();
    const cache = await reopened(path, (first) => set(first, 5));
    expect(set(cache, 6)).toBe("stored");
    await cache.close();
    const again = await open<Row>(diskAt(path));
    expect(await again.get("k")).toEqual({ n: 6 });
    expect(set(again, 5)).toBe("outdated");
  });

  test("a damaged record has none", async () => {
    const path = freshPath();
    const first = await open<Row>(diskAt(path));
    for (let key = 0; key < 50; key++) first.set(`k${key}`, { n: 5 }, { revision: 5 });
    await first.close();
    for (const name of readdirSync(path)) {
      if (!name.startsWith("segment-")) continue;
      const bytes = readFileSync(join(path, name));
      // In every record some byte: of its header, its revision, its key or its value.
      for (let at = 128, step = 0; at < 65_536; at += 16, step++) {
        bytes[at + (step % 16)] = (bytes[at + (step % 16)] as number) ^ 1;
      }
      writeFileSync(join(path, name), bytes);
    }
    const cache = await open<Row>(diskAt(path));
    for (let key = 0; key < 50; key++) {
      expect([key, cache.set(`k${key}`, { n: 1 }, { revision: 1 })]).toEqual([key, "stored"]);
      expect(cache.getSync(`k${key}`)).toEqual({ n: 1 });
    }
    expect(cache.stats().corruptRecords).toBeGreaterThan(0);
  });

  test("a cleared or invalidated record on disk has none", async () => {
    const cache = await reopened(freshPath(), (first) => {
      first.set("k", { n: 5 }, { revision: 5, tags: ["t"] });
    });
    cache.deleteByTag("t");
    expect(set(cache, 1)).toBe("stored");
    const other = await reopened(freshPath(), (first) => set(first, 5));
    other.clear();
    expect(set(other, 1)).toBe("stored");
  });

  test("values in chunks keep it", async () => {
    const path = freshPath();
    const large = "x".repeat(200_000);
    const first = await open<string>({ ...diskAt(path), memory: "4mb" });
    first.set("k", large, { revision: 5 });
    await first.close();
    const cache = await open<string>({ ...diskAt(path), memory: "4mb" });
    expect(cache.set("k", "", { revision: 4 })).toBe("outdated");
    expect(await cache.get("k")).toBe(large);
    expect(cache.set("k", "", { revision: 5 })).toBe("stored");
    expect(cache.getSync("k")).toBe("");
  });
});

test.each([
  [-1, RangeError],
  [1.5, RangeError],
  [NaN, RangeError],
  [2 ** 53, RangeError],
  ["1", TypeError],
  [1n, TypeError],
  [null, TypeError],
])("the revision %s is refused", async (wrong, kind) => {
  const cache = await open<Row>();
  cache.set("k", { n: 1 });
  const options = { revision: wrong as number };
  for (const call of [
    () => cache.set("k", { n: 2 }, options),
    () => cache.delete("k", options),
    () => entry(1, options),
  ]) {
    const error = await errorOf(call);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(/revision.*a whole number from 0 to 9007199254740991/);
  }
  const load = (): Row => ({ n: 1 });
  const told = { revision: () => wrong as number, forceRefresh: true };
  const error = await errorOf(() => cache.fetch("k", load, told));
  expect(error).toBeInstanceOf(TypeError);
  expect(error.message).toContain("revision() returned");
  expect(cache.getSync("k")).toEqual({ n: 1 });
  const noFunction = { revision: 1 as unknown as () => number };
  expect((await errorOf(() => cache.fetch("k", load, noFunction))).message).toMatch(/a function/);
});
