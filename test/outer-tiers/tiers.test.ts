// The tiers of the option `tiers`, as one thread sees them: what they are asked and told, and what
// comes back.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Cache,
  type CacheOptions,
  type CustomCodec,
  ManualClock,
  openCache,
} from "../../dist/src/mod.js";
import { MapTier } from "./map-tier.js";

let tier: MapTier;
const opened = new Set<Cache<never>>();

beforeEach(() => {
  tier = new MapTier();
});
afterEach(async () => {
  for (const cache of opened) await cache.close();
  opened.clear();
});

async function open<V = unknown>(options: CacheOptions<V> = {}): Promise<Cache<V>> {
  const cache = await openCache<V>({ memory: "2mb", tiers: [tier], ...options });
  opened.add(cache as unknown as Cache<never>);
  return cache;
}

/** A cache whose memory is empty and whose tier has what `fill` stored. */
async function reopened<V>(
  fill: (cache: Cache<V>) => void,
  options: CacheOptions<V> = {},
): Promise<Cache<V>> {
  const first = await open<V>(options);
  fill(first);
  await first.close();
  return open<V>(options);
}

describe("a miss asks the tiers", () => {
  test("by get, getEntry and getMany, and what was found is in memory", async () => {
    const value = { a: 1, at: new Date(5), of: new Map([["x", 1n]]) };
    const cache = await reopened<unknown>((first) => {
      first.set("a", value, { ttl: 60_000, staleFor: 1000, tags: ["t", "u"] });
      first.set(new Uint8Array([255, 0]), "bytes");
      first.set("none", null);
    });
    expect(cache.getSync("a")).toBeUndefined();
    const entry = await cache.getEntry("a");
    expect(entry).toMatchObject({ value, source: "tier", tags: ["t", "u"] });
    expect((entry?.expiresAt ?? 0) - (entry?.createdAt ?? 0)).toBe(60_000);
    expect((entry?.staleUntil ?? 0) - (entry?.expiresAt ?? 0)).toBe(1000);
    expect(cache.getSync("a")).toEqual(value);
    expect((await cache.getEntry("a"))?.expiresAt).toBe(entry?.expiresAt);
    const bytes = new Uint8Array([255, 0]);
    expect(await cache.getMany(["a", bytes, "none", "absent"])).toEqual(
      new Map<unknown, unknown>([
        ["a", value],
        [bytes, "bytes"],
        ["none", null],
      ]),
    );
    expect(tier.reads).toEqual([1, 3]);
    expect(await cache.get("none")).toBeNull();
    expect(cache.stats().tiers).toMatchObject({ hits: 3, misses: 1, pending: 0, down: 0 });
  });

  test("by fetch, before its loader; a forced one does not", async () => {
    const cache = await reopened<string>((first) => void first.set("a", "kept"));
    const never = (): string => "loaded";
    expect(await Promise.all([cache.fetch("a", never), cache.fetch("a", never)])).toEqual([
      "kept",
      "kept",
    ]);
    expect(tier.reads).toEqual([1]);
    expect(cache.getSync("a")).toBe("kept");
    expect(await cache.fetch("a", never, { forceRefresh: true })).toBe("loaded");
    expect(cache.stats().loads).toBe(1);
  });

  test("by updateAsync, so that what only a tier has is not made anew", async () => {
    const cache = await reopened<number>((first) => {
      first.set("a", 1);
    });
    const add = async (key: string): Promise<string> =>
      cache.updateAsync(key, (number) => number + 1, { absent: 10 });
    expect([await add("a"), await add("b")]).toEqual(["stored", "stored"]);
    expect([cache.getSync("a"), cache.getSync("b")]).toEqual([2, 10]);
  });

  test("and an expired value within its staleFor is served while the loader runs", async () => {
    const clock = new ManualClock(1e12);
    const options = { clock, ttl: 1000, staleFor: 60_000 };
    const cache = await reopened<string>((first) => void first.set("a", "old"), options);
    clock.advance(2000);
    expect(await cache.get("a")).toBeUndefined();
    let given: unknown;
    const load = ({ stale }: { stale: string | undefined }): string => {
      given = stale;
      return "new";
    };
    expect(await cache.fetch("a", load)).toBe("old");
    await expect.poll(() => cache.getSync("a")).toBe("new");
    expect(given).toBe("old");
    clock.advance(200_000);
    await cache.close();
    const again = await reopened<string>(() => undefined, options);
    expect(await again.get("a")).toBeUndefined();
  });

  test("in order, until one has it", async () => {
    const second = new MapTier("second");
    const options = { tiers: [tier, second] };
    const cache = await reopened<string>((first) => {
      first.set("a", "1");
      first.set("b", "2");
    }, options);
    tier.rows.delete("b");
    expect(await cache.getMany(["a", "b"])).toEqual(
      new Map([
        ["a", "1"],
        ["b", "2"],
      ]),
    );
    expect([tier.reads, second.reads]).toEqual([[2], [1]]);
  });
});

