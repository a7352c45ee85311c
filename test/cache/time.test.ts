import { describe, expect, test } from "vitest";
import { type Cache, ManualClock } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

describe("a time to live", () => {
  const calls = (cache: Cache, ttl: unknown): (() => unknown)[] => [
    () => cache.set("k", 1, { ttl: ttl as number }),
    () => cache.setMany([["k", 1]], { ttl: ttl as number }),
    () => cache.setAsync("k", 1, { ttl: ttl as number }),
    () => cache.fetch("other", () => 1, { ttl: ttl as number }),
    () => cache.wrap(() => 1, { key: () => "other", ttl: ttl as number }),
    () => open({ ttl: ttl as number }),
  ];

  test.each([
    [0, "0"],
    [-0, "-0"],
    [-1, "-1"],
    [-Infinity, "-Infinity"],
    [NaN, "NaN"],
    ["0s", '"0s"'],
    ["-5m", '"-5m"'],
    ["5", '"5"'],
    ["5 minutes", '"5 minutes"'],
    ["", '""'],
  ])("of %s is a RangeError everywhere", async (ttl, shown) => {
    const cache = await open();
    cache.set("k", "older");
    for (const call of calls(cache, ttl)) {
      const error = await errorOf(call);
      expect(`${call.toString()}: ${error.name}`).toBe(`${call.toString()}: RangeError`);
      expect(error.message).toContain(`Cannot use option ttl: current value is ${shown}; it must`);
    }
    expect(cache.getSync("k")).toBe("older");
  });

  test.each([[null], [{}], [true], [5n]])("of %s is a TypeError everywhere", async (ttl) => {
    const cache = await open();
    for (const call of calls(cache, ttl)) {
      const error = await errorOf(call);
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain("Cannot use option ttl: ");
    }
  });

  test("of Infinity is for ever; without one the cache's ttl applies", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock, ttl: "1h" });
    cache.set("default", 1);
    cache.set("undefined", 1, { ttl: undefined as never });
    cache.set("ever", 1, { ttl: Infinity });
    cache.set("short", 1, { ttl: "250ms" });
    expect(await cache.fetch("loaded", () => 1)).toBe(1);
    const start = clock.now();
    for (const [key, ttl] of Object.entries({
      default: 3_600_000,
      undefined: 3_600_000,
      ever: Infinity,
      short: 250,
      loaded: 3_600_000,
    })) {
      const entry = await cache.getEntry(key);
      expect([key, entry?.expiresAt, entry?.staleUntil]).toEqual([key, start + ttl, start + ttl]);
    }
    clock.advance(10 * 365 * 86_400_000);
    expect(cache.getSync("ever")).toBe(1);
    expect(cache.getSync("default")).toBe(undefined);
  });
});

