// `unchanged`: a loader says that the value it was given is still right. Caches attached in this
// one thread count as threads.
import { describe, expect, expectTypeOf, test } from "vitest";
import {
  attachCache,
  type Cache,
  entry,
  type LoadContext,
  ManualClock,
  unchanged,
} from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "../cache/opened.js";
import { Loads } from "./loads.js";

setUpCaches();

const value = { v: 1 };

/** A cache whose "k" is stale, with the tag "t". */
async function openStale(options = {}) {
  const clock = new ManualClock();
  const cache = await open({ clock, ttl: 1000, staleFor: 1000, ...options });
  cache.set("k", value, { tags: ["t"] });
  clock.advance(1500);
  cache.has("k");
  return { clock, cache };
}

describe("unchanged", () => {
  test("renews a stale value: new times, same value and tags", async () => {
    const { clock, cache } = await openStale();
    expect(await cache.fetch("k", () => unchanged, { ttl: 300, tags: ["fetch"] })).toEqual(value);
    await until(() => cache.getSync("k") !== undefined);
    const now = clock.now();
    expect(await cache.getEntry("k")).toMatchObject({
      value,
      createdAt: now,
      expiresAt: now + 300,
      staleUntil: now + 1300,
      tags: ["t"],
    });
    clock.advance(299);
    expect(cache.getSync("k")).toEqual(value);
  });

  test("of an entry renews it with the entry's times and tags", async () => {
    const { clock, cache } = await openStale();
    const given = { ttl: 50, staleFor: 0, tags: ["a", "b"] };
    await cache.fetch("k", async () => entry(unchanged, given));
    await until(() => cache.getSync("k") !== undefined);
    const expiresAt = clock.now() + 50;
    expect(await cache.getEntry("k")).toMatchObject({
      value,
      expiresAt,
      staleUntil: expiresAt,
      tags: ["a", "b"],
    });
  });

  test("renews a fresh value under forceRefresh, and what isValid refused", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock, ttl: 1000 });
    cache.set("k", value, { tags: ["t"] });
    for (const options of [{ forceRefresh: true }, { isValid: () => false }]) {
      clock.advance(900);
      const given: unknown[] = [];
      const load = ({ stale }: LoadContext<unknown>) => {
        given.push(stale);
        return unchanged;
      };
      expect(await cache.fetch("k", load, options)).toEqual(value);
      expect(given).toEqual([value]);
      expect(await cache.getEntry("k")).toMatchObject({ createdAt: clock.now(), tags: ["t"] });
    }
  });

  test("keeps the revision, unless the entry has another", async () => {
    const cache = await open();
    cache.set("k", value, { revision: 5 });
    const renew = (answer: typeof unchanged | ReturnType<typeof entry<typeof unchanged>>) =>
      cache.fetch("k", () => answer, { forceRefresh: true });
    await renew(unchanged);
    expect(cache.set("k", "older", { revision: 4 })).toBe("outdated");
    await renew(entry(unchanged, { revision: 7 }));
    expect(cache.set("k", "older", { revision: 6 })).toBe("outdated");
    expect(cache.getSync("k")).toEqual(value);
  });

  test("renews what is only on disk", async () => {
    const clock = new ManualClock();
    const path = freshPath();
    const first = await open({ clock, ...diskAt(path), ttl: "1h", staleFor: "1h" });
    const large = "x".repeat(200_000); // in chunks
    first.set("k", large, { tags: ["t"] });
    await first.close();
    const cache = await open({ clock, ...diskAt(path), ttl: "1h", staleFor: "1h" });
    clock.advance(4_000_000);
    expect(await cache.fetch("k", () => unchanged)).toBe(large);
    await until(() => cache.getSync("k") === large);
    expect((await cache.getEntry("k"))?.tags).toEqual(["t"]);
  });

  test("without a value that was given is a TypeError that says so", async () => {
    const cache = await open();
    for (const options of [{}, { forceRefresh: true }]) {
      const error = await errorOf(() => cache.fetch("k", async () => unchanged, options));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain('Cannot renew key "k": the loader answered unchanged');
    }
    expect(cache.has("k")).toBe(false);
    expect(() => cache.set("k", unchanged)).toThrow(TypeError);
  });

  test("answers the followers in all threads", async () => {
    const { cache } = await openStale();
    const others = [attachCache(cache.handle()), attachCache(cache.handle())];
    const loads = new Loads();
    const fetchIn = (one: Cache) => one.fetch("k", loads.loader, { isValid: () => false });
    const all = [cache, ...others].map(fetchIn);
    await until(() => loads.count === 1 && cache.stats().flights.coalescedAcross === 2);
    loads.finish(unchanged);
    // A follower asks about the load's answer once, refuses it, and takes its own load's.
    await until(() => loads.count === 2);
    loads.finish(unchanged, 1);
    expect(await Promise.all(all)).toEqual([value, value, value]);
  });

  test.each<[string, (cache: Cache) => void]>([
    ["a delete", (cache) => void cache.delete("k")],
    ["a clear", (cache) => cache.clear()],
    ["the deletion of its own tag", (cache) => cache.deleteByTag("t")],
  ])("does not bring back what %s in another thread ended", async (_, end) => {
    for (const answer of [unchanged, entry(unchanged, { tags: ["u"] })]) {
      const { cache } = await openStale();
      const other = attachCache(cache.handle());
      const loads = new Loads();
      await cache.fetch("k", loads.loader);
      await until(() => loads.count === 1);
      end(other);
      const after = cache.fetch("k", () => "loaded after");
      loads.finish(answer);
      expect(await after).toBe("loaded after");
      await until(() => cache.stats().fillsSuperseded === 1);
      expect(await cache.get("k")).toBe("loaded after");
      await cache.close();
    }
  });

  test("does not bury a set in another thread", async () => {
    const { cache } = await openStale();
    const loads = new Loads();
    await cache.fetch("k", loads.loader);
    await until(() => loads.count === 1);
    attachCache(cache.handle()).set("k", "set");
    loads.finish(unchanged);
    await until(() => cache.stats().fillsSuperseded === 1);
    expect(cache.getSync("k")).toBe("set");
  });

  test("leaves the type of the fetch as it is", async () => {
    const untyped = await open();
    untyped.set("k", 5);
    const load = ({ stale }: LoadContext<unknown>) => (stale === undefined ? 7 : unchanged);
    const number = await untyped.fetch("k", load, { forceRefresh: true });
    expectTypeOf(number).toEqualTypeOf<number>();
    const numbers = await open<number>();
    numbers.set("k", 5);
    const renewed = await numbers.fetch("k", () => entry(unchanged, { ttl: 1 }), {
      forceRefresh: true,
      isValid: (one) => one > 4,
    });
    expectTypeOf(renewed).toEqualTypeOf<number>();
    expect([number, renewed]).toEqual([5, 5]);
  });
});
