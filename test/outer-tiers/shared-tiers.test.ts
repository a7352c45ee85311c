// Two caches over one store, as two machines have it: what one changes ends in the other, what
// waits of it becomes a delete, and loads take turns.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Cache,
  type CacheOptions,
  ManualClock,
  openCache,
  type Tier,
} from "../../dist/src/mod.js";
import {
  type FaultyTier,
  faultyTier,
  type MemoryStore,
  memoryStore,
  memoryTier,
} from "../../dist/src/tier-suite/mod.js";
import { gate, MapTier } from "./map-tier.js";

let store: MemoryStore;
let one: Cache<string>;
let two: Cache<string>;
let tierOfTwo: FaultyTier;
const opened = new Set<Cache<never>>();

async function open(tiers: readonly Tier[], options: CacheOptions<string> = {}) {
  const cache = await openCache<string>({ memory: "2mb", tiers, ...options });
  opened.add(cache as unknown as Cache<never>);
  return cache;
}

beforeEach(async () => {
  store = memoryStore();
  tierOfTwo = faultyTier(memoryTier(store));
  one = await open([memoryTier(store)]);
  two = await open([tierOfTwo]);
});
afterEach(async () => {
  for (const cache of opened) await cache.close().catch(() => undefined);
  opened.clear();
});

describe("what one changes ends in the other", () => {
  test("of a key, also of a namespace, and nothing else does", async () => {
    const [here, there] = [one.namespace<string>("n"), two.namespace<string>("n")];
    here.set("a", "1");
    await one.flush();
    expect(await there.get("a")).toBe("1");
    expect(there.getSync("a")).toBe("1");
    two.set("own", "kept");
    there.set("own", "kept");
    await two.flush();
    here.set("a", "2");
    await one.flush();
    expect(there.getSync("a")).toBeUndefined();
    expect([two.getSync("own"), there.getSync("own")]).toEqual(["kept", "kept"]);
    expect(await there.get("a")).toBe("2");
    here.delete("a");
    await one.flush();
    expect(await there.get("a")).toBeUndefined();
    expect(two.stats().tiers?.ended).toBeGreaterThan(1);
  });

  test("of a tag, of a namespace, of all", async () => {
    const there = two.namespace<string>("n");
    const fill = async (): Promise<void> => {
      two.set("tagged", "1", { tags: ["t"] });
      there.set("in n", "2");
      two.set("plain", "3");
      await two.flush();
    };
    const state = (): unknown[] => [
      two.getSync("tagged"),
      there.getSync("in n"),
      two.getSync("plain"),
    ];
    await fill();
    one.deleteByTag("t");
    await one.flush();
    expect(state()).toEqual([undefined, "2", "3"]);
    one.namespace("n").clear();
    await one.flush();
    expect(state()).toEqual([undefined, undefined, "3"]);
    await fill();
    one.clear();
    await one.flush();
    expect(state()).toEqual([undefined, undefined, undefined]);
    expect(store.size).toBe(0);
  });

  test("of a namespace that the other has not used in this thread", async () => {
    one.namespace<string>("unknown").set("a", "1");
    await one.flush();
    expect(await two.namespace<string>("unknown").get("a")).toBe("1");
  });

  test("and a load that began before is not stored", async () => {
    const { promise, open: openGate } = gate();
    const loading = two.fetch("a", async () => {
      await promise;
      return "old";
    });
    await expect.poll(() => two.stats().loads).toBe(1);
    one.set("a", "new");
    await one.flush();
    openGate();
    await loading;
    await two.flush();
    expect(await two.get("a")).toBe("new");
    expect(await one.get("a")).toBe("new");
  });

  test("and a second tier is told of it: it does not bring the old value back", async () => {
    const behind = new MapTier("behind");
    Object.assign(behind, { subscribe: undefined });
    const cache = await open([behind, memoryTier(store)]);
    cache.set("a", "old");
    cache.set("b", "old", { tags: ["t"] });
    await cache.flush();
    one.set("a", "new");
    one.deleteByTag("t");
    await one.flush();
    await cache.flush();
    expect([...behind.rows.keys()]).toEqual([]);
    expect(await cache.get("a")).toBe("new");
  });
});

describe("a set that waits is not made over what others did meanwhile", () => {
  test.each([
    ["a set", (cache: Cache<string>) => void cache.set("a", "new")],
    ["a delete", (cache: Cache<string>) => void cache.delete("a")],
    ["a tag", (cache: Cache<string>) => cache.deleteByTag("t")],
    ["a clear", (cache: Cache<string>) => cache.clear()],
  ])("%s", async (_, change) => {
    tierOfTwo.fault = "before";
    two.set("a", "old", { tags: ["t"] });
    two.set("b", "own");
    await expect(two.flush()).rejects.toThrow("tier is down");
    change(one);
    await one.flush();
    tierOfTwo.fault = "none";
    await two.flush();
    expect(await two.get("a")).toBeUndefined();
    expect(await one.get("a")).toBeUndefined();
  });

  test("nor one that is being made, if its answer comes later", async () => {
    tierOfTwo.fault = "never";
    two.set("a", "old");
    const flushed = two.flush();
    await expect.poll(() => two.stats().tiers?.pending).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    one.set("a", "new");
    await one.flush();
    tierOfTwo.fault = "none";
    await flushed;
    await two.flush();
    expect(await two.get("a")).toBeUndefined();
    expect(await one.get("a")).toBeUndefined();
  });
});