describe.each([["memory"], ["disk"]])("expiry (%s)", (tier) => {
  const clock = new ManualClock();
  const options = () => ({ clock, ...(tier === "disk" ? diskAt(freshPath()) : {}) });

  test("is the same for every reader, to the millisecond", async () => {
    const cache = await open(options());
    const write = (): void => {
      cache.set("k", { a: 1 }, { ttl: 100 });
      cache.set("near", { a: 1 }, { ttl: 100 });
      cache.getSync("near");
    };
    write();
    clock.advance(99);
    for (const key of ["k", "near"]) {
      expect(cache.has(key)).toBe(true);
      expect(cache.getSync(key)).toEqual({ a: 1 });
      expect(await cache.get(key)).toEqual({ a: 1 });
    }
    clock.advance(1);
    for (const key of ["k", "near"]) {
      expect(cache.getSync(key)).toBe(undefined);
      expect(await cache.get(key)).toBe(undefined);
      expect(await cache.getEntry(key)).toBe(undefined);
      expect((await cache.getMany([key])).size).toBe(0);
      expect(cache.has(key)).toBe(false);
      expect(cache.delete(key)).toBe(false);
    }
    write();
    expect(cache.getSync("near")).toEqual({ a: 1 });
    clock.advance(100);
    expect(await cache.fetch("near", () => "loaded")).toBe("loaded");
  });

  test("starts again with each set, and an earlier shorter ttl has no effect", async () => {
    const cache = await open(options());
    cache.set("k", 1, { ttl: 10 });
    clock.advance(9);
    cache.set("k", 2, { ttl: 10 });
    clock.advance(9);
    expect(cache.getSync("k")).toBe(2);
    cache.set("k", 3);
    clock.advance(1e9);
    expect(cache.getSync("k")).toBe(3);
  });

  test("within staleFor only fetch returns the value, and loads it again", async () => {
    const cache = await open(options());
    cache.set("k", "old", { ttl: 100, staleFor: "2s" });
    const entry = await cache.getEntry("k");
    expect([entry?.expiresAt, entry?.staleUntil]).toEqual([clock.now() + 100, clock.now() + 2100]);
    clock.advance(100);
    expect(cache.getSync("k")).toBe(undefined);
    expect(await cache.get("k")).toBe(undefined);
    expect(await cache.getEntry("k")).toBe(undefined);
    expect(cache.has("k")).toBe(false);
    const failing = cache.fetch("k", () => Promise.reject(new Error("down")));
    expect(await failing).toBe("old");
    // Past the back-off of a failed refresh, and within staleFor to the last millisecond.
    clock.advance(1999);
    let seen: unknown;
    const served = await cache.fetch("k", ({ stale }) => {
      seen = stale;
      return "new";
    });
    expect([served, seen]).toEqual(["old", "old"]);
    await expect.poll(() => cache.getSync("k")).toBe("new");
    cache.set("k", "old", { ttl: 100, staleFor: 1000 });
    clock.advance(1100);
    expect(await cache.fetch("k", ({ stale }) => String(stale))).toBe("undefined");
  });

  test("a loader's error reaches every waiter once no stale value may be served", async () => {
    const cache = await open(options());
    cache.set("k", "old", { ttl: 100, staleFor: 1000 });
    clock.advance(1100);
    const down = new Error("down");
    const fetches = [1, 2, 3].map(() =>
      errorOf(() => cache.fetch("k", () => Promise.reject(down))),
    );
    for (const error of await Promise.all(fetches)) expect(error).toBe(down);
    expect(cache.stats()).toMatchObject({ loads: 1, loadErrors: 1, staleServed: 0 });
  });
});

describe("after a reopen", () => {
  test("entries keep their times, and those that expired meanwhile are absent", async () => {
    const clock = new ManualClock();
    const path = freshPath();
    const first = await open({ clock, ...diskAt(path) });
    const written = clock.now();
    const tags = ["user:7", "тег"];
    first.set("long", 1, { ttl: 5000, staleFor: 1000, tags });
    first.set("short", 2, { ttl: 1000 });
    first.set("stale", 3, { ttl: 1000, staleFor: 5000 });
    first.set("ever", 4);
    clock.advance(500);
    await first.close();
    clock.advance(1500);
    const second = await open({ clock, ...diskAt(path) });
    expect(await second.getEntry("long")).toMatchObject({
      value: 1,
      source: "disk",
      createdAt: written,
      expiresAt: written + 5000,
      staleUntil: written + 6000,
      tags,
    });
    expect(await second.get("short")).toBe(undefined);
    expect(await second.get("stale")).toBe(undefined);
    expect(await second.fetch("stale", () => new Promise<never>(() => {}))).toBe(3);
    expect(await second.getEntry("ever")).toMatchObject({ value: 4, expiresAt: Infinity });
    clock.advance(3000);
    expect(await second.get("long")).toBe(undefined);
    expect(await second.get("ever")).toBe(4);
  });

  test("a clock that was set back makes no entry live longer", async () => {
    const clock = new ManualClock();
    const path = freshPath();
    const first = await open({ clock, ...diskAt(path) });
    first.set("k", 1, { ttl: 60_000 });
    first.set("ever", 2);
    await first.close();
    clock.set(clock.now() - 3_600_000);
    const second = await open({ clock, ...diskAt(path) });
    expect(await second.get("k")).toBe(undefined);
    expect(await second.get("ever")).toBe(2);
  });
});

test("an entry expires by the real clock, in memory and near", async () => {
  const cache = await open();
  cache.set("k", 1, { ttl: 30 });
  expect(cache.getSync("k")).toBe(1);
  await expect.poll(() => cache.getSync("k"), { interval: 5 }).toBe(undefined);
  expect(await cache.get("k")).toBe(undefined);
});
