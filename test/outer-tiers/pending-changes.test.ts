// Once a change has returned, no older value comes from a tier: while the tier has yet to make the
// change, while it makes it, and while it is being asked.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Cache, openCache } from "../../dist/src/mod.js";
import { gate, MapTier } from "./map-tier.js";

let tier: MapTier;
let cache: Cache<string>;

/** The tier has old values of a, b and c, the latter two with a tag; memory has none. */
beforeEach(async () => {
  tier = new MapTier();
  const first = await openCache<string>({ memory: "2mb", tiers: [tier] });
  first.set("a", "old");
  first.set("b", "old", { tags: ["t"] });
  first.set("c", "old", { tags: ["t", "u"] });
  await first.close();
  cache = await openCache<string>({ memory: "2mb", eviction: "fifo", tiers: [tier] });
});
afterEach(() => cache.close());

/** Each way to end a and b, and what is there afterwards. */
const ways: readonly (readonly [string, () => void, string | undefined])[] = [
  ["delete", () => void cache.deleteMany(["a", "b"]), undefined],
  ["clear", () => cache.clear(), undefined],
  [
    "a set",
    () => {
      cache.set("a", "new");
      cache.set("b", "new");
    },
    "new",
  ],
  [
    "a deletion by tag",
    () => {
      cache.delete("a");
      cache.deleteByTag(["t"]);
    },
    undefined,
  ],
];

describe.each(ways)("%s", (_, change, left) => {
  const seen = async (): Promise<unknown[]> => {
    const values = await Promise.all([cache.get("a"), cache.getMany(["b"])]);
    return [values[0], values[1].get("b")];
  };

  test("that waits for the tier", async () => {
    tier.fault = new Error("down");
    change();
    expect(await seen()).toEqual([left, left]);
    await expect.poll(() => cache.stats().tiers?.down).toBe(1);
    expect(await seen()).toEqual([left, left]);
    tier.fault = undefined;
    await cache.flush();
    expect(await seen()).toEqual([left, left]);
    expect(tier.rows.has("a")).toBe(left !== undefined);
  });

  test("that the tier is making", async () => {
    const { promise, open } = gate();
    tier.applyGate = promise;
    change();
    await expect.poll(() => tier.batches.length).toBe(2);
    expect(await seen()).toEqual([left, left]);
    open();
    await cache.flush();
    expect(await seen()).toEqual([left, left]);
  });

  test("that waits when the tier is asked, and is made before it answers", async () => {
    const [applying, reading] = [gate(), gate()];
    tier.applyGate = applying.promise;
    tier.readGate = reading.promise;
    change();
    await expect.poll(() => tier.batches.length).toBe(2);
    const reads = seen();
    await new Promise((resolve) => setImmediate(resolve));
    applying.open();
    await cache.flush();
    reading.open();
    expect(await reads).toEqual([left, left]);
  });

  test("that comes while the tier is asked", async () => {
    const { promise, open } = gate();
    tier.readGate = promise;
    const reads = seen();
    const loads = Promise.all([
      cache.fetch("a", () => "loaded"),
      cache.fetch("b", () => "loaded", { tags: ["t"] }),
    ]);
    await expect.poll(() => tier.reads.length).toBe(3);
    change();
    // The tier has made it before it answers what it had before.
    const flushed = cache.flush();
    await flushed;
    open();
    expect(await reads).toEqual([left, left]);
    for (const value of await loads) expect(value).toBe(left ?? "loaded");
    tier.readGate = undefined;
    expect([cache.getSync("a") ?? left, cache.getSync("b") ?? left]).toEqual([left, left]);
    await cache.flush();
    expect(tier.rows.get("a") === undefined).toBe(left === undefined);
  });
});

test("a value that waits for the tier is found, though memory has lost it", async () => {
  const { promise, open } = gate();
  tier.applyGate = promise;
  cache.set("a", "new");
  for (let key = 0; key < 100_000 && cache.has("a"); key++)
    cache.set(`fill${key}`, "x".repeat(100));
  expect(cache.getSync("a")).toBeUndefined();
  expect(await cache.get("a")).toBe("new");
  open();
});

test("a deletion by tag leaves what was set after it, and what has another tag", async () => {
  const { promise, open } = gate();
  tier.applyGate = promise;
  cache.set("d", "new", { tags: ["t"] });
  cache.deleteByTag("t");
  cache.set("e", "new", { tags: ["t"] });
  open();
  await cache.flush();
  expect([...tier.rows.keys()].toSorted()).toEqual(["a", "e"]);
  cache.deleteByTag("nobody's");
  await cache.flush();
  expect([...tier.rows.keys()].toSorted()).toEqual(["a", "e"]);
});

test("a batch that failed comes again, without what is superseded by then", async () => {
  const { promise, open } = gate();
  tier.applyGate = promise.then(() => {
    throw new Error("once");
  });
  cache.set("x", "1");
  cache.set("y", "1", { tags: ["t"] });
  cache.set("z", "1");
  await expect.poll(() => tier.batches).toEqual([3, 3]);
  cache.set("x", "2");
  cache.deleteByTag("t");
  open();
  await expect.poll(() => cache.stats().tiers?.down).toBe(1);
  tier.applyGate = undefined;
  await cache.flush();
  expect(tier.rows.size).toBe(3);
  await cache.close();
  cache = await openCache<string>({ memory: "2mb", eviction: "fifo", tiers: [tier] });
  expect(await cache.getMany(["a", "b", "c", "x", "y", "z"])).toEqual(
    new Map([
      ["a", "old"],
      ["x", "2"],
      ["z", "1"],
    ]),
  );
});
