// `isValid` in one thread: which values a fetch may get, and what is counted.
import "./drivable-timers.js";

import { describe, expect, test } from "vitest";
import type { ValidityContext } from "../../dist/src/mod.js";
import {
  counterDiskHits,
  counterInvalid,
  counterLoadErrors,
  counterLoads,
  counterMemoryHits,
  counterMisses,
  counterStaleServed,
} from "../../dist/src/stats/mod.js";
import {
  expectIdle,
  fakeTimers,
  fetch,
  never,
  setStale,
  setUpFetching,
  Source,
  store,
  turn,
} from "./fetching.js";

setUpFetching();

const isNew = (value: unknown): boolean => value !== "old";
const counts = (): number[] =>
  [counterInvalid, counterMisses, counterMemoryHits, counterDiskHits].map((counter) =>
    store.counted(counter),
  );

describe("a hit that isValid takes", () => {
  test("is returned and counted as a hit, and the function is told of it", async () => {
    const asked: [unknown, ValidityContext][] = [];
    store.set("k", "v", { ttl: 1000, tags: ["a"] });
    store.clock.advance(10);
    const isValid = (value: unknown, context: ValidityContext): boolean =>
      asked.push([value, context]) > 0;
    expect(await fetch("k", never, { isValid })).toBe("v");
    const createdAt = store.clock.now() - 10;
    const context = { key: "k", createdAt, expiresAt: createdAt + 1000, tags: ["a"] };
    expect(asked).toEqual([["v", context]]);
    expect(counts()).toEqual([0, 0, 1, 0]);
    store.setOnDisk("d", "v");
    expect(await fetch("d", never, { isValid })).toBe("v");
    expect(asked).toHaveLength(2);
    expect(counts()).toEqual([0, 0, 1, 1]);
    expectIdle();
  });

  test("may be stale, and is refreshed as any", async () => {
    setStale("k", "fair");
    const source = new Source();
    expect(await fetch("k", source.load, { isValid: isNew })).toBe("fair");
    source.resolve("new");
    await turn();
    expect(store.valueOf("k")).toBe("new");
    expect(store.counted(counterStaleServed)).toBe(1);
    expect(counts()).toEqual([0, 1, 0, 0]);
  });
});

describe("a value that isValid refuses", () => {
  test.each<[string, () => void]>([
    ["fresh", () => store.set("k", "old")],
    ["stale", () => setStale("k", "old")],
    ["fresh on disk", () => store.setOnDisk("k", "old")],
    [
      "stale on disk",
      () => {
        store.setOnDisk("k", "old", { ttl: 10, staleFor: 1000 });
        store.clock.advance(11);
      },
    ],
  ])("and that is %s is loaded anew, given to the loader, asked once", async (_, put) => {
    put();
    let asks = 0;
    const isValid = (): boolean => asks++ > 0; // it would be taken the second time
    const source = new Source();
    const fetched = fetch("k", source.load, { isValid });
    await turn();
    expect(source.calls.map(({ stale }) => stale)).toEqual(["old"]);
    source.resolve("new");
    expect(await fetched).toBe("new");
    expect(asks).toBe(1);
    expect(counts()).toEqual([1, 1, 0, 0]);
    expect(store.counted(counterStaleServed)).toBe(0);
    expect(store.valueOf("k")).toBe("new");
    expectIdle();
  });

  test.each<[string, () => void]>([
    ["fresh", () => store.set("k", "old")],
    ["stale", () => setStale("k", "old")],
    ["on disk", () => store.setOnDisk("k", "old")],
  ])("and that is %s is not returned when the loader fails, nor backs off", async (_, put) => {
    put();
    const source = new Source();
    for (const attempt of [0, 1]) {
      const fetched = fetch("k", source.load, { isValid: isNew });
      await turn();
      source.reject(new Error(`down ${attempt}`), attempt);
      await expect(fetched).rejects.toThrow(`down ${attempt}`);
    }
    expect(store.counted(counterLoads)).toBe(2);
    expect(store.counted(counterInvalid)).toBe(2);
    expect(store.refreshErrors).toEqual([]);
    expectIdle();
  });

  test("is not given to a fetch that comes once it has expired", async () => {
    store.set("k", "old", { ttl: 10 });
    const source = new Source();
    const refused = fetch("k", source.load, { isValid: isNew });
    store.clock.advance(10);
    const later = fetch("k", source.load);
    await turn();
    for (const call of source.calls.keys()) source.resolve("new", call);
    expect(await refused).toBe("new");
    expect(await later).toBe("new");
    expectIdle();
  });

  test("is not served at a timeout", async () => {
    const pass = fakeTimers();
    setStale("k", "old");
    const source = new Source();
    const options = { isValid: isNew, softTimeoutMs: 10, hardTimeoutMs: 50 };
    const outcome = fetch("k", source.load, options).catch((error: unknown) => error);
    await pass(10);
    const other = fetch("k", never, { softTimeoutMs: 10 });
    await pass(10);
    expect(await other).toBe("old"); // this one has no isValid
    await pass(30);
    expect(await outcome).toMatchObject({ code: "ERR_LOADER_TIMEOUT" });
    await turn();
    expectIdle();
  });

  test("is loaded even while the refresh for others backs off", async () => {
    setStale("k", "old");
    const source = new Source();
    expect(await fetch("k", source.load)).toBe("old");
    source.reject(new Error("down"));
    await turn();
    expect(await fetch("k", never)).toBe("old");
    const fetched = fetch("k", source.load, { isValid: isNew });
    await turn();
    source.resolve("new");
    expect(await fetched).toBe("new");
    expectIdle();
  });

  test("is loaded once for all that refuse it, and again for none", async () => {
    store.set("k", "old");
    const source = new Source();
    const fetches = Array.from({ length: 5 }, () => fetch("k", source.load, { isValid: isNew }));
    expect(await fetch("k", never)).toBe("old");
    source.resolve("new");
    expect(await Promise.all(fetches)).toEqual(Array.from({ length: 5 }, () => "new"));
    expect(source.calls).toHaveLength(1);
    expect(counts()).toEqual([5, 5, 0, 0]);
    expectIdle();
  });

  test("was replaced before the load began: the new value is asked about", async () => {
    store.set("k", "old");
    store.flights.beforeEnter = () => store.set("k", "better");
    expect(await fetch("k", never, { isValid: isNew })).toBe("better");
    expectIdle();
  });
});