describe("a tier that does not hear of others", () => {
  test("is not read, is told of changes, and its loss and return are events", async () => {
    const events: string[] = [];
    two.on("tier-down", ({ error }) => void events.push(`down: ${error.message}`));
    two.on("tier-up", () => void events.push("up"));
    one.set("a", "1");
    await one.flush();
    tierOfTwo.setTouch(false);
    expect(await two.get("a")).toBeUndefined();
    expect(two.stats().tiers?.down).toBe(1);
    two.set("b", "2");
    await two.flush();
    expect(await one.get("b")).toBe("2");
    tierOfTwo.setTouch(true);
    expect(two.getSync("b")).toBeUndefined();
    expect(await two.get("a")).toBe("1");
    expect(two.stats().tiers?.down).toBe(0);
    await expect.poll(() => events.length).toBe(2);
    expect(events[0]).toContain("Cannot read tier");
    expect(events[1]).toBe("up");
  });
});

describe("loads take turns", () => {
  test("one loads, the other waits and gets its value", async () => {
    const { promise, open: openGate } = gate();
    let loads = 0;
    const load = async (): Promise<string> => {
      loads += 1;
      await promise;
      return `loaded ${loads}`;
    };
    const first = one.fetch("a", load);
    await expect.poll(() => loads).toBe(1);
    const second = two.fetch("a", load);
    await expect.poll(() => two.stats().tiers?.waited).toBeGreaterThan(0);
    openGate();
    expect(await Promise.all([first, second])).toEqual(["loaded 1", "loaded 1"]);
    expect(loads).toBe(1);
    expect(one.stats().tiers).toMatchObject({ leased: 1, waited: 0 });
    await expect.poll(() => store.leases).toBe(0);
  });

  test("the other takes over when the load fails, or gives nothing", async () => {
    for (const result of ["fails", undefined]) {
      const { promise, open: openGate } = gate();
      const first = one.fetch("a", async () => {
        await promise;
        if (result === "fails") throw new Error("fails");
        return undefined;
      });
      await expect.poll(() => store.leases).toBe(1);
      const before = two.stats().tiers?.waited ?? 0;
      const second = two.fetch("a", () => "second");
      await expect.poll(() => two.stats().tiers?.waited).toBeGreaterThan(before);
      openGate();
      await first.catch(() => undefined);
      expect(await second).toBe("second");
      two.delete("a");
      await two.flush();
      await expect.poll(() => store.leases).toBe(0);
    }
  });

  test("while another loads, a stale value is served and no load begins", async () => {
    const clock = new ManualClock(1e12);
    const options = { clock, ttl: 1000, staleFor: 600_000 };
    const [left, right] = [
      await open([memoryTier(store)], options),
      await open([memoryTier(store)], options),
    ];
    left.set("a", "old");
    await left.flush();
    expect(await right.get("a")).toBe("old");
    clock.advance(2000);
    const { promise, open: openGate } = gate();
    const loads: string[] = [];
    const load = (name: string) => async () => {
      loads.push(name);
      await promise;
      return "new";
    };
    expect(await left.fetch("a", load("left"))).toBe("old");
    await expect.poll(() => store.leases).toBe(1);
    expect(await right.fetch("a", load("right"))).toBe("old");
    await expect.poll(() => right.stats().tiers?.waited).toBe(1);
    openGate();
    await expect.poll(() => left.getSync("a")).toBe("new");
    await left.flush();
    await expect.poll(() => right.fetch("a", load("right"))).toBe("new");
    expect(loads).toEqual(["left"]);
  });

  test("a forced load does not wait", async () => {
    const { promise, open: openGate } = gate();
    const first = one.fetch("a", async () => {
      await promise;
      return "first";
    });
    await expect.poll(() => store.leases).toBe(1);
    expect(await two.fetch("a", () => "forced", { forceRefresh: true })).toBe("forced");
    openGate();
    await first;
  });

  test("a lease that ends while the tier is down is released once it is up", async () => {
    const tier = faultyTier(memoryTier(store));
    const cache = await open([tier]);
    const { promise, open: openGate } = gate();
    const loaded = cache.fetch("a", () => promise.then(() => "loaded"));
    await expect.poll(() => store.leases).toBe(1);
    tier.fault = "before";
    cache.set("b", "waits");
    await expect.poll(() => cache.stats().tiers?.down).toBe(1);
    openGate();
    expect(await loaded).toBe("loaded");
    const errors = cache.stats().tiers?.errors ?? 0;
    await expect.poll(() => cache.stats().tiers?.errors).toBeGreaterThan(errors + 1);
    tier.fault = "none";
    await expect.poll(() => store.leases, { timeout: 10_000 }).toBe(0);
  });

  test("a lease that is never released ends, and the hard timeout bounds the wait", async () => {
    await memoryTier(store).lease!({ namespace: "", key: Buffer.from("a") }, "lost", Date.now());
    const options = { timeout: { hard: 200 } };
    expect(await two.fetch("a", () => "loaded", options)).toBe("loaded");
    expect(two.stats().tiers?.waited).toBeGreaterThan(0);
  });
});
