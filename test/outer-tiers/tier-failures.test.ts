// A tier that fails: the cache goes on without it and says so, keeps what it has to make, and takes
// it back.
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Cache, type CacheEventMap, openCache } from "../../dist/src/mod.js";
import { gate, MapTier } from "./map-tier.js";

let tier: MapTier;
let cache: Cache<string>;
let events: string[];
let errors: CacheEventMap["tier-down"]["error"][];

beforeEach(async () => {
  tier = new MapTier();
  events = [];
  errors = [];
  cache = await openCache<string>({
    memory: "2mb",
    tiers: [tier],
    on: {
      "tier-down": ({ tier: name, error }) => {
        events.push(`down ${name}`);
        errors.push(error);
      },
      "tier-up": ({ tier: name }) => events.push(`up ${name}`),
    },
  });
});
afterEach(() => cache.close());

test("a read that fails is a miss, and the tier comes back by itself", async () => {
  const fault = new Error("no route");
  tier.fault = fault;
  expect(await cache.get("a")).toBeUndefined();
  expect(await cache.fetch("a", () => "loaded")).toBe("loaded");
  expect(events).toEqual(["down map"]);
  expect(errors[0]).toMatchObject({
    code: "ERR_TIER",
    message: 'Cannot use tier "map": no route; the cache goes on without it',
    cause: fault,
  });
  // Down, it is not asked, and not told at once.
  tier.fault = undefined;
  expect([await cache.get("b"), tier.reads]).toEqual([undefined, []]);
  await expect.poll(() => events, { timeout: 30_000 }).toEqual(["down map", "up map"]);
  expect([...tier.rows.keys()]).toEqual(["a"]);
  expect(cache.stats().tiers).toMatchObject({ down: 0, pending: 0 });
  expect(cache.stats().tiers?.errors).toBeGreaterThan(0);
});

test("one that is down with nothing to make is asked how it is", async () => {
  tier.fault = new Error("busy");
  expect(await cache.get("a")).toBeUndefined();
  tier.fault = undefined;
  await expect.poll(() => events, { timeout: 30_000 }).toEqual(["down map", "up map"]);
  expect(tier.batches).toEqual([]);
});

test("flush tries once more, and rejects if changes wait still", async () => {
  tier.fault = new Error("full");
  cache.set("a", "1");
  await expect(cache.flush()).rejects.toMatchObject({ code: "ERR_TIER" });
  tier.fault = undefined;
  await cache.flush();
  expect([...tier.rows.keys()]).toEqual(["a"]);
  expect(events).toEqual(["down map", "up map"]);
});

test("close says what the tier has not made", async () => {
  const failing = new MapTier();
  const other = await openCache<string>({ memory: "2mb", tiers: [failing] });
  failing.fault = new Error("gone");
  other.set("a", "1");
  other.delete("b");
  await expect(other.close()).rejects.toMatchObject({
    code: "ERR_TIER",
    message: expect.stringContaining("2 changes were not made") as string,
  });
  expect(failing.isClosed).toBe(true);
});

test("a listener hears of each failure once, however many calls fail", async () => {
  tier.fault = new Error("down");
  for (let key = 0; key < 100; key++) {
    cache.set(`k${key}`, "1");
    await cache.get(`other${key}`);
  }
  await expect(cache.flush()).rejects.toThrow("a tier is down");
  expect(events).toEqual(["down map"]);
  tier.fault = undefined;
});

test("one that answers too few entries is misses", async () => {
  tier.getMany = () => [];
  expect(await cache.getMany(["a", "b"])).toEqual(new Map());
});

test("a cache closes while its tier is asked", async () => {
  const { promise, open } = gate();
  tier.readGate = promise;
  const read = cache.get("a");
  await expect.poll(() => tier.reads).toEqual([1]);
  const closed = cache.close();
  open();
  await expect(read).rejects.toMatchObject({ code: "ERR_CACHE_CLOSED" });
  await closed;
});