test("a value between look and load that is refused is given to the loader", async () => {
  store.flights.beforeEnter = () => store.set("k", "old");
  const source = new Source();
  const fetched = fetch("k", source.load, { isValid: isNew });
  await turn();
  expect(source.calls.map(({ stale }) => stale)).toEqual(["old"]);
  source.resolve("new");
  expect(await fetched).toBe("new");
  expect(counts()).toEqual([1, 1, 0, 0]);
});

test("a value on disk that one refuses is loaded for that one after others have it", async () => {
  store.setOnDisk("k", "old");
  const source = new Source();
  const taken = fetch("k", source.load);
  const refused = fetch("k", never, { isValid: isNew });
  expect(await taken).toBe("old");
  await turn();
  expect(source.calls.map(({ stale }) => stale)).toEqual(["old"]);
  source.resolve("new");
  expect(await refused).toBe("new");
  expectIdle();
});

describe("what a load brings", () => {
  test("is not asked about if it is the fetch's own", async () => {
    store.set("k", "old");
    expect(await fetch("k", () => "old", { isValid: isNew })).toBe("old");
    expect(store.counted(counterLoads)).toBe(1);
  });

  test("that was under way is asked about once; the next one is taken as it is", async () => {
    const source = new Source();
    const first = fetch("k", source.load);
    const joined = fetch("k", source.load, { isValid: isNew });
    const also = fetch("k", source.load, { isValid: isNew });
    source.resolve("old");
    expect(await first).toBe("old");
    await turn();
    expect(source.calls).toHaveLength(2);
    expect(source.calls[1]!.stale).toBe("old");
    source.resolve("old");
    expect(await Promise.all([joined, also])).toEqual(["old", "old"]);
    expect(source.calls).toHaveLength(2);
    expect(counts()).toEqual([2, 3, 0, 0]);
    expectIdle();
  });

  test.each(["memory", "disk"])("is a miss if refused, though %s has one then", async (tier) => {
    const source = new Source();
    const first = fetch("k", source.load);
    const joined = fetch("k", never, { isValid: isNew });
    store.delete("k"); // supersedes the load
    if (tier === "memory") store.set("k", "better");
    else store.setOnDisk("k", "better");
    source.resolve("old");
    expect(await Promise.all([first, joined])).toEqual(["old", "better"]);
    expect(counts()).toEqual([1, 2, 0, 0]);
    expectIdle();
  });

  test("is returned if that there is none is what it brings", async () => {
    store.set("k", "old");
    const options = { isValid: isNew, negativeTtlMs: 100 };
    expect(await fetch("k", () => undefined, options)).toBeUndefined();
    expect(await fetch("k", never, options)).toBeUndefined();
  });
});

describe("an isValid that throws", () => {
  const isValid = (): boolean => {
    throw new Error("no hash");
  };

  test.each<[string, () => void]>([
    ["in memory", () => store.set("k", "old")],
    ["stale", () => setStale("k", "old")],
    ["on disk", () => store.setOnDisk("k", "old")],
    [
      "stale on disk",
      () => {
        store.setOnDisk("k", "old", { ttl: 10, staleFor: 1000 });
        store.clock.advance(11);
      },
    ],
  ])(
    "of a value %s rejects the fetch with what it threw, and nothing is loaded",
    async (_, put) => {
      put();
      await expect(fetch("k", never, { isValid })).rejects.toThrow("no hash");
      await turn();
      expect(store.counted(counterLoads)).toBe(0);
      expect(store.counted(counterMisses) + store.counted(counterDiskHits)).toBe(1);
      expectIdle();
    },
  );

  test("rejects that fetch alone, of those that wait for a load", async () => {
    const source = new Source();
    const first = fetch("k", source.load);
    const joined = fetch("k", source.load, { isValid });
    source.resolve("v");
    expect(await first).toBe("v");
    await expect(joined).rejects.toThrow("no hash");
    expect(store.counted(counterLoadErrors)).toBe(0);
    expectIdle();
  });

  test.each<[string, () => unknown]>([
    ["undefined", () => undefined],
    ["1", () => 1],
    ["Promise", async () => true],
    ["Promise", async () => Promise.reject(new Error("nobody waits for it"))],
  ])("and one that returns %s is a TypeError", async (_, answer) => {
    store.set("k", "v");
    const fetched = fetch("k", never, { isValid: answer as () => boolean });
    await expect(fetched).rejects.toThrow(TypeError);
    await expect(fetched).rejects.toThrow('key "k": isValid returned');
  });
});