describe("a change is told", () => {
  test("in one batch a turn, the newest of each key", async () => {
    const cache = await open<number>();
    for (let write = 0; write < 10; write++) cache.set(`k${write % 3}`, write);
    expect(tier.batches).toEqual([]);
    await cache.flush();
    expect(tier.batches).toEqual([3]);
    await cache.close();
    const again = await open<number>();
    expect(await again.getMany(["k0", "k1", "k2"])).toEqual(
      new Map([
        ["k0", 9],
        ["k1", 7],
        ["k2", 8],
      ]),
    );
  });

  test("of every way to change an entry", async () => {
    const cache = await open<string>();
    await cache.setAsync("async", "1");
    await cache.fetch("loaded", () => "2");
    cache.setMany([["many", "3"]]);
    cache.set("gone", "4");
    cache.set("none", "5");
    await cache.flush();
    expect([...tier.rows.keys()].toSorted()).toEqual(["async", "gone", "loaded", "many", "none"]);
    cache.deleteMany(["gone", "async"]);
    const nothing = { forceRefresh: true, negativeTtl: 1000 };
    await cache.fetch<undefined>("none", () => undefined, nothing);
    await cache.flush();
    expect([...tier.rows.keys()].toSorted()).toEqual(["loaded", "many"]);
    cache.clear();
    await cache.flush();
    expect(tier.rows.size).toBe(0);
  });

  test("of a set that is not stored too: its older value is absent", async () => {
    const cache = await open<string>();
    cache.set("a", "small");
    await cache.flush();
    expect(cache.set("a", "x".repeat(2 ** 21))).toBe("too-large");
    expect(await cache.get("a")).toBeUndefined();
    await cache.flush();
    expect(tier.rows.size).toBe(0);
  });

  test("and close makes what waits, then closes the tier", async () => {
    const cache = await open<number>();
    for (let key = 0; key < 2000; key++) cache.set(`k${key}`, key);
    await cache.close();
    expect(tier.rows.size).toBe(2000);
    expect([tier.isClosed, tier.isSubscribed]).toEqual([true, false]);
  });

  test("but not of what came from a tier", async () => {
    const cache = await reopened<string>((first) => void first.set("a", "1"));
    const before = tier.batches.length;
    expect(await cache.get("a")).toBe("1");
    await cache.flush();
    expect(tier.batches.length).toBe(before);
  });

  test("with values of many chunks, whole", async () => {
    const large = "0123456789".repeat(30_000);
    const cache = await reopened<string>((first) => void first.set("a", large));
    expect(await cache.get("a")).toBe(large);
    expect(cache.getSync("a")).toBe(large);
  });
});

