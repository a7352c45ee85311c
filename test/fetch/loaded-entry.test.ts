// What a loader says of the value it loaded, by `entry`.

import { describe, expect, test } from "vitest";
import { attachCache, entry, ManualClock } from "../../dist/src/mod.js";
import { errorOf, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

function never(): never {
  throw new Error("the loader is not to run");
}

describe("an entry that a loader returns", () => {
  test("says how long its value lives and which tags it has", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock, ttl: "1h", staleFor: "1h" });
    const options = { ttl: "5m", staleFor: "5m", tags: ["a"] };
    const loaded = (given: object) => cache.fetch("k", () => entry({ v: 1 }, given), options);
    const now = clock.now();
    for (const [given, expiresAt, staleUntil, tags] of [
      [{ ttl: 50 }, now + 50, now + 300_050, ["a"]],
      [{ staleFor: 0 }, now + 300_000, now + 300_000, ["a"]],
      [{ tags: [] }, now + 300_000, now + 600_000, []],
      [{ ttl: "1s", staleFor: "1s", tags: ["b", "c"] }, now + 1000, now + 2000, ["b", "c"]],
      [{}, now + 300_000, now + 600_000, ["a"]],
    ] as const) {
      cache.delete("k");
      expect(await loaded(given)).toEqual({ v: 1 });
      expect(await cache.getEntry("k")).toMatchObject({ expiresAt, staleUntil, tags });
    }
  });

  test("may be a promise's, and come from a wrapped function", async () => {
    const cache = await open();
    const token = cache.wrap(async () => entry("t", { ttl: "1m", tags: ["s"] }), {
      key: () => "token",
    });
    expect(await token()).toBe("t");
    expect((await cache.getEntry("token"))?.tags).toEqual(["s"]);
  });

  test("of undefined is a negative answer, for its ttl or else negativeTtl", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock });
    const other = attachCache(cache.handle());
    await cache.fetch("k", () => entry(undefined, { ttl: 100, tags: ["t"] }));
    expect(await other.fetch("k", never)).toBeUndefined();
    other.deleteByTag("t");
    expect(await cache.fetch("k", () => entry(undefined), { negativeTtl: 50 })).toBeUndefined();
    clock.advance(49);
    expect(await cache.fetch("k", never)).toBeUndefined();
    clock.advance(1);
    expect(await cache.fetch("k", () => entry(undefined))).toBeUndefined();
    expect(await cache.fetch("k", () => entry(null))).toBe(null);
  });

  test("with a wrong option rejects with an error that names it", async () => {
    const cache = await open();
    const error = await errorOf(() => cache.fetch("k", () => entry(1, { ttl: -1 })));
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toContain("Cannot use option ttl: current value is -1");
    expect(cache.has("k")).toBe(false);
  });

  test("can take the fetch's ttl and tags into account", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock, ttl: "1h" });
    const load = ({ ttl, tags }: { readonly ttl: number; readonly tags: readonly string[] }) =>
      entry("v", { ttl: Math.min(ttl, 5000), tags: [...tags, "more"] });
    await cache.fetch("k", load, { tags: ["a"] });
    expect(await cache.getEntry("k")).toMatchObject({
      expiresAt: clock.now() + 5000,
      tags: ["a", "more"],
    });
  });
});

test("a tag that only the loader knew of ends its load for those who came after", async () => {
  const cache = await open();
  const other = attachCache(cache.handle());
  const finish: ((value: unknown) => void)[] = [];
  const load = (): Promise<unknown> => new Promise((resolve) => finish.push(resolve));
  const before = cache.fetch("k", load);
  await until(() => finish.length === 1);
  other.deleteByTag("t");
  const after = cache.fetch("k", load);
  const there = other.fetch("k", load);
  finish[0]!(entry("old", { tags: ["t"] }));
  await until(() => finish.length === 2);
  finish[1]!("new");
  expect(await Promise.all([before, after, there])).toEqual(["old", "new", "new"]);
  expect(cache.getSync("k")).toBe("new");
  expect(cache.stats().fillsSuperseded).toBe(1);
});