describe("what a tier gives back is verified", () => {
  test.each([
    ["a byte of the value", (row: { value: Uint8Array }) => void (row.value[9]! ^= 1)],
    ["the version", (row: { value: Uint8Array }) => void (row.value[0]! += 1)],
    ["an end of the value", (row: { value: Uint8Array }) => (row.value = row.value.subarray(0, 5))],
    ["the time", (row: { expiresAt: number }) => (row.expiresAt += 1000)],
    ["the tags", (row: { tags: string[] }) => (row.tags = [])],
  ])("%s", async (_, damage) => {
    const cache = await reopened<string>((first) => {
      first.set("a", "value", { ttl: 60_000, tags: ["t"] });
      first.set("b", "other", { ttl: 60_000, tags: ["t"] });
    });
    const row = { ...tier.rows.get("a")! } as never;
    (damage as (row: never) => void)(row);
    tier.rows.set("a", row);
    expect(await cache.get("a")).toBeUndefined();
    expect(await cache.get("b")).toBe("other");
    expect(cache.stats().tiers).toMatchObject({ corrupt: 1, hits: 1, misses: 1 });
  });

  test("and is of the key that was asked for, and of the cache's codec", async () => {
    const codec = (name: string): CustomCodec<string> => ({
      name,
      encode: (text) => Buffer.from(text),
      decode: (bytes) => Buffer.from(bytes).toString(),
    });
    const cache = await reopened<string>((first) => void first.set("a", "1"), {
      codec: codec("one"),
    });
    tier.rows.set("b", tier.rows.get("a")!);
    expect(await cache.get("b")).toBeUndefined();
    expect(await cache.get("a")).toBe("1");
    await cache.close();
    const other = await open<string>({ codec: codec("two") });
    expect(await other.get("a")).toBeUndefined();
    expect(other.stats().tiers?.corrupt).toBe(1);
  });
});

describe("what a tier has of another version is not served", () => {
  test.each([
    ["the cache's own keys", ""],
    ["a namespace", "n"],
  ])("in %s", async (_, name) => {
    const at = async (version: string, spaceVersion?: string): Promise<Cache<string>> => {
      const cache = await open<string>({ version });
      if (name === "") return cache;
      const options = spaceVersion === undefined ? undefined : { version: spaceVersion };
      return cache.namespace<string>(name, options) as unknown as Cache<string>;
    };
    const closeAll = async (): Promise<void> => {
      for (const cache of opened) await cache.close();
      opened.clear();
    };
    (await at("1", "a")).set("k", "old");
    await closeAll();
    expect(await (await at("1", "a")).get("k")).toBe("old");
    await closeAll();
    expect(await (await at("2", "a")).get("k")).toBeUndefined();
    await closeAll();
    // Only a namespace has the second one.
    const wanted = name === "" ? "old" : undefined;
    expect(await (await at("1", "b")).get("k")).toBe(wanted);
  });
});

test("what others end in the tier ends here, without being told back", async () => {
  const cache = await open<string>();
  cache.set("a", "1");
  await cache.flush();
  tier.deleteForOthers("a");
  expect(cache.getSync("a")).toBeUndefined();
  expect(await cache.get("a")).toBeUndefined();
  expect(tier.batches).toEqual([1]);
});

test("has, getSync and a remembered nothing ask no tier", async () => {
  const cache = await reopened<string>((first) => void first.set("a", "1"));
  expect([cache.has("a"), cache.getSync("a")]).toEqual([false, undefined]);
  await cache.fetch<undefined>("none", () => undefined, { negativeTtl: 60_000 });
  const reads = tier.reads.length;
  await cache.fetch<undefined>("none", () => undefined, { negativeTtl: 60_000 });
  expect(tier.reads.length).toBe(reads);
});

test.each<[unknown, RegExp]>([
  [5, /Cannot use option tiers: current value is 5; it must be an array of at most 4 tiers/],
  [[{}], /tiers\[0\].*without getMany\(\)/],
  [[{ ...methods(), name: "" }], /tiers\[0\]\.name: current value is ""/],
  [
    [
      { ...methods(), name: "a" },
      { ...methods(), name: "a" },
    ],
    /two have the name "a"/,
  ],
  [Array.from({ length: 5 }, (_, n) => ({ ...methods(), name: `${n}` })), /it has 5/],
])("a wrong option is refused: %j", async (tiers, message) => {
  await expect(openCache({ tiers: tiers as never })).rejects.toThrow(message);
});

function methods() {
  return { getMany: () => [], apply: () => undefined, health: () => undefined };
}
